//! Takes the newest copy of a student's work on an assignment. Where that is
//! not clear, it says what is there, and the teacher is asked.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use super::commit;
use super::copies::{Copy, Sought, Submission};
use super::layout::NBGRADER;
use super::names::{is_general, unmarked};
use super::walk::Leaf;
use crate::files::{FILE_BYTES_MAX, FILES_MAX};
use crate::teacher::source::{Files, is_starter};
use crate::teacher::times;

/// This many files are named if the work is not among them.
const SHOWN_MAX: usize = 12;

/// The most remarks on one work.
const REMARKS_MAX: usize = 8;

/// The first time that a platform may have written as 14 digits.
const EARLIEST: u64 = 19_700_101_000_000;

/// The files of one work together.
const WORK_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Times of files are that exact, since a zip has only even seconds.
const SAME_TIME: TimeDelta = TimeDelta::seconds(2);

/// A student's work on an assignment.
#[derive(Debug)]
pub(crate) struct Found {
    /// Where each file belongs, and its contents.
    pub(crate) files: Files,
    /// It is clear that it is this assignment.
    pub(crate) is_evident: bool,
    /// What the teacher should know.
    pub(crate) remarks: Vec<String>,
    pub(crate) time: Option<DateTime<Utc>>,
    /// What the time is of: `platform`, `commit` or `file`.
    pub(crate) time_of: &'static str,
    /// The dialect of the handout, if that was handed in as well.
    pub(crate) dialect: Option<Option<u64>>,
}

/// Looks for the work; or says why the teacher has to.
pub(crate) fn find(
    sought: &Sought<'_>,
    submission: &Submission<'_>,
) -> Result<Found, String> {
    let mut copies = sought.copies(submission);
    if copies.is_empty() {
        return Err(what_is_there(sought, submission));
    }
    one_student(sought, submission, &copies)?;
    // An untouched starter is no second copy.
    let is_written = |copy: &Copy<'_>| {
        !contents(copy).is_some_and(|it| is_starter(&it, sought.starter))
    };
    if copies.len() > 1 && copies.iter().any(is_written) {
        copies.retain(is_written);
    }
    let mut seen = BTreeSet::new();
    copies.retain(|it| seen.insert(contents(it)));
    let (copy, age) = newest(submission, &copies)?;
    let mut remarks = Vec::new();
    if copies.len() > 1 {
        let (names, newest) = (names(&copies), shown(copy));
        remarks.push(format!("{names}: the newest, {newest}, was taken"));
    }
    let files = read(sought, copy, &mut remarks)?;
    remark(sought, submission, copy, &files, &mut remarks);
    shorten(&mut remarks, REMARKS_MAX);
    let (time, time_of) = time(submission, copy, &age);
    let described = submission.table(copy.root, "assignment.toml");
    let dialect = described
        .filter(|_| copy.is_exact)
        .map(|it| it.get("dialect")?.as_integer()?.try_into().ok());
    let is_evident = copy.is_evident;
    Ok(Found { files, is_evident, remarks, time, time_of, dialect })
}

/// Asks if the folders in it seem to be those of several students.
fn one_student(
    sought: &Sought<'_>,
    submission: &Submission<'_>,
    copies: &[Copy<'_>],
) -> Result<(), String> {
    let tops = copies.iter().filter_map(|copy| copy.root.first());
    let mut tops: BTreeSet<_> = tops.map(|it| unmarked(it).0).collect();
    tops.retain(|it| *it != sought.assignment.name && !is_general(it));
    if tops.len() < 2 || submission.deliveries.len() > 1 {
        return Ok(());
    }
    let tops = tops.into_iter().collect::<Vec<_>>().join(", ");
    Err(format!(
        "is this one student, or several? It holds the same work in {tops}: \
        give each student's folder"
    ))
}

/// The files of a copy; None if one cannot be read.
fn contents(copy: &Copy<'_>) -> Option<Files> {
    let files = copy.files.iter().take(FILES_MAX);
    files.map(|(path, leaf)| Some((path.clone(), leaf.read().ok()?))).collect()
}

fn shown(copy: &Copy<'_>) -> String {
    match copy.files.values().next() {
        Some(leaf) if !copy.is_exact || copy.root.is_empty() => leaf.shown(),
        _ => copy.root.join("/"),
    }
}

fn names(copies: &[Copy<'_>]) -> String {
    copies.iter().map(shown).collect::<Vec<_>>().join(" and ")
}

/// What tells how old a copy is, the surest first.
#[derive(Default)]
struct Age {
    /// The platform's time and number.
    delivered: Option<DateTime<Utc>>,
    attempt: u64,
    /// The newest time of a file.
    written: Option<DateTime<Utc>>,
    /// The number that a browser has added.
    mark: u64,
}

impl Age {
    fn of(submission: &Submission<'_>, copy: &Copy<'_>) -> Self {
        let mut age = Self::default();
        for leaf in copy.files.values() {
            let who = &submission.deliveries[leaf.delivery];
            let marks = leaf.path.iter().map(|part| {
                let stem = part.rsplit_once('.').map_or(&**part, |it| it.0);
                unmarked(stem).1
            });
            let mark = marks.max().unwrap_or(0);
            // A mark that is a time is the platform's.
            let attempt = if mark < EARLIEST { who.attempt } else { mark };
            age.delivered = age.delivered.max(who.time);
            age.attempt = age.attempt.max(attempt);
            age.written = age.written.max(leaf.node.time);
            age.mark = age.mark.max(mark);
        }
        age
    }

    fn compare(&self, other: &Self) -> Ordering {
        let written = match (self.written, other.written) {
            (Some(a), Some(b)) if (a - b).abs() >= SAME_TIME => a.cmp(&b),
            _ => Ordering::Equal,
        };
        let delivered = self.delivered.cmp(&other.delivered);
        let attempt = self.attempt.cmp(&other.attempt);
        delivered.then(attempt).then(written).then(self.mark.cmp(&other.mark))
    }
}

/// The newest of these copies.
fn newest<'a>(
    submission: &Submission<'_>,
    copies: &'a [Copy<'a>],
) -> Result<(&'a Copy<'a>, Age), String> {
    let ages = copies.iter().map(|it| Age::of(submission, it));
    let mut ages: Vec<_> = ages.collect();
    let is_best = |age: &Age| ages.iter().all(|it| age.compare(it).is_ge());
    let best = (0..copies.len()).filter(|at| is_best(&ages[*at]));
    match best.collect::<Vec<_>>()[..] {
        [at] => Ok((&copies[at], ages.swap_remove(at))),
        _ => {
            let names = names(copies);
            Err(format!("two copies, and nothing says which is newer: {names}"))
        }
    }
}

/// Reads the files of a copy.
fn read(
    sought: &Sought<'_>,
    copy: &Copy<'_>,
    remarks: &mut Vec<String>,
) -> Result<Files, String> {
    let (mut files, mut bytes) = (Files::new(), 0);
    if copy.files.len() > FILES_MAX {
        return Err(format!("there are more than {FILES_MAX} files"));
    }
    for (path, leaf) in &copy.files {
        let mut listed = sought.assignment.files.iter();
        let is_listed = listed.any(|it| path == Path::new(it));
        let shown = leaf.shown();
        if !is_listed && leaf.node.bytes > FILE_BYTES_MAX {
            remarks.push(format!("left out: {shown}: more than 1 MiB"));
            continue;
        }
        let text = leaf.read()?;
        bytes += text.len();
        if bytes > WORK_BYTES_MAX {
            return Err(format!("more than {} MiB", WORK_BYTES_MAX >> 20));
        }
        files.push((path.clone(), text));
        let own = leaf.path.last().map(Path::new);
        if !copy.is_exact && own != path.file_name().map(Path::new) {
            let path = path.display();
            remarks.push(format!("{shown} was taken for {path}"));
        }
    }
    Ok(files)
}

/// Names what is missing and what is left out.
fn remark(
    sought: &Sought<'_>,
    submission: &Submission<'_>,
    copy: &Copy<'_>,
    files: &Files,
    remarks: &mut Vec<String>,
) {
    for listed in &sought.assignment.files {
        if !files.iter().any(|(path, _)| path.starts_with(listed)) {
            remarks.push(format!("{listed} is missing: the starter's is used"));
        }
    }
    for (path, why) in &submission.walked.left_out {
        let inside = path.strip_prefix(copy.root).unwrap_or(&[]);
        let inside: PathBuf = inside.iter().collect();
        if sought.assignment.may_change(&inside) {
            remarks.push(format!("left out: {}: {why}", path.join("/")));
        }
    }
}

fn time(
    submission: &Submission<'_>,
    copy: &Copy<'_>,
    age: &Age,
) -> (Option<DateTime<Utc>>, &'static str) {
    // nbgrader's file is beside the work. Elsewhere it is the student's.
    let mut people = submission.deliveries.iter();
    let is_nbgraders = people.any(|it| it.platform == NBGRADER);
    let stamped = || {
        let text = submission.text(copy.root, "timestamp.txt");
        times::zoned(&text.filter(|_| is_nbgraders)?)
    };
    if let Some(time) = age.delivered.or_else(stamped) {
        return (Some(time), "platform");
    }
    let repositories = submission.walked.repositories.iter();
    let around = repositories.filter(|it| copy.root.starts_with(&it.0));
    let nearest = around.max_by_key(|it| it.0.len());
    match nearest.and_then(|it| commit::time(&it.1)) {
        Some(time) => (Some(time), "commit"),
        None => (age.written, "file"),
    }
}

/// Why nothing was found, and what there is.
fn what_is_there(sought: &Sought<'_>, submission: &Submission<'_>) -> String {
    let there = submission.walked.leaves.iter().map(Leaf::shown);
    let left_out = submission.walked.left_out.iter();
    let left_out = left_out.map(|(at, why)| format!("{}: {why}", at.join("/")));
    let mut lines: Vec<_> = there.chain(left_out).collect();
    shorten(&mut lines, SHOWN_MAX);
    let there: String = match lines.is_empty() {
        true => " nothing at all".into(),
        false => lines.iter().map(|it| format!("\n  {it}")).collect(),
    };
    let wanted = sought.assignment.files.join(", ");
    format!("not found: {wanted}\nThere is:{there}")
}

/// Keeps the first lines, and says how many others there were.
fn shorten(lines: &mut Vec<String>, most: usize) {
    let more = lines.len().saturating_sub(most);
    lines.truncate(most);
    lines.extend((more > 0).then(|| format!("and {more} more")));
}
