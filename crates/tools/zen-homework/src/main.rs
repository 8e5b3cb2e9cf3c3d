//! `zen-homework`: hands out assignments, checks them, and grades a class.
//!
//! ```sh
//! cargo homework check
//! ```

mod command_line;
#[cfg(feature = "teacher")]
mod teaching;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use zen_harness::{inetd, system};

use command_line::{Options, What};
use zen_homework::assignment::Assignment;
use zen_homework::exercise;
use zen_homework::project::{Project, whole_path};
use zen_homework::{student, watch};

fn main() -> ExitCode {
    inetd::be_it_if_told();
    system::take_servers_along();
    let Options { root, what } = Options::parse();
    match run(root, what) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            use std::io::Write;
            writeln!(std::io::stderr(), "zen-homework: {message}").ok();
            ExitCode::from(2)
        }
    }
}

/// Runs a command; true if all is well.
fn run(root: Option<PathBuf>, what: What) -> Result<bool, String> {
    let here = || match &root {
        Some(folder) => Ok(folder.clone()),
        None => std::env::current_dir().map_err(|err| err.to_string()),
    };
    let of = |name: Option<String>| {
        let folder = here()?;
        let project = Project::around(&folder)?;
        let assignment = assignment(&project, &folder, name)?;
        Ok::<_, String>((project, assignment))
    };
    match what {
        What::Check { name, exit_zero, options } => {
            let (project, assignment) = of(name)?;
            let done = student::check(&project, &assignment, &options)?;
            Ok(done || exit_zero)
        }
        What::Watch { name } => {
            let (project, assignment) = of(name)?;
            watch::watch(&project, &assignment).map(|()| true)
        }
        What::Hint { name, stage } => {
            let (project, assignment) = of(name)?;
            let stage = stage.as_deref();
            student::hint(&project, &assignment, stage).map(|()| true)
        }
        What::Reset { name } => {
            let (project, assignment) = of(name)?;
            student::reset(&project, &assignment).map(|()| true)
        }
        What::Status => {
            student::status(&Project::around(&here()?)?).map(|()| true)
        }
        What::Exercise(which) => {
            exercise::exercise(&Project::around(&here()?)?, &which)
        }
        #[cfg(feature = "teacher")]
        What::Teaching(what) => {
            teaching::run(|| Project::around(&here()?), what)
        }
    }
}

/// The named assignment, the one in the current folder, or the only one.
fn assignment(
    project: &Project,
    folder: &std::path::Path,
    name: Option<String>,
) -> Result<Assignment, String> {
    if let Some(name) = name {
        return project.assignment(&name);
    }
    let assignments = project.assignments()?;
    let folder = whole_path(folder)?;
    let here = |it: &&Assignment| folder.starts_with(&it.folder);
    match (assignments.iter().find(here), &assignments[..]) {
        (Some(one), _) | (None, [one]) => Ok(one.clone()),
        (None, all) => {
            let names: Vec<_> = all.iter().map(|it| &*it.name).collect();
            Err(format!("which one? {}", names.join(", ")))
        }
    }
}
