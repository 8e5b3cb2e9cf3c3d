//! A handout of its own, in a temporary folder, in which one program after
//! another is built in the place of the starter.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zen_harness::{process, workspace};

use super::handout::{forget_other_packages, handed_out, write};
use super::source::Files;
use crate::assignment::Assignment;
use crate::project::{Built, Project};

/// What a build has printed is shown up to this.
const BUILD_LINES_MAX: usize = 60;
const BUILD_BYTES_MAX: u64 = 64 * 1024;

/// Cargo deletes what it has built in no time, unless another one is at work.
const CLEAN_TIME_MAX: Duration = Duration::from_secs(120);

/// Go without the network, and without anyone's settings. What a program needs
/// beyond Go's own library has to be in its folder `vendor`.
const GO_ALONE: [(&str, &str); 4] = [
    ("GOPROXY", "off"),
    ("GOTOOLCHAIN", "local"),
    ("GOENV", "off"),
    ("GOFLAGS", ""),
];

/// A folder that is deleted when it goes out of scope, or when this process
/// ends in any other way.
#[derive(Debug)]
pub(crate) struct Temporary(pub(crate) PathBuf, Option<Child>);

impl Temporary {
    pub(crate) fn new() -> Result<Self, String> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("zen-homework-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let made = fs::create_dir(&folder);
        made.map_err(|err| format!("{}: {err}", folder.display()))?;
        let heir = heir(&folder).ok();
        Ok(Self(folder, heir))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
        if let Some(heir) = &mut self.1 {
            // Ends its standard input as well.
            heir.wait().ok();
        }
    }
}

/// A shell that deletes the folder when its standard input ends. The other end
/// of that is ours alone: so it ends when we do, even by SIGKILL. Those whom we
/// have started may write for a moment longer: it tries again.
#[cfg(unix)]
fn heir(folder: &Path) -> io::Result<Child> {
    const SCRIPT: &str = r#"read -r _
for _ in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf -- "$1" 2>/dev/null && break
    sleep 1
done"#;
    let mut shell = Command::new("sh");
    // A Ctrl-C is for us, and not for this group.
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    shell.args(["-c", SCRIPT, "sh"]).arg(folder).stdin(Stdio::piped());
    shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

#[cfg(not(unix))]
fn heir(_: &Path) -> io::Result<Child> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) struct Workshop {
    folder: Temporary,
    project: Project,
}

impl Workshop {
    /// With these assignments in it, as they are handed out.
    pub(crate) fn new(
        project: &Project,
        assignments: &[Assignment],
    ) -> Result<Self, String> {
        let folder = Temporary::new()?;
        let root = folder.0.join("project");
        write(&handed_out(project, assignments)?, &root)?;
        forget_other_packages(&root)?;
        let target = Some(folder.0.join("target"));
        let go = folder.0.join("go");
        fs::create_dir(&go)
            .map_err(|err| format!("{}: {err}", go.display()))?;
        let project = Project { root, is_handout: true, target };
        Ok(Self { folder, project })
    }

    /// The assignment of this name, where it is built.
    pub(crate) fn assignment(&self, name: &str) -> Result<Assignment, String> {
        self.project.assignment(name)
    }

    /// Where Go keeps what it has built; the user that builds must own it.
    pub(crate) fn go(&self) -> PathBuf {
        self.folder.0.join("go")
    }

    /// Where there is room for whatever else is temporary.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Puts these files into the folder of an assignment, and nothing else.
    pub(crate) fn put(&self, name: &str, files: &Files) -> Result<(), String> {
        let folder = self.project.folder(name);
        fs::remove_dir_all(&folder)
            .map_err(|err| format!("{}: {err}", folder.display()))?;
        write(files, &folder)
    }

    /// Builds what is there, without the network; `limit` may run the command
    /// within limits. Returns also what the compiler said.
    pub(crate) fn build(
        &self,
        assignment: &Assignment,
        limit: impl Fn(Command) -> Command,
    ) -> Result<(Built, Vec<String>), String> {
        if assignment.is_cargos() {
            self.clean(assignment)?;
        }
        let log = self.folder.0.join("build.log");
        let file = File::create(&log).map_err(|err| err.to_string())?;
        let built = self.project.build(assignment, |mut command| {
            command
                .env("CARGO_NET_OFFLINE", "true")
                .env("CARGO_TERM_COLOR", "never")
                .env("GOCACHE", self.go().join("cache"))
                .env("GOPATH", self.go().join("path"))
                .envs(GO_ALONE);
            let mut command = limit(command);
            let second = file.try_clone().map_err(|err| err.to_string())?;
            command.stdin(Stdio::null()).stdout(file).stderr(second);
            Ok(command)
        });
        Ok((built?, first_lines(&log)))
    }

    /// Cargo is not to take what was built before for what is here now.
    fn clean(&self, assignment: &Assignment) -> Result<(), String> {
        let mut cargo = workspace::cargo(&self.project.root);
        cargo.args(["clean", "--quiet", "--offline", "--package"]);
        cargo.arg(&assignment.name);
        cargo.envs(
            self.project.target.iter().map(|it| ("CARGO_TARGET_DIR", it)),
        );
        let cleaned = process::run(&mut cargo, CLEAN_TIME_MAX);
        let cleaned = cleaned.map_err(|err| err.to_string())?;
        match cleaned.succeeded() {
            true => Ok(()),
            false => Err(format!("cargo clean: {}", cleaned.errors.join("\n"))),
        }
    }
}

/// The first lines of what a build has printed.
fn first_lines(log: &Path) -> Vec<String> {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(log) {
        file.take(BUILD_BYTES_MAX).read_to_end(&mut bytes).ok();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.take(BUILD_LINES_MAX).map(str::to_owned).collect()
}
