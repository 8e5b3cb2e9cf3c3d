//! A handout in a temporary folder, in which one program after another is built
//! in place of the starter.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zen_harness::{process, workspace};

use super::handout::{forget_other_packages, handed_out, write};
use super::source::Files;
use crate::assignment::Assignment;
use crate::at::At;
use crate::project::{Built, Project};

/// Cargo deletes its results at once, unless another Cargo holds the lock.
const CLEAN_TIME_MAX: Duration = Duration::from_secs(120);

/// Most packages are on the machine already.
const VENDOR_TIME_MAX: Duration = Duration::from_secs(600);

/// A folder that is deleted when this is dropped, or when this process ends in
/// any other way.
#[derive(Debug)]
pub(crate) struct Temporary(pub(crate) PathBuf, Option<Child>);

impl Temporary {
    pub(crate) fn new() -> Result<Self, String> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("zen-homework-{}-{number}", std::process::id());
        let folder = std::path::absolute(std::env::temp_dir());
        let folder = folder.map_err(|err| err.to_string())?.join(name);
        fs::create_dir(&folder).at(&folder)?;
        let heir = heir(&folder).ok();
        Ok(Self(folder, heir))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
        if let Some(heir) = &mut self.1 {
            // wait() closes its standard input first.
            heir.wait().ok();
        }
    }
}

/// A shell that deletes the folder when its standard input ends. Only we hold
/// the other end, so that happens when we end, even by SIGKILL. A compiler may
/// write for a while longer, and make the folder again, so it looks again.
#[cfg(unix)]
fn heir(folder: &Path) -> io::Result<Child> {
    use std::process::Stdio;
    const SCRIPT: &str = r#"read -r _
left=60
while [ -e "$1" ] && [ "$left" -gt 0 ]; do
    rm -rf -- "$1" 2>/dev/null
    sleep 1
    left=$((left - 1))
done"#;
    let mut shell = std::process::Command::new("sh");
    // Ctrl-C must not reach the shell before it has deleted the folder.
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
    /// A workshop with these assignments, as they are handed out.
    pub(crate) fn new(
        project: &Project,
        assignments: &[Assignment],
    ) -> Result<Self, String> {
        let folder = Temporary::new()?;
        let root = folder.0.join("project");
        write(&handed_out(project, assignments)?, &root)?;
        forget_other_packages(&root)?;
        let target = Some(folder.0.join("target"));
        let project = Project { root, is_handout: true, target };
        Ok(Self { folder, project })
    }

    /// The assignment with this name, in the folder where it is built.
    pub(crate) fn assignment(&self, name: &str) -> Result<Assignment, String> {
        self.project.assignment(name)
    }

    /// Where other temporary files can go.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Replaces the files in the folder of an assignment with these.
    pub(crate) fn put(&self, name: &str, files: &Files) -> Result<(), String> {
        let folder = self.project.folder(name);
        fs::remove_dir_all(&folder).at(&folder)?;
        write(files, &folder)
    }

    /// Builds what is there, without the network. Also returns what the
    /// compiler printed.
    pub(crate) fn build(
        &self,
        assignment: &Assignment,
    ) -> Result<(Built, Vec<String>), String> {
        if assignment.is_cargos() {
            clean(&self.project, assignment)?;
        }
        self.project.build(assignment)
    }
}

/// Forgets what Cargo has built of this package. Otherwise it might take an
/// earlier build for other files.
pub(crate) fn clean(
    project: &Project,
    assignment: &Assignment,
) -> Result<(), String> {
    let mut cargo = workspace::cargo(&project.root);
    cargo.args(["clean", "--quiet", "--offline", "--package"]);
    cargo.arg(&assignment.name);
    cargo.envs(project.target.iter().map(|it| ("CARGO_TARGET_DIR", it)));
    let cleaned = process::output_of(&mut cargo, CLEAN_TIME_MAX);
    cleaned.map(drop).at("cargo clean")
}

/// The packages that this project needs, in a folder of their own, and how
/// Cargo finds them at `place`. What is missing is fetched.
pub(crate) fn vendor(
    root: &Path,
    to: &Path,
    place: &str,
) -> Result<(), String> {
    let vendored = |offline: &[&str]| {
        let mut cargo = workspace::cargo(root);
        cargo.args(["vendor", "--locked", "--respect-source-config"]);
        cargo.args(offline).arg(to);
        process::output_of(&mut cargo, VENDOR_TIME_MAX)
    };
    let text = vendored(&["--offline"])
        .or_else(|_| vendored(&[]))
        .at("cargo fetch would help, with the network")?;
    let text = text.replace(&*to.to_string_lossy(), place);
    let config = root.join(".cargo/config.toml");
    let kept = fs::read_to_string(&config).unwrap_or_default();
    fs::write(&config, format!("{kept}\n{text}\n")).at(config)
}
