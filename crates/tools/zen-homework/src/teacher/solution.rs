//! The solution as diffs: what each stage adds to those before it.

use std::path::Path;
use std::process::Command;

use super::handout::write;
use super::source;
use super::workshop::Temporary;
use crate::assignment::{Assignment, Stage};
use crate::project::{Project, cannot_run};
use crate::student::print;

/// What stands for the state before the first stage.
const STARTER: &str = "starter";

/// Prints what the solution of each stage, or of this one, changes. Taken from
/// the marks in the source, so it is what `verify` has seen pass.
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

/// What has changed from one folder in `inside` to another.
fn diff(inside: &Path, before: &str, after: &str) -> Result<String, String> {
    let mut git = Command::new("git");
    git.args(["diff", "--no-index", "--no-color", "--no-ext-diff"]);
    git.args(["--no-prefix", "--", before, after]).current_dir(inside);
    let output = git.output().map_err(|err| cannot_run(&git, &err))?;
    // As diff(1) has it: 1 says that there are differences.
    match output.status.code() {
        Some(0 | 1) => Ok(String::from_utf8_lossy(&output.stdout).into()),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("git diff: {}", said.trim()))
        }
    }
}
