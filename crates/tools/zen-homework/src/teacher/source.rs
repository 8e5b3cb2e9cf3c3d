//! The files of an assignment, as students get them.

use std::fs;
use std::path::{Path, PathBuf};

use zen_check::Dialect;

use super::markers;
use crate::assignment::Assignment;
use crate::at::At;
use crate::files::BUILT;

/// Files by path, relative to the folder where they will be.
pub(crate) type Files = Vec<(PathBuf, Vec<u8>)>;

/// These files of an assignment are not handed out.
const NOT_HANDED_OUT: [&str; 3] = ["wrong", "teacher.md", BUILT];

/// The files below a folder, in order.
pub(crate) fn files_below(folder: &Path) -> Result<Files, String> {
    let mut files = Files::new();
    let mut open = vec![PathBuf::new()];
    while let Some(at) = open.pop() {
        let folder = folder.join(&at);
        for entry in fs::read_dir(&folder).at(&folder)? {
            let entry = entry.at(&folder)?;
            let path = at.join(entry.file_name());
            let kind = entry.file_type().at(&path)?;
            if kind.is_dir() && entry.file_name() != BUILT {
                open.push(path);
            } else if kind.is_file() {
                files.push((path, fs::read(entry.path()).at(entry.path())?));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The same; none if the folder does not exist.
pub(crate) fn files_below_if_any(folder: &Path) -> Result<Files, String> {
    match folder.is_dir() {
        true => files_below(folder),
        false => Ok(Vec::new()),
    }
}

/// An assignment's files as students get them.
pub(crate) fn starter(assignment: &Assignment) -> Result<Files, String> {
    solved(assignment, &|_| false)
}

/// The same with the solution of these stages.
pub(crate) fn solved(
    assignment: &Assignment,
    is_solved: &dyn Fn(&str) -> bool,
) -> Result<Files, String> {
    let mut files = files_below(&assignment.folder)?;
    files.retain(|(path, _)| {
        !NOT_HANDED_OUT.iter().any(|name| path.starts_with(name))
    });
    for (path, bytes) in &mut files {
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        let text = markers::solved(text, is_solved).map_err(|what| {
            format!("{}: {}: {what}", assignment.name, path.display())
        })?;
        *bytes = text.0.into_bytes();
    }
    speak(assignment, &mut files);
    Ok(files)
}

/// Whether a student has changed none of these files.
pub(crate) fn is_starter(files: &Files, starter: &Files) -> bool {
    files.iter().all(|file| starter.contains(file))
}

/// Names the dialect for the student, and for the examination of the files.
pub(crate) fn speak(assignment: &Assignment, files: &mut Files) {
    let Some(seed) = assignment.dialect else { return };
    for (path, bytes) in files.iter_mut() {
        // A top-level key has to come before the first table.
        if path == Path::new("assignment.toml") {
            *bytes = [format!("dialect = {seed}\n").as_bytes(), bytes].concat();
        }
    }
    let page = include_str!("dialect.md").replace("SEED", &seed.to_string());
    let page = page + &Dialect::new(seed).page();
    files.push(("DIALECT.md".into(), page.into_bytes()));
}
