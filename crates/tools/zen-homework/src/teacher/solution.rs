//! The solution as diffs: what each stage adds to the earlier ones.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use zen_harness::process;

use super::handout::write;
use super::source;
use super::workshop::Temporary;
use crate::assignment::{Assignment, Stage};
use crate::project::Project;
use crate::student::print;

/// The name for the state before the first stage.
const STARTER: &str = "starter";

/// How long git may take for a few files.
pub(crate) const GIT_TIME_MAX: Duration = Duration::from_secs(60);

/// Prints what the solution of each stage, or of one, changes. It is taken from
/// the marks in the source, so it is what `verify` has checked.
pub fn solution(
    project: &Project,
    name: &str,
    stage: Option<&str>,
) -> Result<(), String> {
    let assignment = project.assignment(name)?;
    let names: Vec<_> =
        assignment.stages.iter().map(|it| it.name.as_str()).collect();
    if let Some(stage) = stage.filter(|stage| !names.contains(stage)) {
        let names = names.join(", ");
        return Err(format!("there is no stage {stage:?}, but {names}"));
    }
    let folder = Temporary::new()?;
    let before = source::starter(&assignment)?;
    write(&before, &folder.0.join(STARTER))?;
    let mut text = String::new();
    let mut before = STARTER;
    for (index, &name) in names.iter().enumerate() {
        let solved = |it: &str| names[..=index].contains(&it);
        let after = source::solved(&assignment, &solved)?;
        write(&after, &folder.0.join(name))?;
        if stage.is_none_or(|stage| stage == name) {
            text += &told(&assignment, index, &diff(&folder.0, before, name)?);
        }
        before = name;
    }
    print(&text)
}

fn told(assignment: &Assignment, index: usize, diff: &str) -> String {
    let Stage { name, title, points, .. } = &assignment.stages[index];
    let diff = match diff {
        "" => "What the stages before it have done is enough.\n",
        diff => diff,
    };
    format!("# {name}: {title} ({points} points)\n{diff}\n")
}

/// The difference between two folders in `inside`.
fn diff(inside: &Path, before: &str, after: &str) -> Result<String, String> {
    let mut git = Command::new("git");
    git.args(["diff", "--no-index", "--no-color", "--no-ext-diff"]);
    git.args(["--no-prefix", "--", before, after]).current_dir(inside);
    let diff = process::run(&mut git, GIT_TIME_MAX);
    let diff = diff.map_err(|err| err.to_string())?;
    // As with diff(1), status 1 means that there are differences.
    match diff.status.and_then(|it| it.code()) {
        Some(0 | 1) => Ok(diff
            .output
            .iter()
            .fold(String::new(), |all, it| all + it + "\n")),
        _ => Err(format!("git diff: {}", diff.errors.join("\n"))),
    }
}
