//! What becomes of a result: a row of the gradebook, a report, and a line on
//! the terminal.

use std::fs;

use super::gradebook::{Gradebook, UNKNOWN};
use super::imports;
use super::intake::{UNCHANGED, Work};
use super::options::GradeOptions;
use super::roster::Roster;
use super::summary;
use super::table::{Row, cell};
use crate::assignment::Assignment;
use crate::at::At;
use crate::stages::{self, StageOutcome, StageResult};
use crate::student::{print, told};

pub(crate) struct Records<'a> {
    options: &'a GradeOptions,
    book: Gradebook,
}

impl<'a> Records<'a> {
    pub(crate) fn open(
        options: &'a GradeOptions,
        all: &[Assignment],
    ) -> Result<Self, String> {
        Ok(Self { options, book: Gradebook::open(&options.to, all)? })
    }

    /// Whether the gradebook has the points for the same files, assignment,
    /// dialect and seed, by this same program. What else has become known, such
    /// as a due time, is added.
    pub(crate) fn has(&mut self, work: &Work<'_>) -> Result<bool, String> {
        let same = self.book.get(&work.row).filter(|old| {
            !self.options.again
                && cell(old, "graded") == cell(&work.row, "graded")
                && cell(old, "points") != UNKNOWN
        });
        let Some(old) = same else { return Ok(false) };
        print(&format!(
            "{}, as before\n",
            line(&work.row, cell(old, "points"))
        ))?;
        self.book.record(work.row.clone()).map(|()| true)
    }

    /// Takes the results of a work into the gradebook, and shows them.
    pub(crate) fn record(
        &mut self,
        work: &Work<'_>,
        results: &[StageResult],
    ) -> Result<(), String> {
        let why = results.iter().find_map(|it| match &it.outcome {
            StageOutcome::Failed(why, _) => Some(format!("{}: {why}", it.name)),
            StageOutcome::Unknown(why) => Some(why.clone()),
            _ => None,
        });
        let why = why.unwrap_or_default();
        let mut row = work.row.clone();
        row.extend(of_results(results));
        row.insert("reason".into(), why.lines().next().unwrap_or("").into());
        let points = cell(&row, "points");
        let mut shown = line(&row, points) + "\n";
        if points == UNKNOWN {
            shown += &format!("  {}\n", why.replace('\n', "\n  "));
        }
        print(&shown).ok();
        self.report(work, results)?;
        self.book.record(row)
    }

    /// Writes the report, as the student sees it.
    fn report(
        &self,
        work: &Work<'_>,
        results: &[StageResult],
    ) -> Result<(), String> {
        let mut report = told(work.assignment, results, self.options.seed);
        let [resembles, remarks] =
            ["resembles", "remarks"].map(|it| cell(&work.row, it));
        // The name of another student is for the teacher alone.
        let resembles = if resembles == UNCHANGED { UNCHANGED } else { "" };
        for what in [resembles, remarks] {
            if !what.is_empty() {
                report += &format!("\n{what}\n");
            }
        }
        let student = folder_of(cell(&work.row, "student"));
        let folder = self.options.to.join(student);
        let file = folder.join(format!("{}.txt", work.assignment.name));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&file, report))
            .at(file)
    }

    /// Shows the table and the summary, and writes what platforms import. True
    /// if all points are known.
    pub(crate) fn end(
        &self,
        assignments: &[Assignment],
        roster: Option<&Roster>,
    ) -> Result<bool, String> {
        let rows = self.book.recorded();
        print(&summary::table(&rows))?;
        for assignment in assignments {
            print(&summary::standings(&self.book, assignment))?;
        }
        let to = self.options.to.display();
        for file in imports::write(&self.book, assignments, roster)? {
            print(&format!("{to}/{file} can be imported\n"))?;
        }
        let unknown = rows.iter().filter(|it| cell(it, "points") == UNKNOWN);
        let unknown = unknown.count();
        if unknown > 0 {
            let all = rows.len();
            print(&format!(
                "{unknown} of {all} have no grade ({UNKNOWN}), for the reasons \
                above\n"
            ))?;
        }
        Ok(unknown == 0)
    }
}

/// The points of a work in a line.
fn line(row: &Row, points: &str) -> String {
    let [student, name, most] =
        ["student", "assignment", "points_max"].map(|it| cell(row, it));
    format!("{student}, {name}: {points} of {most}")
}

/// The points of each stage and of all, and where a work stops.
fn of_results(results: &[StageResult]) -> Row {
    let points = stages::points(results);
    let first = results.iter().find(|it| !it.passed());
    let first = first.filter(|_| points.is_some());
    let stopped_at = first.map_or(String::new(), |it| it.name.clone());
    let points = points.map_or(UNKNOWN.into(), |it| it.to_string());
    let stages = results.iter().map(|it| {
        let points = match &it.outcome {
            StageOutcome::Passed => it.points.to_string(),
            StageOutcome::Unknown(_) => UNKNOWN.into(),
            _ => "0".into(),
        };
        (it.name.clone(), points)
    });
    let all = [("points", points), ("stopped_at", stopped_at)];
    all.map(|(column, text)| (column.into(), text))
        .into_iter()
        .chain(stages)
        .collect()
}

/// A name as that of a folder.
fn folder_of(student: &str) -> String {
    let unsafe_char = |c: char| c == '/' || c == '\\' || c.is_control();
    let name = student.replace(unsafe_char, "_");
    match name.is_empty() || name.starts_with('.') {
        true => format!("_{name}"),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::folder_of;

    #[test]
    fn the_folder_of_a_report_is_in_the_folder_of_the_reports() {
        for (name, folder) in
            [("../x", "_.._x"), (".", "_."), ("a/b", "a_b"), ("-x", "-x")]
        {
            assert_eq!(folder_of(name), folder);
        }
    }
}
