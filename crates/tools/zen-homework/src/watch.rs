//! Checks again whenever a student saves a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use zen_check::report;

use crate::assignment::Assignment;
use crate::files;
use crate::project::Project;
use crate::student::{CheckOptions, check, print};

/// How often `watch` looks for a changed file.
const WATCH_EVERY: Duration = Duration::from_millis(300);

/// Checks again whenever a file has changed, until it is interrupted.
pub fn watch(project: &Project, assignment: &Assignment) -> Result<(), String> {
    let options = CheckOptions::default();
    let folder = &assignment.folder;
    let look = || times(&assignment.files, folder);
    until_done(look, || check(project, assignment, &options).map(|_| false))
}

/// Checks whenever a student has saved a file, until `check` returns true.
pub(crate) fn until_done(
    look: impl Fn() -> Result<Times, String>,
    check: impl Fn() -> Result<bool, String>,
) -> Result<(), String> {
    let mut watched = Watched::default();
    loop {
        if watched.is_saved(&look()?) {
            if report::is_for_a_terminal() {
                print("\x1b[2J\x1b[H")?;
            }
            match check() {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // Keep watching even if a check cannot run.
                Err(message) => print(&format!("{message}\n"))?,
            }
            watched.checked(&look()?);
            print("Waiting for a change; Ctrl-C ends this.\n")?;
        }
        thread::sleep(WATCH_EVERY);
    }
}

/// When each file was last changed.
pub(crate) type Times = BTreeMap<PathBuf, Option<SystemTime>>;

/// Tells the files that a student saves from those that a build or a server
/// writes during a check.
#[derive(Default)]
struct Watched {
    /// The times at the last look; none before the first.
    seen: Option<Times>,
    /// Files that changed during the last check. Either the student saved them
    /// then, or the program writes them in each check.
    during: Vec<PathBuf>,
}

impl Watched {
    /// Whether a student has saved a file since the last look.
    fn is_saved(&mut self, now: &Times) -> bool {
        self.seen.replace(now.clone()).as_ref() != Some(now)
    }

    /// Takes note of what a check has changed. A file that is new is the
    /// program's, and so is one that the check before has changed as well.
    fn checked(&mut self, now: &Times) {
        let seen = self.seen.get_or_insert_default();
        let changed = now.iter().filter(|(file, time)| {
            seen.get(*file).is_some_and(|before| before != *time)
        });
        let changed: Vec<_> = changed.map(|(file, _)| file.clone()).collect();
        let mut known = now.clone();
        for file in changed.iter().filter(|it| !self.during.contains(it)) {
            // Keep the old time, so that the next look finds it saved.
            known.insert(file.clone(), seen[file]);
        }
        *seen = known;
        self.during = changed;
    }
}

/// When each of these files in a folder was changed, without those that editors
/// and interpreters write beside them.
pub(crate) fn times(
    named: &[impl AsRef<Path>],
    folder: &Path,
) -> Result<Times, String> {
    let beside = |part: &str| {
        let ends = ["~", ".swp", ".swo", ".tmp", ".log", ".pyc", ".o"];
        part.starts_with(['.', '#', '~'])
            || part == "__pycache__"
            // Vim tries with this name whether it may write there.
            || part == "4913"
            || ends.iter().any(|end| part.ends_with(end))
    };
    let mut files = files::find(named, folder)?.files;
    files.retain(|it| !it.iter().any(|part| beside(&part.to_string_lossy())));
    let with_time = |file: PathBuf| {
        let metadata = fs::metadata(folder.join(&file));
        let time = metadata.and_then(|it| it.modified()).ok();
        (file, time)
    };
    Ok(files.into_iter().map(with_time).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(files: &[(&str, u64)]) -> Times {
        let time = |at| SystemTime::UNIX_EPOCH + Duration::from_secs(at);
        let entry =
            |&(file, at): &(&str, u64)| (PathBuf::from(file), Some(time(at)));
        files.iter().map(entry).collect()
    }

    #[test]
    fn watch_fires_on_what_a_student_saves_and_not_on_what_a_check_writes() {
        let mut watched = Watched::default();
        assert!(watched.is_saved(&times(&[("main.py", 1)])), "the first look");
        // The server makes a file.
        watched.checked(&times(&[("main.py", 1), ("data", 2)]));
        assert!(!watched.is_saved(&times(&[("main.py", 1), ("data", 2)])));
        assert!(watched.is_saved(&times(&[("main.py", 3), ("data", 2)])));
        // It changes again: this might be a student, but only once.
        let now = times(&[("main.py", 3), ("data", 4)]);
        watched.checked(&now);
        assert!(watched.is_saved(&now));
        let now = times(&[("main.py", 3), ("data", 5)]);
        watched.checked(&now);
        assert!(!watched.is_saved(&now), "it loops");
        // What is saved during a check is not lost.
        assert!(watched.is_saved(&times(&[("main.py", 6), ("data", 5)])));
        let now = times(&[("main.py", 7), ("data", 8)]);
        watched.checked(&now);
        assert!(watched.is_saved(&now));
        // Nor is what a student deletes.
        watched.checked(&now);
        assert!(watched.is_saved(&times(&[("main.py", 7)])));
    }
}
