//! The time of the last commit in a student's repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use chrono::{DateTime, Utc};
use zen_harness::process;

use crate::files::FILE_BYTES_MAX;
use crate::teacher::solution::GIT_TIME_MAX;
use crate::teacher::workshop::Temporary;

/// When the commit that is checked out was made. Git runs in a repository of
/// ours and only reads the student's objects, because a repository's own
/// settings can make Git run any command.
pub(crate) fn time(repository: &Path) -> Option<DateTime<Utc>> {
    let commit = head(repository)?;
    let ours = Temporary::new().ok()?;
    let git = || {
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        git.current_dir(&ours.0);
        git
    };
    let run = |git: &mut Command| process::output_of(git, GIT_TIME_MAX).ok();
    run(git().args(["init", "--quiet", "--bare", "."]))?;
    let mut show = git();
    show.env("GIT_OBJECT_DIRECTORY", repository.join("objects"));
    let text = run(show.args(["cat-file", "commit", &commit]))?;
    // "committer NAME <EMAIL> SECONDS ZONE"
    let line = text.lines().find(|it| it.starts_with("committer "))?;
    let seconds = line.rsplit(' ').nth(1)?.parse().ok()?;
    DateTime::from_timestamp(seconds, 0)
}

/// The commit that is checked out.
fn head(repository: &Path) -> Option<String> {
    let read = |name: &str| {
        let path = repository.join(name);
        let is_file = fs::symlink_metadata(&path)
            .is_ok_and(|it| it.is_file() && it.len() <= FILE_BYTES_MAX);
        is_file.then(|| fs::read_to_string(path).ok()).flatten()
    };
    let head = read("HEAD")?;
    let commit = match head.trim().strip_prefix("ref: ") {
        None => head.trim().to_string(),
        Some(name) if name.contains("..") => return None,
        Some(name) => {
            read(name).map(|it| it.trim().to_string()).or_else(|| {
                let packed = read("packed-refs")?;
                let mut lines =
                    packed.lines().filter_map(|it| it.split_once(' '));
                lines.find(|it| it.1 == name).map(|it| it.0.to_string())
            })?
        }
    };
    let is_hash =
        commit.len() >= 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
    is_hash.then_some(commit)
}
