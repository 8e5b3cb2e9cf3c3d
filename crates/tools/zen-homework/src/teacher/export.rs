//! An assignment for a platform that runs autograders: a handout, and the
//! scripts that start it there.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::handout::{
    self, RUST, forget_other_packages, handed_out, workflow, write,
};
use super::source::{Files, files_below};
use super::workshop::Temporary;
use crate::assignment::Assignment;
use crate::at::At;
use crate::project::Project;

/// The scripts' placeholders for an assignment's name and packages.
const NAME: &str = "ASSIGNMENT_NAME";
const PACKAGES: &str = "ASSIGNMENT_PACKAGES";

/// A platform that grades a class on its own machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// A zip with setup.sh and run_autograder
    Gradescope,
    /// The files for CLASSROOM/autograders/ASSIGNMENT
    Classroom50,
    /// A workflow for the repository of a handout
    GithubActions,
}

/// Writes what a platform needs: a zip for Gradescope, otherwise a folder.
pub fn export(
    project: &Project,
    platform: Platform,
    name: &str,
    dialect: Option<u64>,
    to: &Path,
) -> Result<(), String> {
    let assignment = project.assignment(name)?.in_dialect(dialect)?;
    let rust = handout::rust()?;
    let script = |path: &str, text: &str| {
        let mut text = text.replace(PACKAGES, &assignment.packages.join(" "));
        // Cargo has a package only for what it builds.
        if !assignment.is_cargos() {
            text = text.replace(&format!(" --package {NAME}"), "");
        }
        let text = text.replace(NAME, name).replace(RUST, &rust);
        (PathBuf::from(path), text.into_bytes())
    };
    let scripts = match platform {
        Platform::Gradescope => [
            script("setup.sh", include_str!("export/setup.sh")),
            script("run_autograder", include_str!("export/run_autograder")),
        ],
        Platform::Classroom50 => [
            script("autograder.py", include_str!("export/autograder.py")),
            script("runtime.json", include_str!("export/runtime.json")),
        ],
        Platform::GithubActions => {
            return write_new(&vec![workflow(&[assignment])?], to);
        }
    };
    let mut files = graded_project(project, assignment)?;
    files.extend(scripts);
    match platform {
        Platform::Gradescope => is_free(to).and_then(|()| zip(&files, to)),
        _ => write_new(&files, to),
    }
}

fn is_free(path: &Path) -> Result<(), String> {
    match path.exists() {
        true => Err(format!("{} already exists", path.display())),
        false => Ok(()),
    }
}

/// Writes files into a folder, which may hold others.
fn write_new(files: &Files, to: &Path) -> Result<(), String> {
    files.iter().try_for_each(|(path, _)| is_free(&to.join(path)))?;
    write(files, to)
}

/// A handout in the folder `project`.
fn graded_project(
    project: &Project,
    assignment: Assignment,
) -> Result<Files, String> {
    let folder = Temporary::new()?;
    let root = folder.0.join("project");
    write(&handed_out(project, &[assignment])?, &root)?;
    forget_other_packages(&root)?;
    files_below(&folder.0)
}

fn zip(files: &Files, to: &Path) -> Result<(), String> {
    let mut zip = ZipWriter::new(File::create(to).at(to)?);
    for (path, bytes) in files {
        let is_script = path.parent() == Some(Path::new(""));
        let mode = if is_script { 0o755 } else { 0o644 };
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .unix_permissions(mode);
        let path = path.to_string_lossy().replace('\\', "/");
        zip.start_file(path, options).at(to)?;
        zip.write_all(bytes).at(to)?;
    }
    zip.finish().map(drop).at(to)
}
