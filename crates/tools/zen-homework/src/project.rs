//! Where assignments are: in the workspace in which they are written, or in one
//! that was handed out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use zen_harness::process::Process;

use crate::assignment::Assignment;

/// What is kept in a handout beside what a student works on.
pub(crate) const KEPT: &str = ".homework";

/// A Cargo workspace with assignments in it.
#[derive(Clone, Debug)]
pub struct Project {
    /// Where its Cargo.toml is.
    pub root: PathBuf,
    /// It was handed out.
    pub is_handout: bool,
    /// Where Cargo builds.
    pub target: PathBuf,
}

/// What came of a build.
#[derive(Debug)]
pub enum Built {
    /// The program, and what the compiler said.
    Program(PathBuf, Vec<String>),
    /// Why not, in a line, and what the compiler said.
    Failed(String, Vec<String>),
}

impl Project {
    /// The project in which this folder is.
    ///
    /// # Errors
    /// There is none.
    pub fn around(folder: &Path) -> Result<Self, String> {
        let folder = folder.canonicalize().map_err(|err| err.to_string())?;
        for root in folder.ancestors() {
            let is_handout = root.join(KEPT).is_dir();
            if is_handout || root.join("crates/homework").is_dir() {
                let target = std::env::var_os("CARGO_TARGET_DIR");
                let target = target.map_or("target".into(), PathBuf::from);
                let target = root.join(target);
                return Ok(Self { root: root.into(), is_handout, target });
            }
        }
        Err("there is no homework in this folder, nor in those above it".into())
    }

    /// Where the assignment of this name is, or would be.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        match self.is_handout {
            true => self.root.join(name),
            false => self.root.join("crates/homework").join(name),
        }
    }

    /// All assignments, in order.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn assignments(&self) -> Result<Vec<Assignment>, String> {
        let entries = fs::read_dir(self.folder(""));
        let entries = entries.map_err(|err| err.to_string())?;
        let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut assignments = folders
            .filter(|folder| folder.join("assignment.toml").is_file())
            .map(|folder| Assignment::load(&folder))
            .collect::<Result<Vec<_>, _>>()?;
        assignments.sort_by_key(|it| (it.number, it.name.clone()));
        Ok(assignments)
    }

    /// The assignment of this name.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn assignment(&self, name: &str) -> Result<Assignment, String> {
        let folder = self.folder(name);
        match folder.join("assignment.toml").is_file() {
            true => Assignment::load(&folder),
            false => Err(format!("there is no assignment {name:?}")),
        }
    }

    /// What builds the assignment, if anything has to.
    ///
    /// # Errors
    /// A student's file should say so, and does not.
    pub(crate) fn build_command(
        &self,
        assignment: &Assignment,
    ) -> Result<Option<Command>, String> {
        let mut command;
        match assignment.start()?.build {
            Some(words) => {
                command =
                    Command::new(words.first().map_or("", String::as_str));
                command.args(words.iter().skip(1));
            }
            None if !assignment.is_cargos() => return Ok(None),
            None => {
                command = Command::new("cargo");
                command.args(["build", "--quiet", "--package"]);
                command.arg(&assignment.name);
            }
        }
        // Nothing of the cargo that has started us.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG") || text.starts_with("CARGO_BIN") {
                command.env_remove(name);
            }
        }
        command.env("CARGO_TARGET_DIR", &self.target);
        command.current_dir(assignment.place()).stdin(Stdio::null());
        Ok(Some(command))
    }

    /// What Cargo builds of this assignment.
    pub(crate) fn program(&self, assignment: &Assignment) -> PathBuf {
        let name =
            format!("{}{}", assignment.name, std::env::consts::EXE_SUFFIX);
        self.target.join("debug").join(name)
    }

    /// Builds an assignment; the compiler speaks for itself.
    ///
    /// # Errors
    /// There is no compiler.
    pub fn build(&self, assignment: &Assignment) -> Result<Built, String> {
        let mut command = match self.build_command(assignment) {
            Ok(Some(command)) => command,
            Ok(None) => {
                let program = self.program(assignment);
                return Ok(Built::Program(program, Vec::new()));
            }
            Err(what) => return Ok(Built::Failed(what, Vec::new())),
        };
        let seconds = assignment.build_seconds;
        let ended = Process::spawn(&mut command)
            .and_then(|mut it| it.wait(Duration::from_secs(seconds)))
            .map_err(|err| err.to_string())?;
        Ok(match ended {
            Some(status) if status.success() => {
                Built::Program(self.program(assignment), Vec::new())
            }
            Some(_) => Built::Failed("it does not build".into(), Vec::new()),
            None => Built::Failed(
                format!("it is not built within {seconds} s"),
                Vec::new(),
            ),
        })
    }
}

pub(crate) fn cannot_run(command: &Command, err: &io::Error) -> String {
    let program = command.get_program().to_string_lossy();
    format!("cannot run {program}: {err}")
}

/// Copies an assignment's files that a student may change from one folder into
/// another, and returns how many there were.
///
/// # Errors
/// Of the system, and that there are too many, or too large ones.
pub fn copy_files(
    assignment: &Assignment,
    from: &Path,
    to: &Path,
) -> Result<usize, String> {
    let files = assignment.files_in(from)?;
    for file in &files {
        let copy = || -> io::Result<()> {
            let to = to.join(file);
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            // Read and written, not copied: it is new, and Cargo sees that.
            fs::write(to, fs::read(from.join(file))?)
        };
        copy().map_err(|err| format!("{}: {err}", file.display()))?;
    }
    Ok(files.len())
}

/// Deletes an assignment's files that a student may change.
///
/// # Errors
/// Of the system.
pub fn remove_files(
    assignment: &Assignment,
    folder: &Path,
) -> Result<(), String> {
    for file in assignment.files_in(folder)? {
        fs::remove_file(folder.join(&file))
            .map_err(|err| format!("{}: {err}", file.display()))?;
    }
    Ok(())
}
