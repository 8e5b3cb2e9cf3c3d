//! What may be the work on an assignment among all that a student has handed
//! in: the files that it lists, at any depth and under the names that browsers
//! and platforms give them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::ptr;

use toml::Table;

use super::layout::Who;
use super::names::{Likeness, likeness, means};
use super::walk::{Leaf, Walked};
use crate::assignment::Assignment;
use crate::teacher::source::Files;

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

/// One of possibly several copies of the work.
#[derive(Clone)]
pub(crate) struct Copy<'a> {
    pub(crate) root: &'a [String],
    /// Where each file belongs, and what it is.
    pub(crate) files: BTreeMap<PathBuf, &'a Leaf>,
    /// It is clear that it is this assignment.
    pub(crate) is_evident: bool,
    /// The files are in their places below the root.
    pub(crate) is_exact: bool,
}

/// For each file what it may be, of one folder.
type Likely<'a> = BTreeMap<&'a Path, Vec<(Likeness, &'a Leaf)>>;

impl Submission<'_> {
    /// What a text file in this folder holds.
    pub(crate) fn text(&self, folder: &[String], name: &str) -> Option<String> {
        let name = name.to_string();
        let mut leaves = self.walked.leaves.iter();
        let leaf =
            leaves.find(|it| it.path.split_last() == Some((&name, folder)));
        String::from_utf8(leaf?.read().ok()?).ok()
    }

    pub(crate) fn table(&self, folder: &[String], name: &str) -> Option<Table> {
        self.text(folder, name)?.parse().ok()
    }
}

impl<'a> Sought<'a> {
    /// All copies of the work. A folder without a name may be anything, so such
    /// copies count only if nothing else is clear.
    pub(crate) fn copies(&self, submission: &Submission<'a>) -> Vec<Copy<'a>> {
        let mut copies = self.placed(submission);
        copies.extend(self.lone(submission, &copies));
        if copies.iter().any(|it| it.is_evident) {
            copies.retain(|it| it.is_evident);
        }
        copies
    }

    /// Folders that have the files in their places.
    fn placed(&self, submission: &Submission<'a>) -> Vec<Copy<'a>> {
        let mut copies = BTreeMap::new();
        for leaf in &submission.walked.leaves {
            for listed in &self.assignment.files {
                let Some((root, file)) = place(&leaf.path, listed) else {
                    continue;
                };
                let copy = copies.entry(root).or_insert_with(|| Copy {
                    root,
                    files: BTreeMap::new(),
                    is_evident: false,
                    is_exact: true,
                });
                copy.is_evident |= self.own_files.contains(&*file);
                copy.files.entry(file).or_insert(leaf);
            }
        }
        let mut copies: Vec<_> = copies.into_values().collect();
        copies.retain_mut(|copy| {
            copy.is_evident |= self.is_described(submission, copy.root);
            // A file that is not in a folder is no sign of one.
            copy.files.keys().any(|it| it.components().count() > 1)
                && !self.is_anothers(submission, copy.root)
                && (copy.is_evident || self.is_only)
        });
        copies
    }

    /// Whether a folder says that it is this assignment's.
    fn is_described(&self, of: &Submission<'_>, folder: &[String]) -> bool {
        let Assignment { name, title, .. } = self.assignment;
        let described = of.table(folder, "assignment.toml");
        let described = described.as_ref().and_then(|it| it.get("title"));
        means(nearest(of, folder), name)
            || package(of, folder).as_ref() == Some(name)
            || described.and_then(|it| it.as_str()) == Some(title)
    }

    /// Whether a folder, or one around it, is that of another assignment.
    fn is_anothers(&self, of: &Submission<'_>, folder: &[String]) -> bool {
        let name = &self.assignment.name;
        let is_one = |it: &str| {
            self.names.iter().any(|other| other != name && means(it, other))
        };
        let mut around = folder.iter().map(String::as_str).chain([of.folder]);
        around.any(is_one) && !means(nearest(of, folder), name)
            || package(of, folder).is_some_and(|it| is_one(&it))
    }

    /// The files that may be handed in alone: those that the assignment lists,
    /// and the starter's in the folders that it lists.
    fn single_files(&self) -> BTreeSet<&'a Path> {
        let own = self.assignment.files.iter().filter(|it| !it.ends_with('/'));
        let starter = self.starter.iter().map(|(path, _)| path.as_path());
        let starter = starter.filter(|it| self.assignment.may_change(it));
        own.map(Path::new).chain(starter).collect()
    }

    /// Files outside of their places, those of a folder together.
    fn lone(
        &self,
        submission: &Submission<'a>,
        placed: &[Copy<'a>],
    ) -> Vec<Copy<'a>> {
        let singles = self.single_files();
        let mut found: BTreeMap<&[String], Likely<'_>> = BTreeMap::new();
        for leaf in &submission.walked.leaves {
            let Some((name, folder)) = leaf.path.split_last() else { continue };
            for path in &singles {
                let wanted = path.file_name().unwrap_or_default();
                let like = likeness(name, &wanted.to_string_lossy());
                // Beside a whole folder, only a sure copy of its own counts.
                let enough =
                    |it: &Likeness| placed.is_empty() || *it == Likeness::Sure;
                let Some(like) = like.filter(enough) else { continue };
                if !placed.iter().any(|it| has(it.files.values(), leaf))
                    && !self.is_anothers(submission, folder)
                {
                    let files = found.entry(folder).or_default();
                    files.entry(path).or_default().push((like, leaf));
                }
            }
        }
        let may_be_any = self.is_only && placed.is_empty();
        let mut copies = Vec::new();
        for (folder, files) in found {
            let is_own = files.keys().any(|it| self.own_files.contains(it));
            if is_own || may_be_any {
                copies
                    .extend(self.in_folder(submission, folder, files, is_own));
            }
        }
        copies
    }

    /// The files that lie in one folder. Of the same file there may be several
    /// copies.
    fn in_folder(
        &self,
        submission: &Submission<'a>,
        root: &'a [String],
        mut files: Likely<'a>,
        is_evident: bool,
    ) -> Vec<Copy<'a>> {
        for likely in files.values_mut() {
            let best = likely.iter().map(|it| it.0).max();
            likely.retain(|it| Some(it.0) == best);
            // Two names that both may be meant are none that is.
            if best == Some(Likeness::Likely) && likely.len() > 1 {
                likely.clear();
            }
        }
        files.retain(|_, likely| !likely.is_empty());
        let neighbours = self.neighbours(submission, root, &files);
        let most = files.values().map(Vec::len).max().unwrap_or(0);
        let copies = (0..most).map(|number| {
            let chosen = files.iter().filter_map(|(path, likely)| {
                let (_, leaf) = likely.get(number).or(likely.last())?;
                Some((path.to_path_buf(), *leaf))
            });
            let files = neighbours.clone().into_iter().chain(chosen).collect();
            Copy { root, files, is_evident, is_exact: false }
        });
        copies.collect()
    }

    /// Where a whole folder may be handed in, the files beside belong to it.
    fn neighbours(
        &self,
        submission: &Submission<'a>,
        root: &[String],
        files: &Likely<'a>,
    ) -> BTreeMap<PathBuf, &'a Leaf> {
        let mut folders = self.assignment.files.iter();
        let Some(to) = folders.find(|it| {
            it.ends_with('/') && files.keys().any(|file| file.starts_with(it))
        }) else {
            return BTreeMap::new();
        };
        let leaves = submission.walked.leaves.iter().filter_map(|leaf| {
            let below = leaf.path.strip_prefix(root)?;
            let is_other = !has(files.values().flatten().map(|it| &it.1), leaf);
            let below = Path::new(to).join(below.iter().collect::<PathBuf>());
            is_other.then_some((below, leaf))
        });
        leaves.collect()
    }
}

fn has<'a>(
    mut leaves: impl Iterator<Item = &'a &'a Leaf>,
    leaf: &Leaf,
) -> bool {
    leaves.any(|it| ptr::eq(*it, leaf))
}

/// The name of a folder; that of the submission, if it is all of it.
fn nearest<'a>(of: &Submission<'a>, folder: &'a [String]) -> &'a str {
    folder.last().map_or(of.folder, |it| it)
}

/// The name of the package in a folder.
fn package(of: &Submission<'_>, folder: &[String]) -> Option<String> {
    let manifest = of.table(folder, "Cargo.toml")?;
    Some(manifest.get("package")?.get("name")?.as_str()?.to_string())
}

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
