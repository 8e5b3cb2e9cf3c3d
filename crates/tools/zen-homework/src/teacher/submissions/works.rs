//! Finds the work on an assignment among all that a student has handed in.
//!
//! It takes the files that the assignment lists, at any depth and under the
//! names that browsers and platforms give them. Where that is not clear, it
//! says what is there, and the teacher is asked.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use toml::Table;

use super::commit;
use super::layout::{NBGRADER, Who};
use super::names::{Likeness, is_general, likeness, means, unmarked};
use super::tree::{Leaf, Walked};
use crate::assignment::Assignment;
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

/// An assignment, and what tells its files from those of the others.
pub(crate) struct Sought<'a> {
    pub(crate) assignment: &'a Assignment,
    pub(crate) starter: &'a Files,
    /// The names of all assignments.
    pub(crate) names: &'a [String],
    /// The files that only this assignment has.
    pub(crate) own_files: BTreeSet<&'a Path>,
    /// No other assignment can be meant.
    pub(crate) is_only: bool,
}

/// One student's deliveries.
pub(crate) struct Submission<'a> {
    /// The name of the folder, if there is one for all.
    pub(crate) folder: &'a str,
    pub(crate) walked: &'a Walked,
    pub(crate) deliveries: &'a [Who],
}

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

/// One of possibly several copies of the work.
#[derive(Clone, Default)]
struct Copy {
    root: Vec<String>,
    /// The number of the leaf for each file.
    files: BTreeMap<PathBuf, usize>,
    is_evident: bool,
    /// The files are in their places below the root.
    is_exact: bool,
}

/// For each file the leaves that it may be.
type Likely<'a> = BTreeMap<&'a Path, Vec<(Likeness, usize)>>;

/// Where an assignment's folder would have to be so that the file at this path
/// is one that it lists, and the file's path in it.
fn place<'a>(
    path: &'a [String],
    listed: &str,
) -> Option<(&'a [String], PathBuf)> {
    let wanted: Vec<_> = listed.split_terminator('/').collect();
    let is_it = |part: &[String]| {
        part.iter().zip(&wanted).all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    let is_folder = listed.ends_with('/');
    let mut parts = path.windows(wanted.len());
    let at = match is_folder {
        true => parts.position(is_it)?,
        false => parts.rposition(is_it)?,
    };
    let below = &path[at + wanted.len()..];
    let file = match is_folder {
        true => Path::new(listed).join(below.iter().collect::<PathBuf>()),
        false => listed.into(),
    };
    (is_folder != below.is_empty()).then_some((&path[..at], file))
}

impl Sought<'_> {
    fn is_its(&self, folder: &str) -> bool {
        means(folder, &self.assignment.name)
    }

    fn is_anothers(&self, folder: &str) -> bool {
        let mut all = self.names.iter();
        all.any(|it| *it != self.assignment.name && means(folder, it))
    }

    /// The files that may be handed in alone: those that the assignment lists,
    /// and the starter's in the folders that it lists.
    fn single_files(&self) -> BTreeSet<&Path> {
        let own = self.assignment.files.iter().filter(|it| !it.ends_with('/'));
        let starter = self.starter.iter().map(|(path, _)| path.as_path());
        let starter = starter.filter(|it| self.assignment.may_change(it));
        own.map(Path::new).chain(starter).collect()
    }
}

/// Looks for the work; or says why the teacher has to.
pub(crate) fn find(
    sought: &Sought<'_>,
    submission: &Submission<'_>,
) -> Result<Found, String> {
    let finder = Finder { sought, submission };
    let mut copies = finder.placed();
    copies.extend(finder.lone(&copies));
    // A folder without a name may be anything.
    if copies.iter().any(|it| it.is_evident) {
        copies.retain(|it| it.is_evident);
    }
    if copies.is_empty() {
        return Err(finder.what_is_there());
    }
    finder.one_student(&copies)?;
    let (copy, remark) = finder.newest(copies)?;
    finder.take(&copy, remark)
}

struct Finder<'a> {
    sought: &'a Sought<'a>,
    submission: &'a Submission<'a>,
}

impl Finder<'_> {
    fn leaves(&self) -> &[Leaf] {
        &self.submission.walked.leaves
    }

    fn leaves_of(&self, copy: &Copy) -> impl Iterator<Item = &Leaf> {
        copy.files.values().map(|it| &self.leaves()[*it])
    }

    /// Folders that have the files in their places.
    fn placed(&self) -> Vec<Copy> {
        let mut copies: BTreeMap<&[String], Copy> = BTreeMap::new();
        for (number, leaf) in self.leaves().iter().enumerate() {
            for listed in &self.sought.assignment.files {
                if let Some((root, file)) = place(&leaf.path, listed) {
                    let copy = copies.entry(root).or_default();
                    copy.is_evident |= self.sought.own_files.contains(&*file);
                    copy.files.entry(file).or_insert(number);
                }
            }
        }
        let copies = copies.into_iter().map(|(root, copy)| Copy {
            root: root.to_vec(),
            is_exact: true,
            ..copy
        });
        // A file that is not in a folder is no sign of one.
        let is_deep = |it: &PathBuf| it.components().count() > 1;
        copies
            .filter(|it| it.files.keys().any(is_deep))
            .filter_map(|it| self.evident(it))
            .collect()
    }

    /// Looks for signs that this is a copy of another assignment, or of this
    /// one; without any, it is one only if no other can be meant.
    fn evident(&self, mut copy: Copy) -> Option<Copy> {
        let manifest = self.table(&copy.root, "Cargo.toml");
        let package = manifest.as_ref().and_then(|it| it.get("package"));
        let package = package.and_then(|it| it.get("name")?.as_str());
        if self.is_anothers(&copy.root)
            || package.is_some_and(|it| self.sought.is_anothers(it))
        {
            return None;
        }
        let Assignment { name, title, .. } = self.sought.assignment;
        let described = self.table(&copy.root, "assignment.toml");
        let described = described.as_ref().and_then(|it| it.get("title"));
        copy.is_evident |= self.sought.is_its(self.nearest(&copy.root))
            || package == Some(name)
            || described.and_then(|it| it.as_str()) == Some(title);
        (copy.is_evident || self.sought.is_only).then_some(copy)
    }

    /// The name of a folder; that of the submission, if it is all of it.
    fn nearest<'b>(&'b self, folder: &'b [String]) -> &'b str {
        folder.last().map_or(self.submission.folder, |it| it)
    }

    /// Whether a folder, or one around it, is that of another assignment.
    fn is_anothers(&self, folder: &[String]) -> bool {
        let around = folder.iter().map(String::as_str);
        let mut around = around.chain([self.submission.folder]);
        around.any(|it| self.sought.is_anothers(it))
            && !self.sought.is_its(self.nearest(folder))
    }

    fn text(&self, root: &[String], name: &str) -> Option<String> {
        let leaf = self.leaves().iter().find(|leaf| {
            leaf.path
                .split_last()
                .is_some_and(|it| it.0 == name && it.1 == root)
        });
        String::from_utf8(without_mark(leaf?.node.read().ok()?)).ok()
    }

    fn table(&self, root: &[String], name: &str) -> Option<Table> {
        self.text(root, name)?.parse().ok()
    }

    /// Files outside of their places, those of a folder together.
    fn lone(&self, placed: &[Copy]) -> Vec<Copy> {
        let used = placed.iter().flat_map(|it| it.files.values());
        let used: BTreeSet<_> = used.collect();
        let singles = self.sought.single_files();
        let mut found: BTreeMap<&[String], Likely<'_>> = BTreeMap::new();
        for (number, leaf) in self.leaves().iter().enumerate() {
            let Some((name, folder)) = leaf.path.split_last() else { continue };
            if used.contains(&number) || self.is_anothers(folder) {
                continue;
            }
            for path in &singles {
                let wanted = path.file_name().unwrap_or_default();
                let like = likeness(name, &wanted.to_string_lossy());
                // Beside a whole folder, only a sure copy of its own counts.
                let enough =
                    |it: &Likeness| placed.is_empty() || *it == Likeness::Sure;
                if let Some(like) = like.filter(enough) {
                    let files = found.entry(folder).or_default();
                    files.entry(path).or_default().push((like, number));
                }
            }
        }
        let may_be_any = self.sought.is_only && placed.is_empty();
        let copies = found.into_iter().flat_map(|(folder, files)| {
            let is_own =
                files.keys().any(|it| self.sought.own_files.contains(it));
            match is_own || may_be_any {
                true => self.in_folder(folder, files, is_own),
                false => Vec::new(),
            }
        });
        copies.collect()
    }

    /// The files that lie in one folder. Of the same file there may be several
    /// copies.
    fn in_folder(
        &self,
        folder: &[String],
        mut files: Likely<'_>,
        is_evident: bool,
    ) -> Vec<Copy> {
        for likely in files.values_mut() {
            let best = likely.iter().map(|it| it.0).max();
            likely.retain(|it| Some(it.0) == best);
            // Two names that both may be meant are none that is.
            if best == Some(Likeness::Likely) && likely.len() > 1 {
                likely.clear();
            }
        }
        files.retain(|_, likely| !likely.is_empty());
        let most = files.values().map(Vec::len).max().unwrap_or(0);
        let copies = (0..most).map(|number| {
            let chosen = files.iter().filter_map(|(path, likely)| {
                let (_, leaf) = likely.get(number).or(likely.last())?;
                Some((path.to_path_buf(), *leaf))
            });
            let (root, files_of_it) = (folder.to_vec(), chosen.collect());
            let mut copy =
                Copy { root, is_evident, files: files_of_it, is_exact: false };
            self.add_neighbours(&mut copy, &files);
            copy
        });
        copies.collect()
    }

    /// Where a whole folder may be handed in, the files beside belong to it.
    fn add_neighbours(&self, copy: &mut Copy, known: &Likely<'_>) {
        let mut folders = self.sought.assignment.files.iter();
        let Some(to) = folders.find(|it| {
            it.ends_with('/')
                && copy.files.keys().any(|file| file.starts_with(it))
        }) else {
            return;
        };
        let known = known.values().flatten().map(|it| it.1);
        let known: BTreeSet<_> = known.collect();
        for (number, leaf) in self.leaves().iter().enumerate() {
            if let Some(below) = leaf.path.strip_prefix(&copy.root[..])
                && !known.contains(&number)
            {
                let below: PathBuf = below.iter().collect();
                copy.files.entry(Path::new(to).join(below)).or_insert(number);
            }
        }
    }

    /// Asks if the folders in it seem to be those of several students.
    fn one_student(&self, copies: &[Copy]) -> Result<(), String> {
        let tops = copies.iter().filter_map(|copy| copy.root.first());
        let mut tops: BTreeSet<_> = tops.map(|it| unmarked(it).0).collect();
        tops.retain(|it| *it != self.sought.assignment.name && !is_general(it));
        if tops.len() < 2 || self.submission.deliveries.len() > 1 {
            return Ok(());
        }
        let tops: Vec<_> = tops.into_iter().collect();
        Err(format!(
            "is this one student, or several? It holds the same work in {}: \
            give each student's folder",
            tops.join(", ")
        ))
    }

    fn shown(&self, copy: &Copy) -> String {
        match self.leaves_of(copy).next() {
            Some(leaf) if !copy.is_exact || copy.root.is_empty() => {
                leaf.shown()
            }
            _ => copy.root.join("/"),
        }
    }

    /// None if a file cannot be read.
    fn contents(&self, copy: &Copy) -> Option<Files> {
        let read = |(path, leaf): (&PathBuf, &usize)| {
            Some((path.clone(), self.leaves()[*leaf].node.read().ok()?))
        };
        copy.files.iter().take(FILES_MAX).map(read).collect()
    }

    /// The newest of several copies, and what to say about the others.
    fn newest(
        &self,
        mut copies: Vec<Copy>,
    ) -> Result<(Copy, Option<String>), String> {
        let is_written = |copy: &Copy| {
            let files = self.contents(copy);
            !files.is_some_and(|it| is_starter(&it, self.sought.starter))
        };
        if copies.len() > 1 && copies.iter().any(is_written) {
            copies.retain(is_written);
        }
        let mut seen = BTreeSet::new();
        copies.retain(|it| seen.insert(self.contents(it)));
        let names: Vec<_> = copies.iter().map(|it| self.shown(it)).collect();
        let names = names.join(" and ");
        let ages: Vec<_> = copies.iter().map(|it| self.age(it)).collect();
        let is_best = |age: &Age| ages.iter().all(|it| age.compare(it).is_ge());
        let mut best = copies.iter().zip(&ages).filter(|it| is_best(it.1));
        match (best.next(), best.next()) {
            (Some((copy, _)), None) => {
                let newest = self.shown(copy);
                let remark =
                    format!("{names}: the newest, {newest}, was taken");
                let is_one = copies.len() == 1;
                Ok((copy.clone(), (!is_one).then_some(remark)))
            }
            _ => Err(format!(
                "two copies, and nothing says which is newer: {names}"
            )),
        }
    }

    fn age(&self, copy: &Copy) -> Age {
        let mut age = Age::default();
        for leaf in self.leaves_of(copy) {
            let who = &self.submission.deliveries[leaf.delivery];
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

    /// Reads the files of a copy.
    fn take(
        &self,
        copy: &Copy,
        remark: Option<String>,
    ) -> Result<Found, String> {
        let assignment = self.sought.assignment;
        let mut remarks = Vec::from_iter(remark);
        let (mut files, mut bytes) = (Files::new(), 0);
        if copy.files.len() > FILES_MAX {
            return Err(format!("there are more than {FILES_MAX} files"));
        }
        for (leaf, path) in self.leaves_of(copy).zip(copy.files.keys()) {
            let is_listed =
                assignment.files.iter().any(|it| path == Path::new(it));
            let shown = leaf.shown();
            if !is_listed && leaf.node.bytes > FILE_BYTES_MAX {
                remarks.push(format!("left out: {shown}: more than 1 MiB"));
                continue;
            }
            let text = without_mark(leaf.node.read()?);
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
        let has =
            |it: &&String| files.iter().any(|(path, _)| path.starts_with(it));
        let missing = assignment.files.iter().filter(|it| !has(it));
        remarks.extend(
            missing.map(|it| format!("{it} is missing: the starter's is used")),
        );
        for (path, why) in &self.submission.walked.left_out {
            let inside = path.strip_prefix(&copy.root[..]).unwrap_or(&[]);
            if assignment.may_change(&inside.iter().collect::<PathBuf>()) {
                remarks.push(format!("left out: {}: {why}", path.join("/")));
            }
        }
        shorten(&mut remarks, REMARKS_MAX);
        let (time, time_of) = self.time(copy);
        let described = self.table(&copy.root, "assignment.toml");
        let dialect = described
            .filter(|_| copy.is_exact)
            .map(|it| it.get("dialect")?.as_integer()?.try_into().ok());
        let is_evident = copy.is_evident;
        Ok(Found { files, is_evident, remarks, time, time_of, dialect })
    }

    fn time(&self, copy: &Copy) -> (Option<DateTime<Utc>>, &'static str) {
        let age = self.age(copy);
        // nbgrader's file is beside the work. Elsewhere it is the student's.
        let mut people = self.submission.deliveries.iter();
        let stamped = || {
            let is_nbgraders = people.any(|it| it.platform == NBGRADER);
            let text = self.text(&copy.root, "timestamp.txt");
            times::zoned(&text.filter(|_| is_nbgraders)?)
        };
        if let Some(time) = age.delivered.or_else(stamped) {
            return (Some(time), "platform");
        }
        let repositories = self.submission.walked.repositories.iter();
        let around = repositories.filter(|it| copy.root.starts_with(&it.0));
        let nearest = around.max_by_key(|it| it.0.len());
        match nearest.and_then(|it| commit::time(&it.1)) {
            Some(time) => (Some(time), "commit"),
            None => (age.written, "file"),
        }
    }

    /// Why nothing was found, and what there is.
    fn what_is_there(&self) -> String {
        let there = self.leaves().iter().map(Leaf::shown);
        let left_out = self.submission.walked.left_out.iter();
        let left_out =
            left_out.map(|(at, why)| format!("{}: {why}", at.join("/")));
        let mut lines: Vec<_> = there.chain(left_out).collect();
        shorten(&mut lines, SHOWN_MAX);
        let there: String = match lines.is_empty() {
            true => " nothing at all".into(),
            false => lines.iter().map(|it| format!("\n  {it}")).collect(),
        };
        let wanted = self.sought.assignment.files.join(", ");
        format!("not found: {wanted}\nThere is:{there}")
    }
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
    fn compare(&self, other: &Self) -> Ordering {
        let written = match (self.written, other.written) {
            (Some(a), Some(b)) if (a - b).abs() >= SAME_TIME => a.cmp(&b),
            _ => Ordering::Equal,
        };
        let delivered = self.delivered.cmp(&other.delivered);
        delivered
            .then(self.attempt.cmp(&other.attempt))
            .then(written)
            .then(self.mark.cmp(&other.mark))
    }
}

/// Keeps the first lines, and says how many others there were.
fn shorten(lines: &mut Vec<String>, most: usize) {
    let more = lines.len().saturating_sub(most);
    lines.truncate(most);
    lines.extend((more > 0).then(|| format!("and {more} more")));
}

/// Editors of Windows begin a text with this mark, which is no part of it.
fn without_mark(bytes: Vec<u8>) -> Vec<u8> {
    match bytes.strip_prefix("\u{feff}".as_bytes()) {
        Some(text) => text.to_vec(),
        None => bytes,
    }
}
