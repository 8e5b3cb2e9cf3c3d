//! Finds the work on an assignment among all that a student has handed in.
//!
//! It takes the files that the assignment lists, at any depth and under the
//! names that browsers and platforms give them. Where that is not clear, it
//! says what is there, and the teacher is asked.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::layout::{self, Who, is_general};
use super::tree::{Leaf, Walked};
use crate::assignment::Assignment;
use crate::files::{FILE_BYTES_MAX, FILES_MAX};
use crate::teacher::source::Files;

/// This many files are named if the work is not among them.
const SHOWN_MAX: usize = 12;

/// The most remarks on one work.
const REMARKS_MAX: usize = 8;

/// The first time that a platform may have written as 14 digits.
const EARLIEST: u64 = 19_700_101_000_000;

/// The files of one work together.
const WORK_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Times of files are that exact, since a zip has only even seconds.
const SAME_TIME: Duration = Duration::from_secs(2);

/// An assignment, and what tells its files from those of the others.
pub(crate) struct Sought<'a> {
    pub(crate) assignment: &'a Assignment,
    pub(crate) starter: &'a Files,
    /// The names of all assignments.
    pub(crate) names: &'a [String],
    /// The files that only this assignment has.
    pub(crate) own_files: BTreeSet<String>,
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
    pub(crate) time: Option<SystemTime>,
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
    is_exact: bool,
}

/// For each file the leaves that it may be, with their likeness.
type Likely<'a> = BTreeMap<&'a Path, Vec<(u8, usize)>>;

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|it| !it.is_empty()).collect()
}

fn same(a: &[String], b: &[&str]) -> bool {
    let is_same = |(a, b): (&String, &&str)| a.eq_ignore_ascii_case(b);
    a.len() == b.len() && a.iter().zip(b).all(is_same)
}

/// A name without what marks a copy: `framing (1)`, `Framing-2`, and
/// `framing-main`; and the number in that mark.
fn unmarked(name: &str) -> (String, u64) {
    let mut name = name.trim().to_lowercase();
    let mut mark = 0;
    // ILIAS begins a name with the time: 20261005083000_framing.
    if let Some((time, rest)) = name.split_once('_') {
        if let (14, Ok(time)) = (time.len(), time.parse()) {
            (name, mark) = (rest.to_string(), time);
        }
    }
    loop {
        let lead =
            name.trim_end_matches(|c: char| c.is_ascii_digit() || c == ')');
        let number = name[lead.len()..].trim_end_matches(')').parse();
        let shorter = match number {
            Ok(number) if lead.ends_with(['(', '-', '_', ' ']) => {
                mark = mark.max(number);
                Some(lead.trim_end_matches(['(', '-', '_', ' ']))
            }
            _ => ["copy", "main", "master"].iter().find_map(|word| {
                let lead = name.strip_suffix(word)?;
                let short = lead.trim_end_matches(['-', '_', ' ']);
                (short.len() < lead.len()).then(|| {
                    mark = mark.max(u64::from(*word == "copy"));
                    short
                })
            }),
        };
        match shorter {
            Some(shorter) if !shorter.is_empty() => name = shorter.to_string(),
            _ => return (name, mark),
        }
    }
}

/// How sure it is that a file of this name is meant: 2 if it is only marked as
/// a copy, 1 if a name is before or behind it, 0 if it is another file.
fn likeness(name: &str, wanted: &str) -> u8 {
    let name = name.to_lowercase();
    let Some((stem, extension)) = wanted.rsplit_once('.') else {
        return if name == wanted { 2 } else { 0 };
    };
    // Windows hides the second one.
    let name = match name.strip_suffix(".txt") {
        Some(short) if short.contains('.') => short,
        _ => &name,
    };
    match name.rsplit_once('.') {
        Some((own, it)) if it == extension => {
            let own = unmarked(own).0;
            let beside = |rest: &str, c: char| {
                rest.len() < own.len() && !c.is_alphanumeric()
            };
            let before = own.strip_suffix(stem).is_some_and(|it| {
                it.chars().next_back().is_some_and(|c| beside(it, c))
            });
            let behind = own.strip_prefix(stem).is_some_and(|it| {
                it.chars().next().is_some_and(|c| beside(it, c))
            });
            match own == stem {
                true => 2,
                false => u8::from(before || behind),
            }
        }
        _ => 0,
    }
}

impl Sought<'_> {
    /// Whether a folder has this assignment's name.
    fn is_its(&self, folder: &str) -> bool {
        let name = &self.assignment.name;
        let lower = folder.to_lowercase();
        unmarked(folder).0 == *name || lower.starts_with(&format!("{name}-"))
    }

    fn is_anothers(&self, folder: &str) -> bool {
        let folder = unmarked(folder).0;
        let others =
            self.names.iter().filter(|it| **it != self.assignment.name);
        let is = |it: &String| {
            folder
                .strip_prefix(&**it)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        others.into_iter().any(is)
    }

    /// The files that may be handed in alone: those that the assignment lists,
    /// and the starter's in the folders that it lists.
    fn single_files(&self) -> Vec<(&Path, &str)> {
        let own = self.assignment.files.iter().map(Path::new);
        let own = own.filter(|it| !it.to_string_lossy().ends_with('/'));
        let starter = self.starter.iter().map(|(path, _)| path.as_path());
        let starter = starter.filter(|it| self.assignment.may_change(it));
        let all: BTreeSet<_> = own.chain(starter).collect();
        all.into_iter()
            .filter_map(|it| Some((it, it.file_name()?.to_str()?)))
            .collect()
    }
}

/// Looks for the work; or says why the teacher has to.
pub(crate) fn find(
    sought: &Sought<'_>,
    submission: &Submission<'_>,
) -> Result<Found, String> {
    let finder = Finder { sought, submission };
    let mut copies = finder.roots();
    copies.extend(finder.lone(&copies));
    // A folder without a name may be anything.
    if copies.iter().any(|it| it.is_evident) {
        copies.retain(|it| it.is_evident);
    }
    if copies.is_empty() {
        return Err(finder.what_is_there());
    }
    finder.one_student(&copies)?;
    let (copy, remarks) = finder.newest(copies)?;
    finder.take(copy, remarks)
}

struct Finder<'a> {
    sought: &'a Sought<'a>,
    submission: &'a Submission<'a>,
}

impl Finder<'_> {
    fn leaves(&self) -> &[Leaf] {
        &self.submission.walked.leaves
    }

    /// Folders that have the files in their places.
    fn roots(&self) -> Vec<Copy> {
        let mut roots: BTreeMap<Vec<String>, Copy> = BTreeMap::new();
        let mut add = |root: &[String], file: PathBuf, leaf, is_own: bool| {
            let copy = roots.entry(root.to_vec()).or_default();
            copy.files.entry(file).or_insert(leaf);
            copy.is_evident |= is_own;
        };
        for (number, leaf) in self.leaves().iter().enumerate() {
            for file in &self.sought.assignment.files {
                let wanted = parts(file);
                let (path, long) = (&leaf.path, wanted.len());
                let is_own = self.sought.own_files.contains(file);
                if !file.ends_with('/') {
                    let Some(root) = path.len().checked_sub(long) else {
                        continue;
                    };
                    if same(&path[root..], &wanted) {
                        add(&path[..root], file.into(), number, is_own);
                    }
                    continue;
                }
                let last = path.len().saturating_sub(long);
                let root =
                    (0..last).find(|at| same(&path[*at..*at + long], &wanted));
                if let Some(root) = root {
                    let below: PathBuf = path[root + long..].iter().collect();
                    let file = Path::new(file).join(below);
                    let own = file.to_string_lossy().into_owned();
                    let is_own = self.sought.own_files.contains(&own);
                    add(&path[..root], file, number, is_own);
                }
            }
        }
        // A file that is not in a folder is no sign of one.
        let is_placed = |copy: &Copy| {
            copy.files.keys().any(|file| file.components().count() > 1)
        };
        let roots = roots.into_iter();
        let copies =
            roots.map(|(root, copy)| Copy { root, is_exact: true, ..copy });
        copies.filter(is_placed).filter_map(|copy| self.evident(copy)).collect()
    }

    /// Looks for signs that this is a copy of another assignment, or of this
    /// one; without any, it is one only if no other can be meant.
    fn evident(&self, mut copy: Copy) -> Option<Copy> {
        let mut around = vec![self.submission.folder];
        around.extend(copy.root.iter().map(String::as_str));
        let name = around[around.len() - 1];
        let is_named = self.sought.is_its(name);
        let manifest = self.text_of(&copy.root, "Cargo.toml");
        let package = manifest.as_deref().and_then(package);
        let is_anothers = around.iter().any(|it| self.sought.is_anothers(it))
            && !is_named
            || package.as_ref().is_some_and(|it| self.sought.is_anothers(it));
        if is_anothers {
            return None;
        }
        let title = format!("{:?}", self.sought.assignment.title);
        let described = self.text_of(&copy.root, "assignment.toml");
        copy.is_evident |= is_named
            || package.is_some_and(|it| it == self.sought.assignment.name)
            || described.is_some_and(|it| it.contains(&title));
        (copy.is_evident || self.sought.is_only).then_some(copy)
    }

    fn text_of(&self, root: &[String], name: &str) -> Option<String> {
        let leaf = self.leaves().iter().find(|leaf| {
            let (file, folder) = leaf.path.split_last().unzip();
            file.is_some_and(|it| it == name) && folder == Some(root)
        });
        String::from_utf8(leaf?.node.read().ok()?).ok()
    }

    /// Files outside of their places, those of a folder together.
    fn lone(&self, roots: &[Copy]) -> Vec<Copy> {
        let used: BTreeSet<_> =
            roots.iter().flat_map(|it| it.files.values()).collect();
        let singles = self.sought.single_files();
        let mut found: BTreeMap<&[String], Likely<'_>> = BTreeMap::new();
        for (number, leaf) in self.leaves().iter().enumerate() {
            let Some((name, folder)) = leaf.path.split_last() else { continue };
            let mut around = vec![self.submission.folder];
            around.extend(folder.iter().map(String::as_str));
            let is_anothers =
                around.iter().any(|it| self.sought.is_anothers(it))
                    && !self.sought.is_its(around[around.len() - 1]);
            if used.contains(&number) || is_anothers {
                continue;
            }
            for (path, wanted) in &singles {
                let like = likeness(name, wanted);
                // Beside a whole folder, only a sure copy of its own counts.
                if like > 0 && (roots.is_empty() || like > 1) {
                    let files = found.entry(folder).or_default();
                    files.entry(path).or_default().push((like, number));
                }
            }
        }
        let copies = found.into_iter().map(|(folder, files)| {
            let is_own = files.keys().any(|it| {
                self.sought.own_files.contains(&*it.to_string_lossy())
            });
            (folder, files, is_own)
        });
        copies
            .filter(|(_, _, is_own)| {
                *is_own || (self.sought.is_only && roots.is_empty())
            })
            .flat_map(|(folder, files, is_own)| {
                self.in_folder(folder, files, is_own)
            })
            .collect()
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
            if best == Some(1) && likely.len() > 1 {
                likely.clear();
            }
        }
        files.retain(|_, likely| !likely.is_empty());
        let most = files.values().map(Vec::len).max().unwrap_or(0);
        let root = folder.to_vec();
        let mut copies = Vec::new();
        for number in 0..most {
            let mut copy =
                Copy { root: root.clone(), is_evident, ..Copy::default() };
            for (path, likely) in &files {
                let at = likely.get(number).or(likely.last());
                copy.files.extend(at.map(|it| (path.to_path_buf(), it.1)));
            }
            self.add_neighbours(&mut copy, &files);
            copies.push(copy);
        }
        copies
    }

    /// Where a whole folder may be handed in, the files beside belong to it.
    fn add_neighbours(&self, copy: &mut Copy, known: &Likely<'_>) {
        let folders = self.sought.assignment.files.iter();
        let mut folders = folders.filter(|it| it.ends_with('/'));
        let Some(to) = folders.find(|it| {
            copy.files.keys().any(|file| file.starts_with(it.as_str()))
        }) else {
            return;
        };
        let known: BTreeSet<_> =
            known.values().flatten().map(|it| it.1).collect();
        for (number, leaf) in self.leaves().iter().enumerate() {
            let Some(below) = leaf.path.strip_prefix(&copy.root[..]) else {
                continue;
            };
            if !known.contains(&number) {
                let below: PathBuf = below.iter().collect();
                let file = Path::new(to).join(below);
                copy.files.entry(file).or_insert(number);
            }
        }
    }

    /// Asks if the folders in it seem to be those of several students.
    fn one_student(&self, copies: &[Copy]) -> Result<(), String> {
        let tops = copies.iter().filter_map(|copy| copy.root.first());
        let tops: BTreeSet<_> = tops
            .map(|it| unmarked(it).0)
            .filter(|it| *it != self.sought.assignment.name && !is_general(it))
            .collect();
        match tops.len() {
            0 | 1 => Ok(()),
            _ if self.submission.deliveries.len() > 1 => Ok(()),
            _ => {
                let tops: Vec<_> = tops.into_iter().collect();
                Err(format!(
                    "is this one student, or several? It holds the same work \
                    in {}: give each student's folder",
                    tops.join(", ")
                ))
            }
        }
    }

    fn shown(&self, copy: &Copy) -> String {
        let mut leaves = copy.files.values().map(|it| &self.leaves()[*it]);
        match (&copy.root[..], leaves.next()) {
            (_, Some(leaf)) if !copy.is_exact || copy.root.is_empty() => {
                leaf.path.join("/")
            }
            (root, _) => root.join("/"),
        }
    }

    fn contents(&self, copy: &Copy) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let read = |(path, leaf): (&PathBuf, &usize)| {
            (path.clone(), self.leaves()[*leaf].node.read().ok())
        };
        copy.files.iter().take(FILES_MAX).map(read).collect()
    }

    fn is_starter(&self, copy: &Copy) -> bool {
        let starter: BTreeMap<_, _> =
            self.sought.starter.iter().map(|(path, it)| (path, it)).collect();
        self.contents(copy).iter().all(|(path, bytes)| {
            let (own, given) = (bytes.as_ref(), starter.get(path));
            own.is_some() && own == given.copied()
        })
    }

    /// The newest of several copies, and what to say about the others.
    fn newest(
        &self,
        mut copies: Vec<Copy>,
    ) -> Result<(Copy, Vec<String>), String> {
        let mut remarks = Vec::new();
        if copies.len() > 1 {
            let written: Vec<_> =
                copies.iter().map(|it| !self.is_starter(it)).collect();
            if written.contains(&true) {
                let mut written = written.into_iter();
                copies.retain(|_| written.next() == Some(true));
            }
            let mut seen = BTreeSet::new();
            copies.retain(|it| seen.insert(self.contents(it)));
        }
        let mut best = copies[0].clone();
        for copy in &copies[1..] {
            if self.compare(copy, &best) == Ordering::Greater {
                best = copy.clone();
            }
        }
        let same = copies
            .iter()
            .filter(|it| self.compare(it, &best) == Ordering::Equal);
        let names: Vec<_> = copies.iter().map(|it| self.shown(it)).collect();
        let names = names.join(" and ");
        if same.count() > 1 {
            return Err(format!(
                "two copies, and nothing says which is newer: {names}"
            ));
        }
        if copies.len() > 1 {
            let newest = self.shown(&best);
            remarks.push(format!("{names}: the newest, {newest}, was taken"));
        }
        Ok((best, remarks))
    }

    /// The platform's time and number of a copy, the newest time of a file, and
    /// the number that a browser has added.
    fn age(
        &self,
        copy: &Copy,
    ) -> (Option<SystemTime>, u64, Option<SystemTime>, u64) {
        let leaves = || copy.files.values().map(|it| &self.leaves()[*it]);
        let who = |leaf: &Leaf| &self.submission.deliveries[leaf.delivery];
        let mark = |leaf: &Leaf| {
            let marks = leaf.path.iter().map(|part| {
                let stem = part.rsplit_once('.').map_or(&**part, |it| it.0);
                unmarked(stem).1
            });
            marks.max().unwrap_or(0)
        };
        // A mark that is a time is the platform's.
        let attempt = |leaf: &Leaf| match mark(leaf) {
            time @ EARLIEST.. => time,
            _ => who(leaf).attempt,
        };
        (
            leaves().filter_map(|it| who(it).time).max().map(SystemTime::from),
            leaves().map(attempt).max().unwrap_or(0),
            leaves().filter_map(|it| it.node.time).max(),
            leaves().map(mark).max().unwrap_or(0),
        )
    }

    fn compare(&self, a: &Copy, b: &Copy) -> Ordering {
        let (a, b) = (self.age(a), self.age(b));
        let by_time = match (a.2, b.2) {
            (Some(one), Some(other)) => {
                let apart = one.duration_since(other);
                let apart = apart.unwrap_or_else(|err| err.duration());
                match apart < SAME_TIME {
                    true => Ordering::Equal,
                    false => one.cmp(&other),
                }
            }
            _ => Ordering::Equal,
        };
        let by_platform = a.0.cmp(&b.0).then(a.1.cmp(&b.1));
        by_platform.then(by_time).then(a.3.cmp(&b.3))
    }

    /// Reads the files of a copy.
    fn take(
        &self,
        copy: Copy,
        mut remarks: Vec<String>,
    ) -> Result<Found, String> {
        let listed = &self.sought.assignment.files;
        let mut files = Files::new();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        if copy.files.len() > FILES_MAX {
            return Err(format!("there are more than {FILES_MAX} files"));
        }
        for (path, number) in &copy.files {
            let leaf = &self.leaves()[*number];
            let shown = leaf.path.join("/");
            let is_listed = listed.iter().any(|it| Path::new(it) == path);
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
            taken.push(leaf);
            let own = leaf.path.last().map(Path::new);
            if !copy.is_exact && own != path.file_name().map(Path::new) {
                remarks
                    .push(format!("{shown} was taken for {}", path.display()));
            }
        }
        let has =
            |it: &&String| files.iter().any(|(path, _)| path.starts_with(it));
        for missing in listed.iter().filter(|it| !has(it)) {
            remarks
                .push(format!("{missing} is missing: the starter's is used"));
        }
        for (path, why) in &self.submission.walked.left_out {
            let inside = path.strip_prefix(&copy.root[..]).unwrap_or(&[]);
            let inside: PathBuf = inside.iter().collect();
            if self.sought.assignment.may_change(&inside) {
                remarks.push(format!("left out: {}: {why}", path.join("/")));
            }
        }
        if remarks.len() > REMARKS_MAX {
            let more = remarks.len() - REMARKS_MAX;
            remarks.truncate(REMARKS_MAX);
            remarks.push(format!("and {more} more"));
        }
        let (time, time_of) = self.time(&copy, &taken);
        let dialect = self.text_of(&copy.root, "assignment.toml");
        Ok(Found {
            files,
            is_evident: copy.is_evident,
            remarks,
            time,
            time_of,
            dialect: dialect
                .filter(|_| copy.is_exact)
                .map(|it| dialect_in(&it)),
        })
    }

    fn time(
        &self,
        copy: &Copy,
        taken: &[&Leaf],
    ) -> (Option<SystemTime>, &'static str) {
        // nbgrader's file is beside the work. Elsewhere it is the student's.
        let mut people = self.submission.deliveries.iter();
        let stamped = people
            .any(|who| who.platform == layout::NBGRADER)
            .then(|| self.text_of(&copy.root, "timestamp.txt"))
            .flatten();
        let stamped = stamped.and_then(|it| layout::utc(&it)).map(Into::into);
        if let Some(time) = self.age(copy).0.or(stamped) {
            return (Some(time), "platform");
        }
        let repositories = self.submission.walked.repositories.iter();
        let around = repositories.filter(|it| copy.root.starts_with(&it.0));
        let nearest = around.max_by_key(|it| it.0.len());
        if let Some(time) = nearest.and_then(|it| super::commit::time(&it.1)) {
            return (Some(time), "commit");
        }
        let times = taken.iter().filter_map(|it| it.node.time);
        (times.max(), "file")
    }

    /// Why nothing was found, and what there is.
    fn what_is_there(&self) -> String {
        let walked = self.submission.walked;
        let mut lines: Vec<_> =
            self.leaves().iter().map(|it| it.path.join("/")).collect();
        let left_out = walked.left_out.iter();
        lines.extend(
            left_out.map(|(at, why)| format!("{}: {why}", at.join("/"))),
        );
        let more = lines.len().saturating_sub(SHOWN_MAX);
        lines.truncate(SHOWN_MAX);
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        let wanted = self.sought.assignment.files.join(", ");
        let there: String = match lines.is_empty() {
            true => " nothing at all".into(),
            false => lines.iter().map(|it| format!("\n  {it}")).collect(),
        };
        format!("not found: {wanted}\nThere is:{there}")
    }
}

/// Editors of Windows begin a text with this mark, which is no part of it.
fn without_mark(bytes: Vec<u8>) -> Vec<u8> {
    match bytes.strip_prefix("\u{feff}".as_bytes()) {
        Some(text) => text.to_vec(),
        None => bytes,
    }
}

/// The name of a package in its manifest.
fn package(manifest: &str) -> Option<String> {
    let manifest: toml::Table = manifest.parse().ok()?;
    Some(manifest.get("package")?.get("name")?.as_str()?.to_string())
}

/// The dialect that a handout's description names.
fn dialect_in(described: &str) -> Option<u64> {
    let described: toml::Table =
        described.trim_start_matches('\u{feff}').parse().ok()?;
    described.get("dialect")?.as_integer()?.try_into().ok()
}
