//! The gradebook: `grades.csv`, which a later run adds to.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::table::{self, Row, cell};
use crate::assignment::Assignment;
use crate::at::At;

const FILE: &str = "grades.csv";

/// What stands for the points that no one knows.
pub(crate) const UNKNOWN: &str = "?";

/// The columns before those of the stages, and behind them.
const FIRST: [&str; 5] =
    ["student", "assignment", "points", "points_max", "stopped_at"];
const LAST: [&str; 12] = [
    "reason",
    "seed",
    "dialect",
    "time",
    "time_of",
    "minutes_late",
    "platform",
    "id",
    "email",
    "resembles",
    "remarks",
    "graded",
];

/// What a later delivery may not say of a student, and the reason for points
/// that stay.
const KEPT: [&str; 4] = ["reason", "platform", "id", "email"];

/// All grades so far. Each one is on the disk before the next is known.
pub(crate) struct Gradebook {
    pub(crate) folder: PathBuf,
    /// Keeps a second grading out of the folder.
    _lock: Option<File>,
    columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
    /// The rows that were recorded since it was opened.
    recorded: BTreeSet<[String; 2]>,
}

/// What no two rows have in common.
fn key(row: &Row) -> [String; 2] {
    ["student", "assignment"].map(|it| cell(row, it).to_string())
}

/// Whether it is known how many points a row has.
pub(crate) fn has_points(row: &Row) -> bool {
    cell(row, "points").parse::<usize>().is_ok()
}

#[cfg(target_os = "linux")]
fn lock(folder: &Path) -> Result<Option<File>, String> {
    use rustix::fs::{FlockOperation, flock};
    let file = File::open(folder).at(folder)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err("another grading writes there: choose another --to").at(folder)
        }
        // Some file systems of a network have no locks.
        Err(_) => Ok(None),
    }
}

#[cfg(not(target_os = "linux"))]
fn lock(_: &Path) -> Result<Option<File>, String> {
    Ok(None)
}

impl Gradebook {
    /// Opens the gradebook in this folder, and writes it once, so that an error
    /// comes before the first grade.
    pub(crate) fn open(
        folder: &Path,
        assignments: &[Assignment],
    ) -> Result<Self, String> {
        fs::create_dir_all(folder).at(folder)?;
        let _lock = lock(folder)?;
        let file = folder.join(FILE);
        let (found, rows) = match file.exists() {
            true => table::read(&file)?,
            false => (FIRST.map(str::to_owned).to_vec(), Vec::new()),
        };
        let has = |column: &&&str| found.iter().any(|it| it == **column);
        if let Some(column) = FIRST[..3].iter().find(|it| !has(it)) {
            let what = format!(
                "no column is called {column}, so this is no gradebook: \
                choose another --to"
            );
            return Err(what).at(file);
        }
        let stages = assignments.iter().flat_map(|it| &it.stages);
        let stages = stages.map(|it| it.name.clone());
        let ours = FIRST.map(str::to_owned).into_iter();
        let ours = ours.chain(stages).chain(LAST.map(str::to_owned));
        let mut columns: Vec<String> = Vec::new();
        // A column that the teacher has added stays, behind ours.
        for column in ours.chain(found) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let (folder, recorded) = (folder.to_path_buf(), BTreeSet::new());
        let book = Self { folder, _lock, columns, rows, recorded };
        book.save().map(|()| book)
    }

    fn save(&self) -> Result<(), String> {
        let is_used = |it: &&String| {
            FIRST.contains(&&***it)
                || LAST.contains(&&***it)
                || self.rows.iter().any(|row| row.contains_key(*it))
        };
        let columns: Vec<_> =
            self.columns.iter().filter(is_used).cloned().collect();
        table::write(&self.folder.join(FILE), &columns, &self.rows)
    }

    fn position(&self, like: &Row) -> Option<usize> {
        let with_same = |columns: &[&str]| {
            let same = |row: &Row, it: &str| cell(row, it) == cell(like, it);
            self.rows
                .iter()
                .position(|row| columns.iter().all(|it| same(row, it)))
        };
        // A student whose name is written in another way is the same.
        let by_id = match cell(like, "id") {
            "" => None,
            _ => with_same(&["assignment", "platform", "id"]),
        };
        by_id.or_else(|| with_same(&["student", "assignment"]))
    }

    /// The grade that is already there for this student and assignment.
    pub(crate) fn get(&self, like: &Row) -> Option<&Row> {
        self.position(like).map(|at| &self.rows[at])
    }

    /// Adds a grade, or what else is known of a grade that is there, and writes
    /// the file. A `?` does not replace points for the same files.
    pub(crate) fn record(&mut self, new: Row) -> Result<(), String> {
        let at = self.position(&new);
        let mut row = at.map(|at| self.rows.remove(at)).unwrap_or_default();
        let graded = cell(&new, "graded");
        let is_same = graded.is_empty() || graded == cell(&row, "graded");
        let is_worse = cell(&new, "points") == UNKNOWN && has_points(&row);
        if !(is_same && is_worse) {
            row.retain(|it, _| !LAST.contains(&&**it) || KEPT.contains(&&**it));
            row.extend(new);
        }
        let own = key(&row);
        let behind = || self.rows.iter().position(|it| key(it) > own);
        let at = at.or_else(behind).unwrap_or(self.rows.len());
        self.rows.insert(at, row);
        self.recorded.insert(own);
        self.save()
    }

    /// The rows of this run, whether they are new or were there.
    pub(crate) fn recorded(&self) -> Vec<&Row> {
        let is_recorded = |it: &&Row| self.recorded.contains(&key(it));
        self.rows.iter().filter(is_recorded).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Gradebook;
    use crate::assignment::Assignment;
    use crate::project::Project;
    use crate::teacher::imports;
    use crate::teacher::roster::Roster;
    use crate::teacher::summary::standings;
    use crate::teacher::table::{Row, cell};
    use crate::teacher::workshop::Temporary;

    fn framing() -> Vec<Assignment> {
        let folder = zen_harness::folder!();
        vec![Project::around(&folder).unwrap().assignment("framing").unwrap()]
    }

    fn row(cells: &[(&str, &str)]) -> Row {
        let cells = [("assignment", "framing")].iter().chain(cells);
        cells.map(|(a, b)| ((*a).to_string(), (*b).to_string())).collect()
    }

    fn graded(student: &str, points: &str, files: &str) -> Row {
        let cells =
            [("student", student), ("points", points), ("graded", files)];
        row(&cells)
    }

    struct Book(Temporary);

    impl Book {
        fn new() -> Self {
            Self(Temporary::new().unwrap())
        }

        fn open(&self) -> Result<Gradebook, String> {
            Gradebook::open(&self.0.0, &framing())
        }

        fn text(&self, file: &str) -> String {
            fs::read_to_string(self.0.0.join(file)).unwrap()
        }

        fn write(&self, file: &str, text: &str) {
            fs::write(self.0.0.join(file), text).unwrap();
        }

        /// The rows on the disk: student and points.
        fn rows(&self) -> Vec<(String, String)> {
            let of = |row: &Row, column| cell(row, column).to_string();
            let rows = self.open().unwrap().rows;
            let rows = rows.iter();
            rows.map(|it| (of(it, "student"), of(it, "points"))).collect()
        }
    }

    fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
        let pair = |(a, b): &(&str, &str)| ((*a).into(), (*b).into());
        rows.iter().map(pair).collect()
    }

    #[test]
    fn a_grade_is_on_the_disk_at_once_and_a_later_run_adds_to_it() {
        let book = Book::new();
        let mut first = book.open().unwrap();
        first.record(graded("bob", "4", "1")).unwrap();
        let text = book.text("grades.csv");
        assert!(text.starts_with("\u{feff}student,assignment,points,"));
        assert!(text.ends_with("\r\n"), "{text:?}");
        // As if it were killed here.
        drop(first);
        let mut second = book.open().unwrap();
        second.record(graded("ada", "10", "2")).unwrap();
        second.record(graded("bob", "8", "3")).unwrap();
        drop(second);
        assert_eq!(book.rows(), pairs(&[("ada", "10"), ("bob", "8")]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn two_gradings_do_not_write_to_the_same_folder() {
        let book = Book::new();
        let _first = book.open().unwrap();
        let why = book.open().err().unwrap();
        assert!(why.contains("another grading writes there"), "{why}");
    }

    #[test]
    fn a_teachers_column_and_separators_are_kept() {
        let book = Book::new();
        let text = "\u{feff}student;assignment;points;comment\r\n\
            ada;framing;4;\"good; short\"\r\n";
        book.write("grades.csv", text);
        let mut open = book.open().unwrap();
        open.record(graded("ada", "10", "1")).unwrap();
        drop(open);
        let kept = book.open().unwrap().rows.remove(0);
        assert_eq!(cell(&kept, "points"), "10");
        assert_eq!(cell(&kept, "comment"), "good; short");
        // What is no gradebook is not overwritten.
        book.write("grades.csv", "a,b\n1,2\n");
        let why = book.open().err().unwrap();
        assert!(why.contains("no column is called student"), "{why}");
        assert_eq!(book.text("grades.csv"), "a,b\n1,2\n");
    }

    #[test]
    fn points_are_not_lost_to_a_question_mark() {
        let book = Book::new();
        let mut open = book.open().unwrap();
        open.record(graded("ada", "10", "1")).unwrap();
        for files in ["1", ""] {
            open.record(graded("ada", "?", files)).unwrap();
            assert_eq!(cell(&open.rows[0], "points"), "10", "{files}");
        }
        // Other files have no grade yet.
        open.record(graded("ada", "?", "2")).unwrap();
        assert_eq!(cell(&open.rows[0], "points"), "?");
    }

    #[test]
    fn the_platforms_number_is_the_same_student_under_another_name() {
        let book = Book::new();
        let mut open = book.open().unwrap();
        let one = |name: &str, id: &str| {
            row(&[("student", name), ("platform", "canvas"), ("id", id)])
        };
        open.record(one("exampleada", "1")).unwrap();
        open.record(one("Ada Example", "1")).unwrap();
        open.record(one("Bob Example", "2")).unwrap();
        let names = open.rows.iter().map(|it| cell(it, "student"));
        let names: Vec<_> = names.collect();
        assert_eq!(names, ["Ada Example", "Bob Example"]);
    }

    #[test]
    fn a_later_delivery_without_the_platforms_number_does_not_delete_it() {
        let book = Book::new();
        let mut open = book.open().unwrap();
        let known =
            [("platform", "moodle"), ("id", "11"), ("email", "a@x.org")];
        let mut first = graded("ada", "4", "1");
        first.extend(row(&known));
        open.record(first).unwrap();
        // A folder with the student's name, nothing at all, and the same files.
        for (points, files) in [("8", "2"), ("?", ""), ("?", "2"), ("?", "3")] {
            open.record(graded("ada", points, files)).unwrap();
            for (column, text) in known {
                assert_eq!(cell(&open.rows[0], column), text, "{points}");
            }
        }
        // What else becomes known of it does not change the points.
        open.record(row(&[("student", "ada"), ("time", "now")])).unwrap();
        open.record(row(&[("student", "ada")])).unwrap();
        let of = |column| cell(&open.rows[0], column);
        assert_eq!([of("id"), of("points"), of("time")], ["11", "?", ""]);
        assert_eq!(open.rows.len(), 1);
    }

    #[test]
    fn no_cell_is_a_formula_and_each_name_comes_back() {
        let book = Book::new();
        let names = [
            "'=1",
            "+1",
            "-x",
            "=1+1",
            "@a",
            "Müller, José",
            "a,b",
            "say \"\"",
        ];
        let mut open = book.open().unwrap();
        for name in names {
            open.record(graded(name, "1", "1")).unwrap();
        }
        drop(open);
        let text = book.text("grades.csv");
        for line in text.lines() {
            let begin = line.trim_start_matches('"');
            assert!(!begin.starts_with(['=', '+', '-', '@']), "{line}");
        }
        let mut names = names.map(|it| (it, "1"));
        names.sort_unstable();
        assert_eq!(book.rows(), pairs(&names));
    }

    #[test]
    fn the_summary_says_where_they_stop() {
        let book = Book::new();
        let mut open = book.open().unwrap();
        for (name, points, stage) in [
            ("a", "4", "cut"),
            ("b", "4", "cut"),
            ("c", "10", ""),
            ("d", "?", ""),
            ("e", "0", ""),
        ] {
            let cells =
                [("student", name), ("points", points), ("stopped_at", stage)];
            open.record(row(&cells)).unwrap();
        }
        let said = standings(&open, &framing()[0]);
        assert_eq!(
            said,
            "framing: 1 of 5 pass all stages, 2 of 5 stop at cut, 1 of 5 have \
            points of yours, 1 of 5 are not graded (?)\n"
        );
    }

    #[test]
    fn moodle_and_canvas_get_the_students_that_they_know() {
        let book = Book::new();
        let mut open = book.open().unwrap();
        for (name, platform, id, points) in [
            ("ada", "moodle", "11", "10"),
            ("bob", "canvas", "12", "4"),
            ("cleo", "canvas", "Ab3dE", "4"),
            ("dora", "moodle", "14", "?"),
            ("emil", "", "", "8"),
        ] {
            open.record(row(&[
                ("student", name),
                ("platform", platform),
                ("id", id),
                ("points", points),
            ]))
            .unwrap();
        }
        let written = imports::write(&open, &framing(), None).unwrap();
        assert_eq!(written, ["moodle-framing.csv", "canvas-framing.csv"]);
        let moodle = "\u{feff}Identifier,Full name,Email address,Grade,\
            Last modified (grade)\r\nParticipant 11,ada,,10,\r\n";
        assert_eq!(book.text("moodle-framing.csv"), moodle);
        let canvas = "\u{feff}Student,ID,SIS User ID,SIS Login ID,Section,\
            framing\r\n    Points Possible,,,,,10\r\nbob,12,,,,4\r\n";
        assert_eq!(book.text("canvas-framing.csv"), canvas);
    }

    #[test]
    fn an_export_of_the_platforms_own_is_a_roster_and_is_filled_in() {
        let book = Book::new();
        book.write(
            "canvas.csv",
            "Student,ID,SIS User ID,SIS Login ID,Section,Framing (77)\n\
            \"    Points Possible\",,,,,10\n\
            \"Example, Ada\",12,S1,ada,A,\n",
        );
        let roster = Roster::load(&book.0.0.join("canvas.csv")).unwrap();
        let mut open = book.open().unwrap();
        open.record(row(&[("student", "ada"), ("points", "8")])).unwrap();
        imports::write(&open, &framing(), Some(&roster)).unwrap();
        let text = book.text("canvas-framing.csv");
        assert!(text.contains(",Section,Framing (77)\r\n"), "{text}");
        assert!(text.contains("\"Example, Ada\",12,S1,ada,A,8\r\n"), "{text}");
        book.write(
            "moodle.csv",
            "Identifier,Full name,Email address,Grade,Last modified (grade)\n\
            Participant 5,Ada Example,ada@example.org,,-\n",
        );
        let roster = Roster::load(&book.0.0.join("moodle.csv")).unwrap();
        open.record(row(&[("student", "Ada Example"), ("points", "4")]))
            .unwrap();
        imports::write(&open, &framing(), Some(&roster)).unwrap();
        let text = book.text("moodle-framing.csv");
        let line = "Participant 5,Ada Example,ada@example.org,4,-\r\n";
        assert!(text.contains(line), "{text}");
    }
}
