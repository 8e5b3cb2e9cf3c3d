//! Grades a class: the files that each student may change are copied into a
//! project of the teacher's, built there, and examined within limits.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use clap::Args;

use super::cage;
use super::class::{Class, How, Work};
use crate::assignment::Assignment;
use crate::project::Project;
use crate::stages::{self, StageOutcome, StageResult};
use crate::student::{find_submission, print, told};

/// The options for grading a class.
#[derive(Args, Clone, Debug)]
pub struct GradeOptions {
    /// Folders of students, such as `class/*`
    #[arg(required = true, value_name = "DIR")]
    submissions: Vec<PathBuf>,

    /// Grade this assignment [default: all that anyone has handed in]
    #[arg(long = "assignment", value_name = "NAME")]
    assignments: Vec<String>,

    /// Folder for grades.csv, and for a report on each student
    #[arg(long, value_name = "DIR", default_value = "grades")]
    to: PathBuf,

    /// Examine N programs at a time [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// Seed for all cuts and orders
    #[arg(long, default_value_t = 1060)]
    seed: u64,

    /// Seed of the dialect in which it was handed out
    #[arg(long, value_name = "SEED")]
    dialect: Option<u64>,

    /// Let submissions read this folder, and run the programs in it or in its
    /// bin: a language that is not below /usr
    #[arg(long, value_name = "DIR")]
    tools: Vec<PathBuf>,

    /// Limit only the time: without bubblewrap, nothing protects your files
    /// and the grades
    #[arg(long)]
    unlimited: bool,
}

/// The grade for one student's work.
struct Grade<'a> {
    student: String,
    assignment: &'a Assignment,
    results: Vec<StageResult>,
}

/// Shows the teacher each grade as soon as it is known.
fn tell(work: &Work<'_>, results: &[StageResult]) {
    let Work { student, assignment, .. } = work;
    let points = stages::points(results);
    let points = points.map_or("?".into(), |it| it.to_string());
    let (name, of) = (&assignment.name, assignment.points_max());
    print(&format!("{student}, {name}: {points} of {of}\n")).ok();
}

/// Grades everything that was handed in, and writes the grades and reports;
/// true if every grade is known.
pub fn grade(
    project: &Project,
    options: &GradeOptions,
) -> Result<bool, String> {
    cage::keep_descriptors();
    open(&options.to)?;
    let assignments = assignments(project, options)?;
    let works = works(&assignments, options)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let how = How {
        jobs: options.jobs.unwrap_or(cores).max(1),
        seed: options.seed,
        unlimited: options.unlimited,
        tools: &options.tools,
    };
    let class = Class::new(project, &assignments, how)?;
    print(&format!("{}\n", class.isolation()))?;
    let grades = class.examine(works, tell).into_iter();
    let grades = grades.map(|(work, results)| {
        let Work { student, assignment, .. } = work;
        Grade { student, assignment, results }
    });
    let mut grades: Vec<_> = grades.collect();
    grades.sort_by(|a, b| {
        let key = |it: &Grade<'_>| (it.student.clone(), it.assignment.number);
        key(a).cmp(&key(b))
    });
    write_all(&grades, options)?;
    print(&table(&grades))?;
    let unknown = |it: &&Grade<'_>| stages::points(&it.results).is_none();
    let unknown = grades.iter().filter(unknown).count();
    if unknown > 0 {
        print(&format!("{unknown} of them could not be graded: try again\n"))?;
    }
    Ok(unknown == 0)
}

/// Fails now, and not after the last grade, if nothing can be written there.
fn open(folder: &Path) -> Result<(), String> {
    let trial = folder.join(".trial");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&trial, ""))
        .and_then(|()| fs::remove_file(&trial))
        .map_err(|err| format!("{}: {err}", folder.display()))
}

fn assignments(
    project: &Project,
    options: &GradeOptions,
) -> Result<Vec<Assignment>, String> {
    if !options.assignments.is_empty() {
        let names = options.assignments.iter();
        let named = names
            .map(|name| project.assignment(name)?.in_dialect(options.dialect));
        return named.collect();
    }
    let mut assignments = project.assignments()?;
    // By the folder's name only: a bare src/ could belong to any assignment.
    assignments.retain(|it| {
        options.submissions.iter().any(|folder| {
            find_submission(it, folder)
                .is_some_and(|found| found.ends_with(&it.name))
        })
    });
    match assignments.is_empty() {
        true => Err("no one has handed in anything: --assignment NAME".into()),
        false => {
            let assignments = assignments.into_iter();
            assignments.map(|it| it.in_dialect(options.dialect)).collect()
        }
    }
}

fn works<'a>(
    assignments: &'a [Assignment],
    options: &GradeOptions,
) -> Result<Vec<Work<'a>>, String> {
    let mut students = BTreeMap::new();
    for folder in &options.submissions {
        let whole = folder.canonicalize();
        let whole = whole.map_err(|e| format!("{}: {e}", folder.display()))?;
        let name = whole.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        if students.insert(name.clone(), whole).is_some() {
            return Err(format!("two students are called {name}"));
        }
    }
    let mut works = Vec::new();
    for (student, folder) in students {
        for assignment in assignments {
            let from = find_submission(assignment, &folder);
            let student = student.clone();
            works.push(Work { student, assignment, from });
        }
    }
    Ok(works)
}

fn write_all(
    grades: &[Grade<'_>],
    options: &GradeOptions,
) -> Result<(), String> {
    let write = |path: PathBuf, text: String| {
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|err| format!("{}: {err}", path.display()))
    };
    write(options.to.join("grades.csv"), csv(grades))?;
    for Grade { student, assignment, results } in grades {
        let name = format!("{}.txt", assignment.name);
        let text = told(assignment, results, options.seed);
        write(options.to.join(student).join(name), text)?;
    }
    Ok(())
}

/// The table for a gradebook. An unknown grade has no points.
fn csv(grades: &[Grade<'_>]) -> String {
    let head = "student,assignment,points,points_max,stopped_at\r\n";
    let mut text = String::from(head);
    for Grade { student, assignment, results } in grades {
        let points = stages::points(results);
        let points = points.map_or(String::new(), |it| it.to_string());
        let stopped = results.iter().find(|it| !it.passed());
        let cells = [
            student.clone(),
            assignment.name.clone(),
            points,
            assignment.points_max().to_string(),
            stopped.map_or(String::new(), |it| it.name.clone()),
        ];
        text += &cells.map(|it| cell(&it)).join(",");
        text += "\r\n";
    }
    text
}

/// Quotes as RFC 4180 requires, and lets no spreadsheet see a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@']);
    let text = if formula { format!("'{text}") } else { text.into() };
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// The table for the teacher to read.
fn table(grades: &[Grade<'_>]) -> String {
    let wide = grades.iter().map(|it| it.student.chars().count()).max();
    let wide = wide.unwrap_or(0);
    let mut text = String::from("\n");
    for Grade { student, assignment, results } in grades {
        let points = stages::points(results);
        let points = points.map_or("?".into(), |it| it.to_string());
        let why = results.iter().find_map(|it| match &it.outcome {
            StageOutcome::Failed(why, _) | StageOutcome::Unknown(why) => {
                Some(format!("{}: {why}", it.name))
            }
            _ => None,
        });
        text += &format!(
            "{student:wide$}  {:10}  {points:>3} of {:<3}  {}\n",
            assignment.name,
            assignment.points_max(),
            why.unwrap_or_default()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        assert_eq!(cell("Anna"), "Anna");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
    }
}
