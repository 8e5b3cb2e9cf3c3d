//! From what was delivered to the works to be graded, and from the result of
//! each to the gradebook.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use clap::Args;

use super::gradebook::{Gradebook, Row, UNKNOWN, cell};
use super::roster::Roster;
use super::source::{self, Files};
use super::submissions::{self, Found, Student, Submitted, Works};
use crate::assignment::Assignment;
use crate::project::Project;
use crate::stages::{self, StageOutcome, StageResult};
use crate::student::{print, told};

/// The options for grading a class.
#[derive(Args, Clone, Debug)]
pub struct GradeOptions {
    /// What a platform delivers, as a zip or unpacked, or the folders or zips
    /// of students, such as `class/*`
    #[arg(required = true, value_name = "PATH")]
    pub(crate) submissions: Vec<PathBuf>,

    /// Grade this assignment [default: all that anyone has handed in]
    #[arg(long = "assignment", value_name = "NAME")]
    pub(crate) assignments: Vec<String>,

    /// Folder for grades.csv, and for a report on each student; what is there
    /// already is kept
    #[arg(long, value_name = "DIR", default_value = "grades")]
    pub(crate) to: PathBuf,

    /// Class list as CSV: a column `name`, and others with what platforms call
    /// a student; a column `dialect`, if each has one of their own
    #[arg(long, value_name = "FILE")]
    pub(crate) roster: Option<PathBuf>,

    /// When it was due, such as "2026-10-31 23:59", to see what came late
    #[arg(long, value_name = "TIME", value_parser = due)]
    pub(crate) due: Option<DateTime<Utc>>,

    /// Grade again what has not changed since it was graded
    #[arg(long)]
    pub(crate) again: bool,

    /// Examine N programs at a time [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,

    /// Seed for all cuts and orders
    #[arg(long, default_value_t = 1060)]
    pub(crate) seed: u64,

    /// Seed of the dialect in which it was handed out
    #[arg(long, value_name = "SEED")]
    pub(crate) dialect: Option<u64>,

    /// Let submissions read this folder, and run the programs in it or in its
    /// bin: a language that is not below /usr
    #[arg(long, value_name = "DIR")]
    pub(crate) tools: Vec<PathBuf>,

    /// Limit only the time: without bubblewrap, nothing protects your files
    /// and the grades
    #[arg(long)]
    pub(crate) unlimited: bool,
}

/// One student's work on one assignment.
pub(crate) struct Work<'a> {
    pub(crate) assignment: &'a Assignment,
    pub(crate) starter: &'a Files,
    pub(crate) files: Files,
    /// What is known before it is examined.
    row: Row,
}

/// Reads a time, in that of this machine if it has no zone.
pub(crate) fn due(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let formats = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S"];
    let mut times =
        formats.iter().map(|it| NaiveDateTime::parse_from_str(text, it));
    let time = times.find_map(Result::ok).or_else(|| {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        day.and_hms_opt(23, 59, 59)
    });
    let time = time.and_then(|it| it.and_local_timezone(Local).earliest());
    time.map(|it| it.to_utc()).ok_or_else(|| {
        "expected a time such as \"2026-10-31 23:59\"".to_string()
    })
}

/// All that was handed in, by student.
type Class = Vec<(Student, Works)>;

/// An assignment in one dialect, and its starter.
type Variant = (Assignment, Files);

/// The gradebook, and what the works are compared with.
pub(crate) struct Intake<'a> {
    options: &'a GradeOptions,
    roster: Option<Roster>,
    /// Each assignment in each dialect in which someone has it.
    variants: Vec<Variant>,
    book: Mutex<Gradebook>,
    /// The rows of this run, whether they are new or were there.
    rows: Mutex<BTreeMap<[String; 2], Row>>,
    /// There is something that the teacher has to look at.
    is_unclear: AtomicBool,
}

impl<'a> Intake<'a> {
    /// Opens the gradebook, and finds out what was handed in. None if that is
    /// not recognized.
    pub(crate) fn new(
        project: &Project,
        options: &'a GradeOptions,
    ) -> Result<Option<(Self, Class)>, String> {
        let all = project.assignments()?;
        for name in &options.assignments {
            project.assignment(name)?;
        }
        let book = Mutex::new(Gradebook::open(&options.to, &all)?);
        let roster = options.roster.as_deref().map(Roster::load).transpose()?;
        let (paths, named) = (&options.submissions, &options.assignments);
        let submitted =
            submissions::collect(paths, &all, named, roster.as_ref())?;
        let Submitted { students, assignments, asked } = submitted;
        for what in &asked {
            print(&format!("{what}\n"))?;
        }
        if assignments.is_empty() {
            return tell_all(&students).map(|()| None);
        }
        let mut intake = Self {
            options,
            roster,
            variants: Vec::new(),
            book,
            rows: Mutex::default(),
            is_unclear: AtomicBool::new(!asked.is_empty()),
        };
        for assignment in all {
            if assignments.contains(&assignment.name) {
                intake.add(&assignment, &students)?;
            }
        }
        Ok(Some((intake, students)))
    }

    /// Adds an assignment in the dialects in which students have it.
    fn add(
        &mut self,
        assignment: &Assignment,
        students: &Class,
    ) -> Result<(), String> {
        let dialects =
            students.iter().map(|it| self.dialect(&it.0, assignment));
        let mut dialects = dialects.collect::<Result<BTreeSet<_>, _>>()?;
        dialects.insert(self.options.dialect);
        for dialect in dialects {
            let assignment = assignment.clone().in_dialect(dialect)?;
            let starter = source::starter(&assignment)?;
            self.variants.push((assignment, starter));
        }
        Ok(())
    }

    /// The dialect that a student was given: the roster's, or the one that was
    /// asked for.
    fn dialect(
        &self,
        student: &Student,
        assignment: &Assignment,
    ) -> Result<Option<u64>, String> {
        let own = match (&self.roster, student.row) {
            // The other assignments have no dialects.
            (Some(roster), Some(row)) if assignment.start.is_some() => {
                roster.dialect(row)?
            }
            _ => None,
        };
        Ok(own.or(self.options.dialect))
    }

    /// One of each assignment, for what is the same in all dialects.
    pub(crate) fn assignments(&self) -> Vec<Assignment> {
        let all = self.variants.iter().map(|(it, _)| it.clone());
        let mut all: Vec<_> = all.collect();
        all.dedup_by(|a, b| a.name == b.name);
        all
    }

    fn variant(&self, student: &Student, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|(it, _)| {
            let dialect = self.dialect(student, it);
            it.name == name && dialect.is_ok_and(|own| own == it.dialect)
        })
    }

    /// The works that are to be examined. What was not found, and what has its
    /// grade already, is recorded.
    pub(crate) fn works(&self, class: Class) -> Result<Vec<Work<'_>>, String> {
        let mut works = Vec::new();
        let (mut differ, mut handouts) = (Vec::new(), 0);
        let tool = own_hash();
        let rows = class.iter().filter_map(|(student, _)| student.row);
        let present: BTreeSet<_> = rows.collect();
        for (student, found) in class {
            for (name, found) in found {
                let Some((assignment, starter)) = self.variant(&student, &name)
                else {
                    continue;
                };
                let row = self.row(&student, assignment);
                let found = match found {
                    Ok(found) => found,
                    Err(why) => {
                        let why = StageOutcome::Unknown(why);
                        let none = stages::end_with(assignment, vec![], why);
                        self.enter(assignment, row, &none)?;
                        continue;
                    }
                };
                let other = other_dialect(assignment, &found);
                let is_handout =
                    assignment.start.is_some() && found.dialect.is_some();
                handouts += usize::from(is_handout);
                let remarks = other.iter().chain(&found.remarks);
                for what in remarks {
                    print(&format!("{}, {name}: {what}\n", student.name))?;
                }
                differ.extend(other.clone());
                let row = self.with_found(row, &found, other, starter, tool);
                works.push(Work {
                    assignment,
                    starter,
                    files: found.files,
                    row,
                });
            }
        }
        self.ask_about_dialects(&differ, handouts)?;
        self.list_the_missing(&present)?;
        let mut fresh = Vec::new();
        for work in works {
            if !self.is_graded(&work)? {
                fresh.push(work);
            }
        }
        Ok(fresh)
    }

    fn row(&self, student: &Student, assignment: &Assignment) -> Row {
        let mut row = Row::new();
        let mut set = |column: &str, text: String| {
            row.insert(column.into(), text);
        };
        set("student", student.name.clone());
        set("assignment", assignment.name.clone());
        set("points_max", assignment.points_max().to_string());
        set("seed", self.options.seed.to_string());
        let dialect = assignment.dialect.map(|it| it.to_string());
        set("dialect", dialect.unwrap_or_default());
        set("platform", student.platform.into());
        set("id", student.id.clone());
        let listed = self.roster.as_ref().zip(student.row);
        let listed = listed.map_or("", |(roster, row)| {
            let columns = ["email", "email address", "e-mail"];
            let cells = columns.map(|it| roster.cell(row, it));
            cells.into_iter().find(|it| !it.is_empty()).unwrap_or("")
        });
        set(
            "email",
            match student.email.is_empty() {
                true => listed.into(),
                false => student.email.clone(),
            },
        );
        if student.is_late {
            set("remarks", "late, as the platform says".into());
        }
        row
    }

    /// Adds what is known of the files.
    fn with_found(
        &self,
        mut row: Row,
        found: &Found,
        dialect: Option<String>,
        starter: &Files,
        tool: u64,
    ) -> Row {
        let mut set = |column: &str, text: String| {
            row.insert(column.into(), text);
        };
        let mut hash = DefaultHasher::new();
        let options = (self.options.seed, self.options.unlimited);
        (tool, options, starter, &found.files).hash(&mut hash);
        set("graded", format!("{:016x}", hash.finish()));
        if let Some(time) = found.time {
            let shown = DateTime::<Utc>::from(time);
            set("time", shown.to_rfc3339_opts(SecondsFormat::Secs, true));
            set("time_of", found.time_of.into());
            let due = self.options.due.map(SystemTime::from);
            let late = due.and_then(|due| time.duration_since(due).ok());
            let late = late.filter(|it| *it > Duration::ZERO);
            let late = late.map(|it| it.as_secs().div_ceil(60));
            set(
                "minutes_late",
                late.map_or(String::new(), |it| it.to_string()),
            );
        }
        let known = row.get("remarks").cloned();
        let remarks = known.into_iter().chain(dialect);
        let remarks = remarks.chain(found.remarks.iter().cloned());
        let remarks = remarks.collect::<Vec<_>>().join("; ");
        row.insert("remarks".into(), remarks);
        row
    }

    /// Stops if the dialect was evidently forgotten.
    fn ask_about_dialects(
        &self,
        differ: &[String],
        handouts: usize,
    ) -> Result<(), String> {
        if differ.is_empty() {
            return Ok(());
        }
        self.is_unclear.store(true, Ordering::Relaxed);
        let is_asked = self.variants.iter().any(|(it, _)| it.dialect.is_some());
        match differ.len() == handouts && !is_asked {
            true => Err(format!(
                "{}, with every handout that was handed in: --dialect SEED",
                differ[0]
            )),
            false => Ok(()),
        }
    }

    /// Lists the students in the roster who have handed in nothing.
    fn list_the_missing(
        &self,
        present: &BTreeSet<usize>,
    ) -> Result<(), String> {
        let Some(roster) = &self.roster else { return Ok(()) };
        for row in (0..roster.len()).filter(|it| !present.contains(it)) {
            let name = roster.name(row);
            let student =
                Student { name, row: Some(row), ..Student::default() };
            for assignment in &self.assignments() {
                let row = self.row(&student, assignment);
                let why = StageOutcome::Unknown("nothing was handed in".into());
                let none = stages::end_with(assignment, vec![], why);
                self.enter(assignment, row, &none)?;
            }
        }
        Ok(())
    }

    /// Whether the gradebook has the points for the same files, assignment,
    /// dialect and seed, by this same program. What else has become known, such
    /// as a due time, is added.
    fn is_graded(&self, work: &Work<'_>) -> Result<bool, String> {
        let mut book = lock(&self.book);
        let same = book.get(&work.row).filter(|old| {
            !self.options.again
                && !cell(old, "graded").is_empty()
                && cell(old, "graded") == cell(&work.row, "graded")
                && cell(old, "points") != UNKNOWN
        });
        let Some(mut row) = same.cloned() else { return Ok(false) };
        row.extend(work.row.clone());
        let of = |column| cell(&row, column);
        let (student, name) = (of("student"), of("assignment"));
        let (points, most) = (of("points"), of("points_max"));
        print(&format!("{student}, {name}: {points} of {most}, as before\n"))?;
        self.show(&row);
        book.record(row).map(|()| true)
    }

    /// Takes the results of a work into the gradebook, and shows them.
    pub(crate) fn record(
        &self,
        work: &Work<'_>,
        results: &[StageResult],
    ) -> Result<(), String> {
        self.enter(work.assignment, work.row.clone(), results)
    }

    /// Without a work, if there is none.
    fn enter(
        &self,
        assignment: &Assignment,
        mut row: Row,
        results: &[StageResult],
    ) -> Result<(), String> {
        let mut set = |column: &str, text: String| {
            row.insert(column.into(), text);
        };
        let points = stages::points(results);
        let points = points.map_or(UNKNOWN.into(), |it| it.to_string());
        set("points", points.clone());
        let first = results.iter().find(|it| !it.passed());
        let first = first.filter(|_| points != UNKNOWN);
        set("stopped_at", first.map_or(String::new(), |it| it.name.clone()));
        for it in results {
            let points = match &it.outcome {
                StageOutcome::Passed => it.points.to_string(),
                StageOutcome::Unknown(_) => UNKNOWN.into(),
                _ => "0".into(),
            };
            set(&it.name, points);
        }
        let why = results.iter().find_map(|it| match &it.outcome {
            StageOutcome::Failed(why, _) => Some(format!("{}: {why}", it.name)),
            StageOutcome::Unknown(why) => Some(why.clone()),
            _ => None,
        });
        let why = why.unwrap_or_default();
        set("reason", why.lines().next().unwrap_or_default().into());
        let student = cell(&row, "student").to_string();
        let (name, of) = (&assignment.name, assignment.points_max());
        let mut shown = format!("{student}, {name}: {points} of {of}\n");
        if points == UNKNOWN {
            shown += &format!("  {}\n", why.replace('\n', "\n  "));
        }
        print(&shown).ok();
        let mut report = told(assignment, results, self.options.seed);
        if !cell(&row, "remarks").is_empty() {
            report += &format!("\n{}\n", cell(&row, "remarks"));
        }
        let folder = self.options.to.join(folder_of(&student));
        let file = folder.join(format!("{name}.txt"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&file, report))
            .map_err(|err| format!("{}: {err}", file.display()))?;
        let mut book = lock(&self.book);
        book.record(row.clone())?;
        self.show(book.get(&row).unwrap_or(&row));
        Ok(())
    }

    /// Keeps a row for the table.
    fn show(&self, row: &Row) {
        let key = ["student", "assignment"].map(|it| cell(row, it).into());
        lock(&self.rows).insert(key, row.clone());
    }

    /// Shows the table and the summary, and writes what platforms import. True
    /// if there is nothing that the teacher has to look at.
    pub(crate) fn end(self) -> Result<bool, String> {
        let rows = std::mem::take(&mut *lock(&self.rows));
        let rows: Vec<_> = rows.into_values().collect();
        print(&table(&rows))?;
        let book = lock(&self.book);
        let assignments = self.assignments();
        for assignment in &assignments {
            print(&book.summary(assignment))?;
        }
        let written = book.export(&assignments, self.roster.as_ref())?;
        let to = self.options.to.display();
        for file in written {
            print(&format!("{to}/{file} can be imported\n"))?;
        }
        let unknown = rows.iter().filter(|it| cell(it, "points") == UNKNOWN);
        let unknown = unknown.count();
        if unknown > 0 {
            print(&format!(
                "{unknown} of {} have no grade ({UNKNOWN}), for the reasons \
                above\n",
                rows.len()
            ))?;
        }
        Ok(unknown == 0 && !self.is_unclear.load(Ordering::Relaxed))
    }
}

/// Says what there is, if no assignment can be recognized in it.
fn tell_all(students: &Class) -> Result<(), String> {
    for (student, works) in students {
        let why = works.values().find_map(|it| it.as_ref().err());
        let there = why.and_then(|it| it.split_once('\n'));
        let there = there.map_or("nothing", |(_, there)| there);
        print(&format!("{}: ?\n{there}\n", student.name))?;
    }
    print("No work was recognized: name the assignment, --assignment NAME\n")
}

/// Another thread's panic leaves the table whole.
fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What is to say if a handout is not in the dialect in which it is graded.
fn other_dialect(assignment: &Assignment, found: &Found) -> Option<String> {
    let own = found.dialect.filter(|_| assignment.start.is_some())?;
    let words = |dialect: Option<u64>| match dialect {
        Some(seed) => format!("in dialect {seed}"),
        None => "in no dialect".into(),
    };
    (own != assignment.dialect).then(|| {
        let (own, asked) = (words(own), words(assignment.dialect));
        format!("the handout is {own}, and is graded {asked}")
    })
}

/// Another build of this program may grade in another way.
fn own_hash() -> u64 {
    let mut hash = DefaultHasher::new();
    let own = std::env::current_exe().and_then(fs::read);
    own.unwrap_or_default().hash(&mut hash);
    hash.finish()
}

/// The table for the teacher to read.
fn table(rows: &[Row]) -> String {
    let wide = rows.iter().map(|it| cell(it, "student").chars().count());
    let wide = wide.max().unwrap_or(0);
    let mut text = String::from("\n");
    for row in rows {
        let of = |column| cell(row, column);
        let late = match of("minutes_late").parse::<u64>() {
            Ok(minutes) => format!("late by {}", duration(minutes)),
            Err(_) => String::new(),
        };
        let notes = [of("reason"), &late].into_iter();
        let notes = notes.filter(|it| !it.is_empty()).collect::<Vec<_>>();
        text += &format!(
            "{:wide$}  {:10}  {:>3} of {:<3}  {}\n",
            of("student"),
            of("assignment"),
            of("points"),
            of("points_max"),
            notes.join("; "),
        );
    }
    text + "\n"
}

fn duration(minutes: u64) -> String {
    let (days, hours) = (minutes / 1440, minutes / 60 % 24);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::{GradeOptions, Intake, due, duration, folder_of};
    use crate::project::Project;
    use crate::stages::{self, StageOutcome};
    use crate::teacher::gradebook::cell;
    use crate::teacher::workshop::Temporary;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: GradeOptions,
    }

    /// A class in a folder.
    struct Class(Temporary);

    impl Class {
        fn new(files: &[(&str, &str)]) -> Self {
            let class = Self(Temporary::new().unwrap());
            files.iter().for_each(|(path, text)| class.add(path, text));
            class
        }

        fn add(&self, path: &str, text: &str) {
            let path = self.0.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn options(&self, words: &[&str]) -> GradeOptions {
            let place = |it: &&str| match it.strip_prefix("./") {
                Some(path) => self.0.0.join(path).into_os_string(),
                None => it.into(),
            };
            let mut words: Vec<_> = words.iter().map(place).collect();
            words.insert(0, "grade".into());
            words.extend(["--to".into(), self.0.0.join("to").into()]);
            Line::parse_from(words).options
        }
    }

    /// What is to be examined: student, assignment, dialect and its row.
    fn works(
        options: &GradeOptions,
        results: impl Fn(&str) -> Option<StageOutcome>,
    ) -> Result<(Vec<String>, bool), String> {
        let folder = zen_harness::folder!();
        let project = Project::around(&folder).unwrap();
        let Some((intake, class)) = Intake::new(&project, options)? else {
            return Ok((Vec::new(), false));
        };
        let works = intake.works(class)?;
        let mut names = Vec::new();
        for work in works {
            let dialect = work.assignment.dialect;
            let student = cell(&work.row, "student").to_string();
            names.push(match dialect {
                Some(it) => format!("{student} {it}"),
                None => student.clone(),
            });
            if let Some(outcome) = results(&student) {
                let all = stages::end_with(work.assignment, vec![], outcome);
                intake.record(&work, &all)?;
            }
        }
        intake.end().map(|is_clear| (names, is_clear))
    }

    fn failed(_: &str) -> Option<StageOutcome> {
        Some(StageOutcome::Failed("it is empty".into(), Vec::new()))
    }

    #[test]
    fn a_second_run_grades_what_is_new_or_was_not_done() {
        let class = Class::new(&[
            ("class/ada/framing.rs", "// ada"),
            ("class/bob/framing.rs", "// bob"),
            ("class/cleo/framing.rs", "// cleo"),
        ]);
        let options =
            class.options(&["./class/ada", "./class/bob", "./class/cleo"]);
        // As if it were interrupted before cleo's work is done.
        let (first, _) = works(&options, |student| match student {
            "cleo" => None,
            _ => failed(student),
        })
        .unwrap();
        assert_eq!(first, ["ada", "bob", "cleo"]);
        class.add("class/bob/framing.rs", "// bob again");
        let (second, is_clear) = works(&options, failed).unwrap();
        assert_eq!(
            (second, is_clear),
            (vec!["bob".into(), "cleo".into()], true)
        );
        let (third, _) = works(&options, failed).unwrap();
        assert_eq!(third, Vec::<String>::new());
        // Another seed is another examination, and all may be wanted again.
        for more in [&["--seed", "5"][..], &["--again"]] {
            let words = [&["./class/ada", "./class/bob"][..], more].concat();
            let (again, _) = works(&class.options(&words), failed).unwrap();
            assert_eq!(again, ["ada", "bob"]);
        }
    }

    #[test]
    fn what_is_not_found_is_no_zero_and_the_roster_knows_who_is_missing() {
        let class = Class::new(&[
            ("class/ada/framing.rs", "// ada"),
            ("class/bob/report.pdf", ""),
            ("roster.csv", "name,email\nada,\nbob,\nCleo,cleo@example.org\n"),
        ]);
        let words = ["./class/ada", "./class/bob", "--roster", "./roster.csv"];
        let options = class.options(&words);
        let (found, is_clear) = works(&options, failed).unwrap();
        assert_eq!((found, is_clear), (vec!["ada".to_string()], false));
        let text = fs::read_to_string(options.to.join("grades.csv")).unwrap();
        assert!(text.contains("\r\nada,framing,0,10,whole,"), "{text}");
        assert!(text.contains("\r\nbob,framing,?,10,,?,?,?,"), "{text}");
        assert!(text.contains("\r\nCleo,framing,?,10,,"), "{text}");
        assert!(text.contains("cleo@example.org"), "{text}");
        let report = fs::read_to_string(options.to.join("bob/framing.txt"));
        assert!(report.unwrap().contains("report.pdf"));
    }

    #[test]
    fn what_no_one_can_recognize_is_no_zero_either() {
        let class = Class::new(&[("c/ada/main.rs", "// of which assignment?")]);
        let (found, is_clear) =
            works(&class.options(&["./c/ada"]), failed).unwrap();
        assert_eq!((found, is_clear), (Vec::new(), false));
    }

    #[test]
    fn it_is_known_by_how_much_a_work_is_late() {
        let class = Class::new(&[
            ("c/ada/framing/timestamp.txt", "2026-10-06 01:30:01 UTC"),
            ("c/ada/framing/framing.rs", "// ada"),
        ]);
        let words = ["./c/ada", "--due", "2026-10-05T00:00:00Z"];
        let options = class.options(&words);
        works(&options, failed).unwrap();
        let text = fs::read_to_string(options.to.join("grades.csv")).unwrap();
        let cells = ",2026-10-06T01:30:01Z,platform,1531,";
        assert!(text.contains(cells), "{text}");
        // It may become due later, without another examination.
        let words = ["./c/ada", "--due", "2026-10-06T00:00:00Z"];
        let options = class.options(&words);
        let (again, _) = works(&options, failed).unwrap();
        assert_eq!(again, Vec::<String>::new());
        let text = fs::read_to_string(options.to.join("grades.csv")).unwrap();
        assert!(text.contains(",platform,91,"), "{text}");
        assert_eq!(duration(1531), "1 d 1 h");
        assert_eq!(duration(61), "1 h 1 min");
        assert!(due("2026-10-05").unwrap() > due("2026-10-05 23:59").unwrap());
        assert!(due("tomorrow").is_err());
    }

    #[test]
    fn each_student_may_have_a_dialect_and_another_one_is_named() {
        let handout = |seed: u64| format!("dialect = {seed}\nnumber = 10\n");
        let class = Class::new(&[
            ("c/ada/any/assignment.toml", &handout(7)),
            ("c/ada/any/server/start.toml", "# ada"),
            ("c/bob/any/assignment.toml", &handout(7)),
            ("c/bob/any/server/start.toml", "# bob"),
            ("roster.csv", "name,dialect\nada,7\nbob,8\n"),
        ]);
        let words = ["./c/ada", "./c/bob", "--roster", "./roster.csv"];
        let (found, is_clear) = works(&class.options(&words), failed).unwrap();
        assert_eq!(found, ["ada 7", "bob 8"]);
        assert!(!is_clear);
        let text = fs::read_to_string(class.0.0.join("to/grades.csv")).unwrap();
        let what = "the handout is in dialect 7, and is graded in dialect 8";
        assert_eq!(text.matches(what).count(), 1, "{text}");
        // With one for all, it is evident if the option was forgotten.
        let why = works(&class.options(&words[..2]), failed).unwrap_err();
        assert!(why.ends_with("--dialect SEED"), "{why}");
        let words = ["./c/ada", "./c/bob", "--dialect", "7"];
        let (found, is_clear) = works(&class.options(&words), failed).unwrap();
        // Ada's is graded already, in this dialect.
        assert_eq!((found, is_clear), (vec!["bob 7".to_string()], true));
    }

    #[test]
    fn the_folder_of_a_report_is_in_the_folder_of_the_reports() {
        for (name, folder) in
            [("../x", "_.._x"), (".", "_."), ("a/b", "a_b"), ("-x", "-x")]
        {
            assert_eq!(folder_of(name), folder);
        }
    }
}
