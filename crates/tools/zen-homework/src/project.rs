//! Where assignments are: in the workspace in which they were written, or in a
//! handout.

use std::fs;
use std::io;
use std::path::{self, Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use zen_harness::process::Process;
use zen_harness::workspace;

use crate::assignment::{Assignment, BUILT};

/// The folder of a handout for what its tools need.
pub(crate) const KEPT: &str = ".homework";

/// A Cargo workspace with assignments in it.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder of its Cargo.toml.
    pub root: PathBuf,
    /// Whether it is a handout.
    pub is_handout: bool,
    /// Cargo's target directory, if it is not the default.
    pub target: Option<PathBuf>,
}

/// The program, if Cargo builds it, or in a line why there is none.
pub type Built = Result<PathBuf, String>;

impl Project {
    /// The project that contains this folder.
    pub fn around(folder: &Path) -> Result<Self, String> {
        let folder = whole_path(folder)?;
        for root in folder.ancestors() {
            let is_handout = root.join(KEPT).is_dir();
            if is_handout || root.join("crates/homework").is_dir() {
                let (root, target) = (root.into(), None);
                return Ok(Self { root, is_handout, target });
            }
        }
        Err("there is no homework in this folder, nor in those above it".into())
    }

    /// The folder of the assignment with this name, whether it exists or not.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        match self.is_handout {
            true => self.root.join(name),
            false => self.root.join("crates/homework").join(name),
        }
    }

    /// All assignments, in order.
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

    /// The assignment with this name.
    pub fn assignment(&self, name: &str) -> Result<Assignment, String> {
        let folder = self.folder(name);
        match folder.join("assignment.toml").is_file() {
            true => Assignment::load(&folder),
            false => Err(format!("there is no assignment {name:?}")),
        }
    }

    /// The command that builds the assignment, if it needs one.
    fn build_command(
        &self,
        assignment: &Assignment,
    ) -> Result<Option<Command>, String> {
        let start = assignment.start()?;
        if assignment.start.is_some() {
            if let Some(why) = assignment.lacks() {
                return Err(why);
            }
            // Most compilers do not make the folder of what they write.
            let built = start.folder.join(BUILT);
            fs::create_dir_all(&built)
                .map_err(|err| format!("{}: {err}", built.display()))?;
        }
        let mut command = match start.build {
            Some(words) => {
                let program = words.first().map_or("", String::as_str);
                let mut command = Command::new(program);
                command.args(words.iter().skip(1)).stdin(Stdio::null());
                command.current_dir(assignment.place());
                command
            }
            None if !assignment.is_cargos() => return Ok(None),
            None => {
                let mut cargo = workspace::cargo(&assignment.place());
                cargo.args(["build", "--quiet", workspace::MESSAGES]);
                cargo.args(["--package", &assignment.name]);
                cargo
            }
        };
        // A student's own use of Cargo puts its program where `check` does.
        if let Some(target) = &self.target
            && assignment.is_cargos()
        {
            command.env("CARGO_TARGET_DIR", target);
        }
        Ok(Some(command))
    }

    /// Builds an assignment; `prepare` may change the command first.
    pub fn build(
        &self,
        assignment: &Assignment,
        prepare: impl FnOnce(Command) -> Result<Command, String>,
    ) -> Result<Built, String> {
        assignment.runs_here()?;
        let mut command = match self.build_command(assignment) {
            Ok(Some(command)) => prepare(command)?,
            Ok(None) => return Ok(Ok(PathBuf::new())),
            Err(what) => return Ok(Err(what)),
        };
        if assignment.is_cargos() {
            command.stdout(Stdio::piped());
        }
        let seconds = assignment.build_seconds;
        let build = Process::spawn(&mut command);
        let mut build = build.map_err(|err| err.to_string())?;
        let ended = build.wait(Duration::from_secs(seconds));
        Ok(match ended.map_err(|err| err.to_string())? {
            Some(it) if !it.success() => Err("it does not build".into()),
            None => Err(format!("it is not built within {seconds} s")),
            Some(_) if !assignment.is_cargos() => Ok(PathBuf::new()),
            Some(_) => {
                let output = &build.output;
                let all = output.wait_for_end(Duration::from_secs(8));
                all.map_err(|err| err.to_string())?;
                let lines = output.lines();
                let lines = lines.iter().map(String::as_str);
                let name = &assignment.name;
                let program = workspace::programs_in(lines).remove(name);
                program.ok_or_else(|| format!("cargo built no {name}"))
            }
        })
    }
}

/// The absolute path of a folder. On Windows, `canonicalize` would begin it
/// with `\\?\`, and some programs cannot run in such a folder.
pub fn whole_path(folder: &Path) -> Result<PathBuf, String> {
    let path = match cfg!(windows) {
        true => path::absolute(folder),
        false => folder.canonicalize(),
    };
    path.map_err(|err| err.to_string())
}

/// Copies the files of an assignment that a student may change from one folder
/// to another, and returns their number.
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
            // Writing gives the file a new time, so Cargo notices the change.
            fs::write(to, fs::read(from.join(file))?)
        };
        copy().map_err(|err| format!("{}: {err}", file.display()))?;
    }
    Ok(files.len())
}

/// Deletes the files of an assignment that a student may change.
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

/// Gives a folder with everything in it to a user, if there is one.
#[cfg(unix)]
pub(crate) fn give(path: &Path, user: Option<u32>) -> Result<(), String> {
    use std::os::unix::fs::lchown;
    let Some(user) = user else { return Ok(()) };
    let in_path = |err| format!("{}: {err}", path.display());
    lchown(path, Some(user), Some(user)).map_err(in_path)?;
    if fs::symlink_metadata(path).map_err(in_path)?.is_dir() {
        for entry in fs::read_dir(path).map_err(in_path)? {
            give(&entry.map_err(in_path)?.path(), Some(user))?;
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn give(_: &Path, _: Option<u32>) -> Result<(), String> {
    Ok(())
}
