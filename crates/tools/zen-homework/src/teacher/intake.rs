//! Which works are to be examined, and what is known of each before that.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::options::GradeOptions;
use super::roster::Student;
use super::source::{self, Files, is_starter};
use super::submissions::{Found, Submitted};
use super::table::{Row, cell, row};
use crate::assignment::Assignment;
use crate::student::print;

/// What is noted of a work in which the student has changed nothing.
pub(crate) const UNCHANGED: &str = "unchanged starter";

/// An assignment in one dialect.
pub(crate) struct Variant {
    /// The dialect that was asked for.
    dialect: Option<u64>,
    pub(crate) assignment: Assignment,
    starter: Files,
}

/// One student's work on one assignment.
pub(crate) struct Work<'a> {
    pub(crate) assignment: &'a Assignment,
    pub(crate) starter: &'a Files,
    pub(crate) files: Files,
    /// What is known before it is examined.
    pub(crate) row: Row,
}

/// The works of a class.
#[derive(Default)]
pub(crate) struct Intake<'a> {
    pub(crate) works: Vec<Work<'a>>,
    /// Works without files, each with the reason.
    pub(crate) not_found: Vec<(Work<'a>, String)>,
    /// Some handouts are not in the dialect in which they are graded.
    pub(crate) dialects_differ: bool,
}

/// Each assignment in each dialect in which someone has it.
pub(crate) fn variants(
    all: Vec<Assignment>,
    submitted: &Submitted,
    dialect: Option<u64>,
) -> Result<Vec<Variant>, String> {
    let mut variants = Vec::new();
    for assignment in all {
        if !submitted.assignments.contains(&assignment.name) {
            continue;
        }
        let students = submitted.students.iter();
        let own = students.map(|(it, _)| dialect_of(it, &assignment, dialect));
        for dialect in own.chain([dialect]).collect::<BTreeSet<_>>() {
            let assignment = assignment.clone().in_dialect(dialect)?;
            let starter = source::starter(&assignment)?;
            variants.push(Variant { dialect, assignment, starter });
        }
    }
    Ok(variants)
}

/// The dialect that a student was given: the roster's, or the one that was
/// asked for.
fn dialect_of(
    student: &Student,
    assignment: &Assignment,
    asked: Option<u64>,
) -> Option<u64> {
    // The other assignments have no dialects.
    student.dialect.filter(|_| assignment.start.is_some()).or(asked)
}

/// Takes in all that was handed in, and says what the teacher should know of
/// it. Fails if the dialect was evidently forgotten.
pub(crate) fn take<'a>(
    submitted: Submitted,
    variants: &'a [Variant],
    options: &GradeOptions,
) -> Result<Intake<'a>, String> {
    let mut intake = Intake::default();
    let (mut differ, mut handouts) = (Vec::new(), 0);
    let tool = own_hash();
    for (student, found) in submitted.students {
        for (name, found) in found {
            let Some(variant) = variants.iter().find(|it| {
                let of = dialect_of(&student, &it.assignment, options.dialect);
                it.assignment.name == name && it.dialect == of
            }) else {
                continue;
            };
            let Variant { assignment, starter, .. } = variant;
            let row = known(&student, assignment, options);
            let mut work = Work { assignment, starter, files: vec![], row };
            let found = match found {
                Ok(found) => found,
                Err(why) => {
                    intake.not_found.push((work, why));
                    continue;
                }
            };
            let other = other_dialect(assignment, &found);
            handouts += usize::from(
                found.dialect.is_some() && assignment.start.is_some(),
            );
            let remarks = other.iter().chain(&found.remarks);
            for what in remarks.clone() {
                print(&format!("{}, {name}: {what}\n", student.name))?;
            }
            let late = "late, as the platform says".to_string();
            let late = student.is_late.then_some(late);
            let remarks = late.iter().chain(remarks);
            let remarks = remarks.cloned().collect::<Vec<_>>().join("; ");
            differ.extend(other);
            work.row.extend(of_files(&found, remarks, options));
            work.files = found.files;
            let graded = hash_of(&work, options, tool);
            work.row.insert("graded".into(), graded);
            intake.works.push(work);
        }
    }
    let is_asked = variants.iter().any(|it| it.assignment.dialect.is_some());
    intake.dialects_differ = !differ.is_empty();
    let all_differ = differ.len() == handouts && !is_asked;
    if let Some(first) = differ.first().filter(|_| all_differ) {
        return Err(format!(
            "{first}, with every handout that was handed in: --dialect SEED"
        ));
    }
    note_resemblances(&mut intake.works)?;
    Ok(intake)
}

/// What is known of a work without its files.
fn known(
    student: &Student,
    assignment: &Assignment,
    options: &GradeOptions,
) -> Row {
    let dialect = assignment.dialect.map(|it| it.to_string());
    row([
        ("student", student.name.clone()),
        ("assignment", assignment.name.clone()),
        ("points_max", assignment.points_max().to_string()),
        ("seed", options.seed.to_string()),
        ("dialect", dialect.unwrap_or_default()),
        ("platform", student.platform.clone()),
        ("id", student.id.clone()),
        ("email", student.email.clone()),
    ])
}

/// What is known of its files.
fn of_files(found: &Found, remarks: String, options: &GradeOptions) -> Row {
    let late = found.time.zip(options.due).map(|(time, due)| time - due);
    let late = late.filter(|it| *it > TimeDelta::zero());
    let minutes = late.map(|it| it.num_seconds().unsigned_abs().div_ceil(60));
    let time =
        |it: DateTime<Utc>| it.to_rfc3339_opts(SecondsFormat::Secs, true);
    row([
        ("time", found.time.map_or(String::new(), time)),
        ("time_of", found.time_of.into()),
        ("minutes_late", minutes.map_or(String::new(), |it| it.to_string())),
        ("remarks", remarks),
    ])
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

/// Notes which works are the starter, or have the files of another student's.
fn note_resemblances(works: &mut [Work<'_>]) -> Result<(), String> {
    for at in 0..works.len() {
        let work = &works[at];
        let (name, student) =
            (&work.assignment.name, cell(&work.row, "student"));
        let others = works
            .iter()
            .filter(|it| it.assignment.name == *name && it.files == work.files);
        let others = others.map(|it| cell(&it.row, "student"));
        let others: Vec<_> = others.filter(|it| *it != student).collect();
        let what = match &others[..] {
            _ if is_starter(&work.files, work.starter) => UNCHANGED.to_string(),
            [] => continue,
            others => format!("the same files as {}", others.join(", ")),
        };
        print(&format!("{student}, {name}: {what}\n"))?;
        works[at].row.insert("resembles".into(), what);
    }
    Ok(())
}

/// Says whether a work has to be examined again.
fn hash_of(work: &Work<'_>, options: &GradeOptions, tool: u64) -> String {
    let mut hash = DefaultHasher::new();
    let options = (options.seed, options.unlimited);
    (tool, options, work.starter, &work.files).hash(&mut hash);
    format!("{:016x}", hash.finish())
}

/// Another build of this program may grade in another way.
fn own_hash() -> u64 {
    let mut hash = DefaultHasher::new();
    let own = std::env::current_exe().and_then(fs::read);
    own.unwrap_or_default().hash(&mut hash);
    hash.finish()
}
