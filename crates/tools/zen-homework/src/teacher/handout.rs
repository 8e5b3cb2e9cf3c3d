//! A workspace for students: starters, hints, and the tools that check them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use zen_harness::process::Process;
use zen_harness::workspace;

use super::packages;
use super::pages;
use super::source::{self, Files};
use crate::assignment::Assignment;
use crate::at::At;
use crate::project::{KEPT, Project};

const ALIAS: &str = "\
[alias]
homework = \"run --quiet --package zen-homework --\"
";

/// How long cargo may take to write a lock file.
const TIME_MAX: Duration = Duration::from_secs(120);

const IGNORED: &str = "target/\n";

/// It takes effect once a handout has a repository of its own.
const WORKFLOW: &str = include_str!("workflow.yml");

/// The placeholder for a version in what platforms are given.
pub(crate) const RUST: &str = "RUST_VERSION";

/// Hands assignments out into a folder that is empty or does not exist yet, or
/// adds them to an earlier handout, in which no student's file is touched.
pub fn handout(
    project: &Project,
    names: &[String],
    to: &Path,
    with_ci: bool,
    dialect: Option<u64>,
) -> Result<(), String> {
    let earlier = match to.join(KEPT).is_dir() {
        true => Project::around(to)?.assignments()?,
        false => Vec::new(),
    };
    let has = |name: &OsStr| earlier.iter().any(|it| name == &*it.name);
    if let Some(name) = names.iter().find(|it| has(OsStr::new(it))) {
        return Err(format!("{} already has {name}", to.display()));
    }
    let earlier_ones = earlier
        .iter()
        .map(|it| project.assignment(&it.name)?.in_dialect(it.dialect));
    let new_ones =
        names.iter().map(|name| project.assignment(name)?.in_dialect(dialect));
    let mut assignments =
        earlier_ones.chain(new_ones).collect::<Result<Vec<_>, _>>()?;
    assignments.sort_by_key(|it| it.number);
    let is_taken =
        fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken && earlier.is_empty() {
        let to = to.display();
        return Err(format!("{to} is not empty, and no earlier handout"));
    }
    let mut files = handed_out(project, &assignments)?;
    if with_ci {
        files.push(workflow(&assignments)?);
    }
    // What a student has by now may be changed, and so may its starter.
    files.retain(|(path, _)| {
        let starter =
            path.strip_prefix(KEPT).and_then(|it| it.strip_prefix("starter"));
        let path = starter.unwrap_or(path);
        !path.iter().next().is_some_and(has)
    });
    write(&files, to).and_then(|()| forget_other_packages(to)).inspect_err(
        |_| {
            // A partial handout would only be in the way next time.
            if earlier.is_empty() {
                fs::remove_dir_all(to).ok();
            }
        },
    )
}

/// All files of a handout.
pub(crate) fn handed_out(
    project: &Project,
    assignments: &[Assignment],
) -> Result<Files, String> {
    let names: Vec<_> = assignments.iter().map(|it| it.name.as_str()).collect();
    let mut files = packages::needed(&project.root, &names)?;
    for assignment in assignments {
        for (path, bytes) in source::starter(assignment)? {
            let place = Path::new(&assignment.name).join(&path);
            if assignment.may_change(&path) {
                let kept = Path::new(KEPT).join("starter").join(&place);
                files.push((kept, bytes.clone()));
            }
            files.push((place, bytes));
        }
    }
    files.extend(pages::pages(project, assignments)?);
    files.push(("README.md".into(), readme(assignments).into_bytes()));
    files.push((".cargo/config.toml".into(), ALIAS.into()));
    files.push((".gitignore".into(), IGNORED.into()));
    Ok(files)
}

/// Writes files into a folder.
pub(crate) fn write(files: &Files, to: &Path) -> Result<(), String> {
    for (path, bytes) in files {
        let path = to.join(path);
        let folder = path.parent().unwrap_or(to);
        fs::create_dir_all(folder).at(folder)?;
        fs::write(&path, bytes).at(path)?;
    }
    Ok(())
}

/// Keeps in Cargo.lock only the packages that a handout needs, in the same
/// versions.
pub(crate) fn forget_other_packages(folder: &Path) -> Result<(), String> {
    let mut cargo = workspace::cargo(folder);
    cargo.args(["update", "--quiet", "--workspace", "--offline"]);
    // If we were killed, cargo would write into a folder that is gone.
    let ended = Process::spawn(&mut cargo).and_then(|mut it| it.wait(TIME_MAX));
    match ended.map_err(|err| err.to_string())? {
        Some(status) if status.success() => Ok(()),
        _ => Err("cargo cannot write the handout's Cargo.lock".into()),
    }
}

/// A workflow that checks these assignments with the Rust that is here.
pub(crate) fn workflow(
    assignments: &[Assignment],
) -> Result<(PathBuf, Vec<u8>), String> {
    let step = |name: &str| {
        format!("      - run: cargo homework check {name} --report github=-\n")
    };
    // Check every assignment, even if an earlier one fails.
    let condition = "        if: ${{ !cancelled() }}\n";
    let steps = assignments.iter().map(|it| step(&it.name) + condition);
    let workflow = WORKFLOW.replace(RUST, &rust()?);
    let text = workflow + &steps.collect::<String>();
    Ok((".github/workflows/homework.yml".into(), text.into_bytes()))
}

/// The version of Rust with which this workspace is built here. Platforms are
/// told to use it, so that they do not change to another during a course.
pub(crate) fn rust() -> Result<String, String> {
    let said = Command::new("rustc").arg("--version").output();
    let said = said.map_err(|err| format!("cannot start rustc: {err}"))?;
    let said = String::from_utf8_lossy(&said.stdout);
    let version = said.split_whitespace().nth(1);
    let version = version.ok_or("rustc does not say its version")?;
    Ok(version.to_string())
}

/// The README that a student reads first.
fn readme(assignments: &[Assignment]) -> String {
    let mut text = String::from(include_str!("handout.md"));
    for assignment in assignments {
        let Assignment { name, title, pages, minutes, .. } = assignment;
        let files = assignment.files.iter().map(|it| format!("`{name}/{it}`"));
        let files = files.collect::<Vec<_>>().join(", ");
        let mut notes = String::new();
        if let Some(file) = &assignment.start {
            notes += &format!(
                "In any language: `{name}/{file}` says how your server is \
                built and started.\n\n"
            );
        }
        if assignment.dialect.is_some() {
            notes += &format!(
                "It uses a dialect of the contract: `{name}/DIALECT.md` has \
                its words.\n\n"
            );
        }
        let stages = assignment.stages.iter().map(|it| {
            format!("| `{}` | {} | {} |\n", it.name, it.title, it.points)
        });
        text += &format!(
            "\n## {name}: {title}\n\n\
            [What is asked, and what the checker tries]({name}/README.md). \
            Pages {pages},\nabout {minutes} minutes, on {}. Yours: {files}.\
            \n\n{notes}| stage | what is asked | points |\n|---|---|---|\n{}",
            assignment.systems(),
            stages.collect::<String>()
        );
    }
    text
}
