//! Where assignments are: in the workspace in which they were written, or in a
//! handout. And how they are built there.

use std::env;
use std::fs;
use std::path::{self, Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use zen_harness::process::Process;
use zen_harness::workspace;

use crate::assignment::Assignment;
use crate::at::At;
use crate::files::BUILT;

/// The folder of a handout for what its tools need.
pub(crate) const KEPT: &str = ".homework";

/// The most lines that are shown of a build's output.
const BUILD_LINES_MAX: usize = 60;

/// How long the output of a build that has ended may stay open.
const OUTPUT_TIME_MAX: Duration = Duration::from_secs(8);

/// A Cargo workspace with assignments in it.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder of its Cargo.toml.
    pub root: PathBuf,
    /// Whether it is a handout.
    pub is_handout: bool,
    /// Where a teacher's builds go: without the network, and quietly.
    pub target: Option<PathBuf>,
}

/// The program, if Cargo builds it, or in a line why there is none.
pub type Built = Result<PathBuf, String>;

/// The environment of builds without the network and without the settings of
/// the user. In Go, a program's packages outside the standard library have to
/// be in its `vendor` folder.
pub(crate) fn alone(target: &Path) -> [(&'static str, String); 9] {
    let go = |name| target.join("go").join(name).to_string_lossy().into();
    [
        ("CARGO_NET_OFFLINE", "true".into()),
        ("CARGO_TERM_COLOR", "never".into()),
        // It builds faster, and no one debugs what is built here.
        ("CARGO_PROFILE_DEV_DEBUG", "0".into()),
        ("GOCACHE", go("cache")),
        ("GOPATH", go("path")),
        ("GOPROXY", "off".into()),
        ("GOTOOLCHAIN", "local".into()),
        ("GOENV", "off".into()),
        ("GOFLAGS", String::new()),
    ]
}

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
        let folder = self.folder("");
        let entries = fs::read_dir(&folder).at(&folder)?;
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
        if assignment.is_cargos() {
            let mut cargo = workspace::cargo(&assignment.place());
            cargo.args(["build", "--quiet", workspace::MESSAGES]);
            cargo.args(["--package", &assignment.name]);
            cargo.stdout(Stdio::piped());
            // A student's own use of Cargo does not get this variable, so its
            // program is where the student's file says.
            cargo.envs(self.target.iter().map(|it| ("CARGO_TARGET_DIR", it)));
            return Ok(Some(cargo));
        }
        let start = assignment.start()?;
        if assignment.start.is_some() {
            if let Some(why) = assignment.lacks() {
                return Err(why);
            }
            // Most compilers do not make the folder of what they write.
            let built = start.folder.join(BUILT);
            fs::create_dir_all(&built).at(&built)?;
        }
        let Some(words) = start.build else { return Ok(None) };
        let mut command =
            Command::new(words.first().map_or("", String::as_str));
        command.args(words.iter().skip(1)).current_dir(assignment.place());
        Ok(Some(command))
    }

    /// Builds an assignment. Also returns the first lines that were printed,
    /// unless the user sees them.
    pub fn build(
        &self,
        assignment: &Assignment,
    ) -> Result<(Built, Vec<String>), String> {
        assignment.runs_on(env::consts::OS)?;
        let mut command = match self.build_command(assignment) {
            Ok(Some(command)) => command,
            Ok(None) => return Ok((Ok(PathBuf::new()), Vec::new())),
            Err(what) => return Ok((Err(what), Vec::new())),
        };
        command.stdin(Stdio::null());
        if let Some(target) = &self.target {
            command.envs(alone(target));
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let text = |err: std::io::Error| err.to_string();
        let mut build = Process::spawn(&mut command).map_err(text)?;
        let seconds = assignment.build_seconds;
        let ended = build.wait(Duration::from_secs(seconds)).map_err(text)?;
        // What it has left running would keep its output open.
        build.kill();
        for output in [&build.output, &build.errors] {
            let end = output.wait_for_end(OUTPUT_TIME_MAX);
            end.map_err(|err| err.to_string())?;
        }
        let (output, mut said) = (build.output.lines(), build.errors.lines());
        let program = match assignment.is_cargos() {
            true => {
                let lines = output.iter().map(String::as_str);
                workspace::programs_in(lines).remove(&assignment.name)
            }
            false => {
                said.splice(0..0, output);
                Some(PathBuf::new())
            }
        };
        said.retain(|line| !line.trim().is_empty());
        said.truncate(BUILD_LINES_MAX);
        let built = match ended {
            Some(it) if it.success() => {
                program.ok_or(format!("cargo built no {}", assignment.name))
            }
            Some(_) => Err("it does not build".into()),
            None => Err(format!("it is not built within {seconds} s")),
        };
        Ok((built, said))
    }
}

/// The absolute path of a folder. On Windows, `canonicalize` would begin it
/// with `\\?\`, and some programs cannot run in such a folder.
pub fn whole_path(folder: &Path) -> Result<PathBuf, String> {
    let path = match cfg!(windows) {
        true => path::absolute(folder),
        false => folder.canonicalize(),
    };
    path.at(folder)
}
