//! The cage of a submission: bubblewrap gives it files, processes and a network
//! of its own.
//!
//! There are two cages, one inside the other. In the outer one, `examine` of
//! this program builds and tests the submission and writes the results to a
//! pipe. Everything that a student wrote runs in the inner one, which has
//! another user namespace and other processes: there it can neither see nor
//! trace nor signal `examine`, and no descriptor leads to the pipe.

#[cfg(target_os = "linux")]
mod inner;
#[cfg(not(target_os = "linux"))]
#[path = "cage/elsewhere.rs"]
mod inner;

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use zen_harness::process;

use super::workshop::GO_ALONE;

#[cfg(target_os = "linux")]
pub(crate) use inner::join;
pub(crate) use inner::{Holder, build, keep_descriptors, unused_user};
pub use inner::{become_user, become_within};

/// Where everything is in the cage: the paths of a build are the same for all
/// students, so what the starter needs is built once.
pub(crate) const ROOM: &str = "/homework";

/// Folders of the system that a compiler or an interpreter may need.
const SYSTEM: [&str; 7] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// The beginnings of names in /etc that they need as well.
const SETTINGS: [&str; 11] = [
    "alternatives",
    "hosts",
    "java",
    "ld.so",
    "localtime",
    "nsswitch.conf",
    "perl",
    "php",
    "protocols",
    "python",
    "services",
];

/// Where programs are, after the folders of Rust and of `--tools`.
const PATH: &str = "/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:\
    /usr/sbin:/usr/bin:/sbin:/bin";

/// What a submission may write while it is built, in bytes of memory: its
/// own folder, and the folder of the build.
const WORK_BYTES_MAX: &str = "268435456";
const TARGET_BYTES_MAX: &str = "536870912";

/// How long these programs may take to answer a simple question.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);

/// The environment in the cage, beside PATH and [`GO_ALONE`]. Cargo works
/// without the network.
const ENVIRONMENT: [(&str, &str); 9] = [
    ("HOME", "/tmp"),
    ("LANG", "C.UTF-8"),
    ("USER", "student"),
    ("LOGNAME", "student"),
    ("CARGO_NET_OFFLINE", "true"),
    ("CARGO_TERM_COLOR", "never"),
    ("CARGO_INCREMENTAL", "0"),
    ("GOCACHE", "/homework/target/go/cache"),
    ("GOPATH", "/homework/target/go/path"),
];

/// How submissions are kept apart on this machine.
#[derive(Debug)]
pub(crate) struct Cage {
    version: String,
    /// This program, where every user may execute it.
    tool: PathBuf,
    /// The folder with `project` and `vendor`, and for `seed`.
    workshop: PathBuf,
    /// If the teacher is root, bubblewrap runs as this user.
    pub(crate) user: Option<u32>,
    /// The folders of Rust and of `--tools`.
    tools: Vec<PathBuf>,
}

/// What is examined in a cage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) assignment: &'a str,
    /// The files of the assignment, the student's among them.
    pub(crate) work: &'a Path,
    /// Keeps what is built for later jobs. Only the starter may do that.
    pub(crate) keeps: bool,
}

/// A file or folder that the cage can see, and its path there.
type Seen = (&'static str, PathBuf, PathBuf);

impl Cage {
    /// A cage for this machine, or the reason why there is none. `workshop` is
    /// a folder for temporary files, `own` is this program, and `tools` are
    /// folders with languages.
    pub(crate) fn new(
        workshop: &Path,
        own: &Path,
        mut tools: Vec<PathBuf>,
    ) -> Result<Self, String> {
        let version = process::run(
            Command::new("bwrap").arg("--version"),
            ANSWER_TIME_MAX,
        );
        let version = version.ok().filter(process::Ended::succeeded);
        let version = version.and_then(|it| it.output.first().cloned());
        let version = version.ok_or(
            "bubblewrap is missing: install the package `bubblewrap`, 0.8 or \
            later",
        )?;
        for folder in &mut tools {
            let whole = folder.canonicalize();
            *folder =
                whole.map_err(|err| format!("{}: {err}", folder.display()))?;
        }
        let (tool, workshop) = (own.to_path_buf(), workshop.to_path_buf());
        Ok(Self { version, tool, workshop, user: unused_user(), tools })
    }

    /// The isolation in a line, for the teacher.
    pub(crate) fn told(&self, has_groups: bool) -> String {
        let user = match self.user {
            Some(user) => format!("as user {user}"),
            None => "as you".into(),
        };
        let group = match has_groups {
            true => "with a control group",
            false => "without a control group",
        };
        format!(
            "Each submission is built and tested in a cage of its own: {}, \
            {user}, {group}, without your files, the network or your \
            environment.",
            self.version
        )
    }

    /// The command that runs `examine` with these words in a cage.
    pub(crate) fn examine(&self, job: Job<'_>, words: &[String]) -> Command {
        let seen = self.seen(job);
        let mut inside: Vec<OsString> = Vec::new();
        let mut add =
            |words: &[&str]| inside.extend(words.iter().map(Into::into));
        add(&["--unshare-all", "--unshare-user", "--uid", "1000"]);
        add(&["--gid", "1000", "--hostname", "cage", "--cap-add"]);
        // It lets `examine` start servers in the inner cage.
        add(&["CAP_SYS_ADMIN", "--die-with-parent", "--new-session"]);
        add(&["--clearenv", "--setenv", "PATH", &self.path()]);
        for (name, value) in ENVIRONMENT.into_iter().chain(GO_ALONE) {
            add(&["--setenv", name, value]);
        }
        // First, so that it does not hide what is bound below it.
        inside.extend(inner::TEMPORARY.iter().map(Into::into));
        for (kind, from, to) in &seen {
            inside.extend([kind.into(), from.into(), to.into()]);
        }
        let mut add =
            |words: &[&str]| inside.extend(words.iter().map(Into::into));
        let place = format!("{ROOM}/project/{}", job.assignment);
        add(&["--size", WORK_BYTES_MAX, "--tmpfs", &place]);
        if !job.keeps {
            let target = format!("{ROOM}/target");
            add(&["--size", TARGET_BYTES_MAX, "--tmpfs", &target]);
        }
        add(&["--proc", "/proc"]);
        // With a whole /dev, bubblewrap would put a user namespace between
        // `examine` and the others, and it could not return to them.
        for device in ["null", "zero", "full", "random", "urandom", "tty"] {
            let path = format!("/dev/{device}");
            add(&["--dev-bind", &path, &path]);
        }
        add(&["--remount-ro", "/", "--chdir", ROOM, "--"]);
        add(&["/homework/zen-homework", "examine", &place, "--caged"]);
        inside.extend(words.iter().map(Into::into));
        let mut command = Command::new("bwrap");
        if let Some(user) = self.user {
            // Root may see everything, but the user of the cage may not: so
            // what the cage needs is first made visible, at the same paths.
            command.args(["--die-with-parent", "--bind", "/proc", "/proc"]);
            command.args(["--dev-bind", "/dev", "/dev"]);
            let bound = seen.iter().filter(|it| it.0 != "--symlink");
            let on_the_way: BTreeSet<_> =
                bound.flat_map(|it| it.1.ancestors().skip(1)).collect();
            // bubblewrap begins its work in /tmp.
            for folder in on_the_way.into_iter().chain([Path::new("/tmp")]) {
                command.args(["--perms", "0755", "--dir"]).arg(folder);
            }
            for (kind, from, to) in &seen {
                let to = if *kind == "--symlink" { to } else { from };
                command.arg(kind).arg(from).arg(to);
            }
            command.arg("--").arg(&self.tool).arg("run-as");
            command.args([&user.to_string(), "--", "bwrap"]);
        }
        command.args(inside).current_dir("/");
        command
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for folder in &self.tools {
            let programs = folder.join("bin");
            let programs = if programs.is_dir() { &programs } else { folder };
            path += &format!("{}:", programs.display());
        }
        path + PATH
    }

    /// What the cage can see of the machine.
    fn seen(&self, job: Job<'_>) -> Vec<Seen> {
        let same = |path: &Path| ("--ro-bind", path.into(), path.into());
        let mut seen: Vec<Seen> = Vec::new();
        for path in SYSTEM.map(Path::new) {
            match fs::read_link(path) {
                Ok(to) => seen.push(("--symlink", to, path.into())),
                Err(_) if path.is_dir() => seen.push(same(path)),
                Err(_) => {}
            }
        }
        let settings = fs::read_dir("/etc").into_iter().flatten().flatten();
        seen.extend(settings.filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let needed = SETTINGS.iter().any(|it| name.starts_with(it));
            // A link would lead to something that cannot be seen.
            let path = entry.path().canonicalize().ok()?;
            needed.then(|| ("--ro-bind", path, entry.path()))
        }));
        seen.extend(self.tools.iter().map(|it| same(it)));
        let mut add = |kind, from: &Path, to: &str| {
            seen.push((kind, from.into(), format!("{ROOM}/{to}").into()));
        };
        add("--ro-bind", &self.tool, "zen-homework");
        add("--ro-bind", &self.workshop.join("project"), "project");
        add("--ro-bind", job.work, "work");
        let vendor = self.workshop.join("vendor");
        if vendor.is_dir() {
            add("--ro-bind", &vendor, "vendor");
        }
        match job.keeps {
            true => add("--bind", &self.workshop.join("seed"), "target"),
            false => add("--ro-bind", &self.workshop.join("seed"), "seed"),
        }
        seen
    }
}

/// What may forbid a cage here, and how it is allowed.
pub(crate) fn hint() -> &'static str {
    let is = |name: &str, value: &str| {
        let text = fs::read_to_string(format!("/proc/sys/{name}"));
        text.is_ok_and(|text| text.trim() == value)
    };
    if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        "; AppArmor restricts user namespaces here: `sysctl \
        kernel.apparmor_restrict_unprivileged_userns=0` allows them, or an \
        AppArmor profile for bwrap"
    } else if is("kernel/unprivileged_userns_clone", "0") {
        "; `sysctl kernel.unprivileged_userns_clone=1` allows user namespaces"
    } else if is("user/max_user_namespaces", "0") {
        "; `sysctl user.max_user_namespaces=10000` allows user namespaces"
    } else {
        ""
    }
}

/// The folder of Rust; none if it is part of the system.
pub(crate) fn rust(project: &Path) -> Result<Option<PathBuf>, String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(rustc);
    rustc.args(["--print", "sysroot"]).current_dir(project);
    let told = process::run(&mut rustc, ANSWER_TIME_MAX);
    let told = told.map_err(|err| err.to_string())?;
    let folder = PathBuf::from(told.output.first().map_or("", |it| it));
    if !told.succeeded() || !folder.join("bin").is_dir() {
        let said = told.errors.join("\n");
        return Err(format!("rustc does not say where it is: {said}"));
    }
    if folder.starts_with("/usr") {
        return Ok(None);
    }
    match inner::unused_user().is_none() || is_public(&folder.join("lib")) {
        true => Ok(Some(folder)),
        false => Err(format!(
            "submissions run as another user, who cannot read {}: `chmod -R \
            a+rX` allows it",
            folder.display()
        )),
    }
}

/// Whether every user may read this.
#[cfg(unix)]
pub(crate) fn is_public(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map(|it| it.permissions().mode());
    mode.is_ok_and(|mode| mode & 0o005 == 0o005)
}

#[cfg(not(unix))]
pub(crate) fn is_public(_: &Path) -> bool {
    true
}
