//! The gradebook: `grades.csv`, which a later run adds to, and the files that
//! platforms import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use csv::{Terminator, Writer, WriterBuilder};

use super::roster::{self, Roster};
use crate::assignment::Assignment;

const FILE: &str = "grades.csv";

/// Excel takes a file for UTF-8 only if it begins with this mark.
const MARK: &str = "\u{feff}";

/// What stands for the points that no one knows.
pub(crate) const UNKNOWN: &str = "?";

/// The columns before those of the stages, and behind them.
const FIRST: [&str; 5] =
    ["student", "assignment", "points", "points_max", "stopped_at"];
const LAST: [&str; 11] = [
    "reason",
    "seed",
    "dialect",
    "time",
    "time_of",
    "minutes_late",
    "platform",
    "id",
    "email",
    "remarks",
    "graded",
];

/// The grade for one student's work on an assignment, by column.
pub(crate) type Row = BTreeMap<String, String>;

/// What is in a cell; empty if it has none.
pub(crate) fn cell<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).map_or("", String::as_str)
}

/// All grades so far. Each one is on the disk before the next is known.
pub(crate) struct Gradebook {
    folder: PathBuf,
    /// Keeps a second grading out of the folder.
    _lock: Option<File>,
    columns: Vec<String>,
    rows: Vec<Row>,
}

#[cfg(target_os = "linux")]
fn lock(folder: &Path) -> Result<Option<File>, String> {
    use rustix::fs::{FlockOperation, flock};
    let in_folder = |what: String| format!("{}: {what}", folder.display());
    let file = File::open(folder).map_err(|err| in_folder(err.to_string()))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(in_folder(
            "another grading writes there: choose another --to".into(),
        )),
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
        fs::create_dir_all(folder)
            .map_err(|err| format!("{}: {err}", folder.display()))?;
        let _lock = lock(folder)?;
        let file = folder.join(FILE);
        let (found, rows) = match file.exists() {
            true => roster::table(&file)?,
            false => (FIRST.map(str::to_owned).to_vec(), Vec::new()),
        };
        for column in &FIRST[..3] {
            if !found.iter().any(|it| it == column) {
                return Err(format!(
                    "{}: no column is called {column}, so this is no \
                    gradebook: choose another --to",
                    file.display()
                ));
            }
        }
        let rows = rows.iter().map(|row| {
            let cells = row.iter().map(as_meant);
            found.iter().cloned().zip(cells).collect()
        });
        let rows = rows.collect();
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
        let folder = folder.to_path_buf();
        let book = Self { folder, _lock, columns, rows };
        book.save().map(|()| book)
    }

    fn save(&self) -> Result<(), String> {
        let used = |it: &&String| {
            let column = it.as_str();
            FIRST.contains(&column)
                || LAST.contains(&column)
                || self.rows.iter().any(|row| row.contains_key(column))
        };
        let columns: Vec<_> = self.columns.iter().filter(used).collect();
        write(&self.folder.join(FILE), &columns, &self.rows)
    }

    fn position(&self, like: &Row) -> Option<usize> {
        let same = |row: &Row, columns: &[&str]| {
            columns.iter().all(|it| cell(row, it) == cell(like, it))
        };
        // A student whose name is written in another way is the same.
        let by_id = self.rows.iter().position(|row| {
            !cell(like, "id").is_empty()
                && same(row, &["assignment", "platform", "id"])
        });
        by_id.or_else(|| {
            let name = ["student", "assignment"];
            self.rows.iter().position(|row| same(row, &name))
        })
    }

    /// The grade that is already there for this student and assignment.
    pub(crate) fn get(&self, like: &Row) -> Option<&Row> {
        self.position(like).map(|at| &self.rows[at])
    }

    /// Adds a grade, or replaces it, and writes the file. A `?` does not replace
    /// points for the same files.
    pub(crate) fn record(&mut self, mut row: Row) -> Result<(), String> {
        let at = self.position(&row);
        if let Some(old) = at.map(|at| &self.rows[at]) {
            let graded = cell(&row, "graded");
            let is_same = graded.is_empty() || graded == cell(old, "graded");
            let is_known = cell(old, "points").parse::<usize>().is_ok();
            if cell(&row, "points") == UNKNOWN && is_known && is_same {
                return Ok(());
            }
            for (column, text) in old {
                let is_ours =
                    FIRST.contains(&&**column) || LAST.contains(&&**column);
                if !is_ours && !row.contains_key(column) {
                    row.insert(column.clone(), text.clone());
                }
            }
        }
        match at {
            Some(at) => self.rows[at] = row,
            None => {
                let key = |it: &Row| {
                    ["student", "assignment"].map(|of| cell(it, of).to_string())
                };
                let new = key(&row);
                let behind = self.rows.iter().position(|it| key(it) > new);
                let at = behind.unwrap_or(self.rows.len());
                self.rows.insert(at, row);
            }
        }
        self.save()
    }

    /// Writes what Moodle and Canvas import, for the students whose name or
    /// number there is known. Returns the names of the files.
    pub(crate) fn export(
        &self,
        assignments: &[Assignment],
        roster: Option<&Roster>,
    ) -> Result<Vec<String>, String> {
        let mut written = Vec::new();
        for assignment in assignments {
            let rows = self.rows.iter().filter(|row| {
                cell(row, "assignment") == assignment.name
                    && cell(row, "points").parse::<usize>().is_ok()
            });
            let rows: Vec<_> = rows.collect();
            let mut one =
                |platform: &str, columns: &[String], all: Vec<Row>| {
                    if all.iter().all(|row| cell(row, &columns[0]).is_empty()) {
                        return Ok(());
                    }
                    let name = format!("{platform}-{}.csv", assignment.name);
                    written.push(name.clone());
                    let columns: Vec<_> = columns.iter().collect();
                    write(&self.folder.join(name), &columns, &all)
                };
            let (columns, all) = moodle(&rows, roster);
            one("moodle", &columns, all)?;
            let (columns, all) = canvas(assignment, &rows, roster);
            one("canvas", &columns, all)?;
        }
        Ok(written)
    }

    /// In how many works each stage is the first that fails.
    pub(crate) fn summary(&self, assignment: &Assignment) -> String {
        let rows = self.rows.iter();
        let rows = rows.filter(|it| cell(it, "assignment") == assignment.name);
        let mut stopped: BTreeMap<&str, usize> = BTreeMap::new();
        let most = assignment.points_max().to_string();
        let (mut all, mut done, mut unknown, mut edited) = (0, 0, 0, 0);
        for row in rows {
            all += 1;
            match (cell(row, "points"), cell(row, "stopped_at")) {
                (UNKNOWN, _) => unknown += 1,
                (points, "") if points == most => done += 1,
                (_, "") => edited += 1,
                (_, stage) => *stopped.entry(stage).or_default() += 1,
            }
        }
        let name = &assignment.name;
        let mut text = format!("{name}: {done} of {all} pass all stages");
        for stage in &assignment.stages {
            if let Some(number) = stopped.get(&*stage.name) {
                text += &format!(", {number} of {all} stop at {}", stage.name);
            }
        }
        if edited > 0 {
            text += &format!(", {edited} of {all} have points of yours");
        }
        if unknown > 0 {
            text += &format!(", {unknown} of {all} are not graded ({UNKNOWN})");
        }
        text + "\n"
    }
}

/// A spreadsheet takes a text that begins like this for a formula.
fn is_formula(text: &str) -> bool {
    // A dash alone is Moodle's empty cell.
    text != "-"
        && text.trim_start_matches('\'').starts_with([
            '=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠',
        ])
}

/// A text as a spreadsheet shows it, and never runs it.
fn as_text(text: &str) -> String {
    match is_formula(text) {
        true => format!("'{text}"),
        false => text.into(),
    }
}

/// What was meant by such a cell.
fn as_meant(cell: &str) -> String {
    let text = cell.strip_prefix('\'').filter(|it| is_formula(it));
    text.unwrap_or(cell).into()
}

/// Writes a table in place of the one that is there. If this process is killed,
/// one of the two is there, and whole.
fn write(file: &Path, columns: &[&String], rows: &[Row]) -> Result<(), String> {
    let new = file.with_extension("csv.new");
    let write = || -> io::Result<()> {
        let mut to = File::create(&new)?;
        to.write_all(MARK.as_bytes())?;
        let mut table: Writer<_> =
            WriterBuilder::new().terminator(Terminator::CRLF).from_writer(to);
        table.write_record(columns.iter().map(|it| as_text(it)))?;
        for row in rows {
            let cells = columns.iter().map(|it| as_text(cell(row, it)));
            table.write_record(cells)?;
        }
        table.into_inner().map_err(|err| err.into_error())?.sync_all()?;
        fs::rename(&new, file)
    };
    write().map_err(|err| format!("{}: {err}", file.display()))
}

/// What a teacher has filled in for students in the roster.
fn listed<'a>(
    rows: &[&'a Row],
    roster: Option<&'a Roster>,
) -> Vec<(&'a Row, Option<(&'a Roster, usize)>)> {
    let listed = rows.iter().map(|row| {
        let words = ["id", "email", "student"].map(|it| cell(row, it).into());
        let [id, email, name] = &words;
        let found =
            roster.and_then(|it| Some((it, it.find([id, email, name])?)));
        (*row, found)
    });
    listed.collect()
}

/// A worksheet that Moodle's "Upload grading worksheet" takes. It finds a
/// student by the identifier alone, and needs all three other columns.
fn moodle(rows: &[&Row], roster: Option<&Roster>) -> (Vec<String>, Vec<Row>) {
    const COLUMNS: [&str; 5] = [
        "Identifier",
        "Full name",
        "Email address",
        "Grade",
        "Last modified (grade)",
    ];
    let mut all = Vec::new();
    for (row, listed) in listed(rows, roster) {
        let mut one = Row::new();
        let mut set = |column: &str, text: &str| {
            one.insert(column.into(), text.into());
        };
        let known = |column| listed.map_or("", |(it, at)| it.cell(at, column));
        let id = match (known(COLUMNS[0]), cell(row, "platform")) {
            ("", "moodle") => format!("Participant {}", cell(row, "id")),
            (known, _) => known.to_string(),
        };
        if id.is_empty() {
            continue;
        }
        set(COLUMNS[0], &id);
        set(COLUMNS[1], cell(row, "student"));
        set(COLUMNS[2], cell(row, "email"));
        set(COLUMNS[3], cell(row, "points"));
        for column in [COLUMNS[1], COLUMNS[2], COLUMNS[4]] {
            if !known(column).is_empty() {
                set(column, known(column));
            }
        }
        all.push(one);
    }
    (COLUMNS.map(str::to_owned).to_vec(), all)
}

/// A table that Canvas's "Import grades" takes: these five columns, and one
/// that is called like the assignment there.
fn canvas(
    assignment: &Assignment,
    rows: &[&Row],
    roster: Option<&Roster>,
) -> (Vec<String>, Vec<Row>) {
    const IDS: [&str; 3] = ["ID", "SIS User ID", "SIS Login ID"];
    let name = &assignment.name;
    // Canvas's own export calls it "Framing (1234)".
    let theirs = roster.into_iter().flat_map(Roster::columns).find(|it| {
        let title = it.rsplit_once(" (").map_or(&***it, |(title, _)| title);
        title.eq_ignore_ascii_case(name)
    });
    let title = theirs.unwrap_or(name).clone();
    let is_canvas = roster.is_some_and(|it| {
        let columns: BTreeSet<_> =
            it.columns().iter().map(|it| &**it).collect();
        columns.contains("Section") && IDS.iter().any(|it| columns.contains(it))
    });
    let mut all = Vec::new();
    for (row, listed) in listed(rows, roster) {
        let listed = listed.filter(|_| is_canvas);
        let known = |column| listed.map_or("", |(it, at)| it.cell(at, column));
        let mut one: Row = IDS
            .into_iter()
            .chain(["Student", "Section"])
            .map(|it| (it.into(), known(it).to_string()))
            .collect();
        // An anonymous student has another kind of number.
        let id = cell(row, "id");
        let is_number = id.bytes().all(|it| it.is_ascii_digit());
        if cell(row, "platform") == "canvas"
            && known("ID").is_empty()
            && is_number
        {
            one.insert("ID".into(), id.into());
        }
        if IDS.iter().all(|it| cell(&one, it).is_empty()) {
            continue;
        }
        if known("Student").is_empty() {
            one.insert("Student".into(), cell(row, "student").into());
        }
        one.insert(title.clone(), cell(row, "points").into());
        all.push(one);
    }
    if !all.is_empty() {
        let points = assignment.points_max().to_string();
        let most = [("Student", "    Points Possible"), (&*title, &*points)];
        let most = most.map(|(column, text)| (column.into(), text.into()));
        all.insert(0, Row::from(most));
    }
    let columns = ["Student", IDS[0], IDS[1], IDS[2], "Section", &*title];
    (columns.map(str::to_owned).to_vec(), all)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Gradebook, Row, cell};
    use crate::assignment::Assignment;
    use crate::project::Project;
    use crate::teacher::roster::Roster;
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
        let said = open.summary(&framing()[0]);
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
        let written = open.export(&framing(), None).unwrap();
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
        open.export(&framing(), Some(&roster)).unwrap();
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
        open.export(&framing(), Some(&roster)).unwrap();
        let text = book.text("moodle-framing.csv");
        let line = "Participant 5,Ada Example,ada@example.org,4,-\r\n";
        assert!(text.contains(line), "{text}");
    }
}
