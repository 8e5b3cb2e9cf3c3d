//! The files that a student may change: ordinary files, of a size that a person
//! writes. They are found, copied and deleted here.

use std::fs;
use std::path::{Path, PathBuf};

use crate::at::At;

/// No student writes a larger file by hand.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The most files in the folders that a student may change.
pub(crate) const FILES_MAX: usize = 500;

/// Folders of this name hold build results, wherever they are.
pub(crate) const BUILT: &str = "target";

/// Folders of these names hold what is built, installed or remembered.
const LEFT_OUT: [&str; 11] = [
    BUILT,
    ".git",
    ".gradle",
    ".hg",
    ".idea",
    ".svn",
    ".venv",
    ".vscode",
    "__pycache__",
    "node_modules",
    "venv",
];

/// Whether a folder of this name is not handed in.
pub(crate) fn is_left_out(name: &str) -> bool {
    LEFT_OUT.contains(&name)
}

/// The files of a student, and what is left out of them, with the reason.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) left_out: Vec<String>,
}

/// The ordinary files in `folder` that have these names or are in folders of
/// these names, as relative paths. No link is followed: it might lead anywhere.
pub(crate) fn find(
    named: &[impl AsRef<Path>],
    folder: &Path,
) -> Result<Found, String> {
    let mut found = Found::default();
    let is_link = |part: &Path| folder.join(part).is_symlink();
    for file in named {
        // Without a `/` at its end, which would follow a link.
        let file: PathBuf = file.as_ref().components().collect();
        if !file.ancestors().any(is_link) {
            found.add(folder, &file, true)?;
        }
    }
    found.files.sort();
    found.files.dedup();
    Ok(found)
}

impl Found {
    fn add(
        &mut self,
        folder: &Path,
        file: &Path,
        is_named: bool,
    ) -> Result<(), String> {
        let path = folder.join(file);
        match fs::symlink_metadata(&path) {
            Ok(it) if it.is_dir() => {
                for entry in fs::read_dir(&path).at(file)? {
                    let name = entry.at(file)?.file_name();
                    let (path, file) = (path.join(&name), file.join(&name));
                    let is_left_out = is_left_out(&name.to_string_lossy())
                        || path.join("pyvenv.cfg").is_file();
                    match is_left_out && path.is_dir() {
                        true => {
                            self.left_out.push(format!("{}/", file.display()));
                        }
                        false => self.add(folder, &file, false)?,
                    }
                }
            }
            Ok(it) if it.is_file() && it.len() > FILE_BYTES_MAX => {
                let what = "it has more than 1 MiB";
                let what = format!("{}: {what}", file.display());
                // What is asked for by name cannot be left out.
                if is_named {
                    return Err(what);
                }
                self.left_out.push(what);
            }
            Ok(it) if it.is_file() && self.files.len() == FILES_MAX => {
                return Err(format!("there are more than {FILES_MAX} files"));
            }
            Ok(it) if it.is_file() => self.files.push(file.into()),
            // Any part of a student's folder may be missing.
            _ => {}
        }
        Ok(())
    }
}

/// Copies the files with these names, and returns their number.
pub(crate) fn copy(
    named: &[impl AsRef<Path>],
    from: &Path,
    to: &Path,
) -> Result<usize, String> {
    let files = find(named, from)?.files;
    for file in &files {
        copy_one(&from.join(file), &to.join(file))?;
    }
    Ok(files.len())
}

/// Copies a file. Writing gives it a new time, so Cargo notices the change.
pub(crate) fn copy_one(from: &Path, to: &Path) -> Result<(), String> {
    let made = to.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(to, fs::read(from)?)).at(from)
}

/// Deletes the files with these names.
pub(crate) fn remove(
    named: &[impl AsRef<Path>],
    folder: &Path,
) -> Result<(), String> {
    for file in find(named, folder)?.files {
        fs::remove_file(folder.join(&file)).at(file)?;
    }
    Ok(())
}

/// Copies the files with these names to the first of the folders `to-1`,
/// `to-2` and so on that does not exist. Returns that folder, below `root`, and
/// the number of files.
pub(crate) fn keep(
    named: &[impl AsRef<Path>],
    from: &Path,
    root: &Path,
    to: &str,
) -> Result<(String, usize), String> {
    let mut folders = (1..).map(|number| format!("{to}-{number}"));
    let free = folders.find(|it| !root.join(it).exists()).unwrap_or_default();
    let files = copy(named, from, &root.join(&free))?;
    Ok((free, files))
}

/// Gives a folder with everything in it to a user, if there is one.
#[cfg(unix)]
pub(crate) fn give(path: &Path, user: Option<u32>) -> Result<(), String> {
    use std::os::unix::fs::lchown;
    let Some(user) = user else { return Ok(()) };
    lchown(path, Some(user), Some(user)).at(path)?;
    if fs::symlink_metadata(path).at(path)?.is_dir() {
        for entry in fs::read_dir(path).at(path)? {
            give(&entry.at(path)?.path(), Some(user))?;
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn give(_: &Path, _: Option<u32>) -> Result<(), String> {
    Ok(())
}
