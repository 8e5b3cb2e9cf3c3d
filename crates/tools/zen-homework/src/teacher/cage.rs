//! The cage of a submission: bubblewrap gives it files, processes and a network
//! of its own.
//!
//! There are two cages, one inside the other. In the outer one, `examine` of
//! this program builds and tests the submission and writes the results to a
//! pipe. Everything that a student wrote runs in the inner one, which has
//! another user namespace and other processes: there it can neither see nor
//! trace nor signal `examine`, and no descriptor leads to the pipe.

#[cfg(target_os = "linux")]
mod holder;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use zen_harness::process;

use crate::at::At;
use crate::project::alone;

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{enter, keep_descriptors, unused_user};
#[cfg(target_os = "linux")]
pub(crate) use holder::{enter, join, keep_descriptors, unused_user};

/// Where everything is in the cage: the paths of a build are the same for all
/// students, so what the starter needs is built once.
pub(crate) const ROOM: &str = "/homework";

/// Folders of the system that a compiler or an interpreter may need.
const SYSTEM: &str = "/usr /bin /sbin /lib /lib32 /lib64 /libx32";

/// The beginnings of names in /etc that they need as well.
const SETTINGS: &str = "alternatives hosts java ld.so localtime nsswitch.conf \
    perl php protocols python services";

/// Where programs are, after the folders of Rust and of `--tools`.
const PATH: &str = "/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:\
    /usr/sbin:/usr/bin:/sbin:/bin";

/// If the teacher is root, who may see everything: what the cage needs is first
/// made visible to another user, at the same paths. bubblewrap begins its work
/// in /tmp.
const FOR_A_USER: &str = "--die-with-parent --bind /proc /proc --dev-bind /dev \
    /dev --perms 0755 --dir /tmp";

/// The outer cage. The capability lets `examine` start servers in the inner
/// one. Its /tmp comes first, so that it does not hide what is below it.
const OUTER: &str = "--unshare-all --unshare-user --uid 1000 --gid 1000 \
    --hostname cage --cap-add CAP_SYS_ADMIN --die-with-parent --new-session \
    --clearenv --setenv HOME /tmp --setenv LANG C.UTF-8 --setenv USER student \
    --setenv LOGNAME student --setenv CARGO_INCREMENTAL 0 \
    --size 268435456 --tmpfs /tmp";

/// With a whole /dev, bubblewrap would put a user namespace between `examine`
/// and the others, and it could not return to them.
const OUTER_LAST: &str = "--proc /proc --dev-bind /dev/null /dev/null \
    --dev-bind /dev/zero /dev/zero --dev-bind /dev/full /dev/full \
    --dev-bind /dev/random /dev/random --dev-bind /dev/urandom /dev/urandom \
    --dev-bind /dev/tty /dev/tty --remount-ro / --chdir /homework --";

/// What a submission may write while it is built, in bytes of memory: its
/// own folder, and the folder of the build.
const WORK_BYTES_MAX: &str = "268435456";
const TARGET_BYTES_MAX: &str = "536870912";

/// How long these programs may take to answer a simple question.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);

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

/// How bubblewrap shows a file or folder, which one, and where.
type Seen = (&'static str, PathBuf, PathBuf);

impl Cage {
    /// A cage for this machine, or the reason why there is none. `workshop` is
    /// a folder for temporary files, `own` is this program, and `tools` are
    /// folders with languages.
    pub(crate) fn new(
        workshop: &Path,
        own: &Path,
        tools: Vec<PathBuf>,
    ) -> Result<Self, String> {
        let mut version = Command::new("bwrap");
        let version =
            process::output_of(version.arg("--version"), ANSWER_TIME_MAX)
                .map_err(|_| {
                    "bubblewrap is missing: install the package `bubblewrap`, \
                    0.8 or later"
                })?;
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
        let mut bwrap = Command::new("bwrap");
        if let Some(user) = self.user {
            bwrap.args(FOR_A_USER.split(' '));
            let bound = seen.iter().filter(|it| it.0 != "--symlink");
            let on_the_way: BTreeSet<_> =
                bound.flat_map(|it| it.1.ancestors().skip(1)).collect();
            for folder in on_the_way {
                bwrap.args(["--perms", "0755", "--dir"]).arg(folder);
            }
            for (kind, from, to) in &seen {
                let to = if *kind == "--symlink" { to } else { from };
                bwrap.arg(kind).args([from, to]);
            }
            bwrap.args(["--", "setpriv", "--clear-groups"]);
            bwrap.arg(format!("--reuid={user}"));
            bwrap.arg(format!("--regid={user}")).arg("bwrap");
        }
        bwrap.args(OUTER.split(' ')).args(["--setenv", "PATH", &self.path()]);
        let target = format!("{ROOM}/target");
        for (name, value) in alone(Path::new(&target)) {
            bwrap.args(["--setenv", name, &value]);
        }
        for (kind, from, to) in &seen {
            bwrap.arg(kind).args([from, to]);
        }
        let place = format!("{ROOM}/project/{}", job.assignment);
        bwrap.args(["--size", WORK_BYTES_MAX, "--tmpfs", &place]);
        if !job.keeps {
            bwrap.args(["--size", TARGET_BYTES_MAX, "--tmpfs", &target]);
        }
        bwrap.args(OUTER_LAST.split(' '));
        bwrap.args(["/homework/zen-homework", "examine", &place, "--caged"]);
        bwrap.args(words).current_dir("/");
        bwrap
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
        for path in SYSTEM.split(' ').map(Path::new) {
            match fs::read_link(path) {
                Ok(to) => seen.push(("--symlink", to, path.into())),
                Err(_) if path.is_dir() => seen.push(same(path)),
                Err(_) => {}
            }
        }
        let settings = fs::read_dir("/etc").into_iter().flatten().flatten();
        seen.extend(settings.filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let needed = SETTINGS.split(' ').any(|it| name.starts_with(it));
            // A link may lead to something that cannot be seen.
            let path = entry.path().canonicalize().ok()?;
            needed.then(|| ("--ro-bind", path, entry.path()))
        }));
        seen.extend(self.tools.iter().map(|it| same(it)));
        let (project, vendor) = ("project", self.workshop.join("vendor"));
        let seed = self.workshop.join("seed");
        let (kind, place) = match job.keeps {
            true => ("--bind", "target"),
            false => ("--ro-bind", "seed"),
        };
        for (kind, from, to) in [
            ("--ro-bind", self.tool.clone(), "zen-homework"),
            ("--ro-bind", self.workshop.join(project), project),
            ("--ro-bind", job.work.into(), "work"),
            ("--ro-bind-try", vendor, "vendor"),
            (kind, seed, place),
        ] {
            seen.push((kind, from, Path::new(ROOM).join(to)));
        }
        seen
    }
}

/// What may forbid a cage: a kernel setting, its value, and how it is changed.
const FORBIDS: [[&str; 3]; 3] = [
    [
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "; AppArmor restricts user namespaces here: `sysctl \
        kernel.apparmor_restrict_unprivileged_userns=0` allows them, or an \
        AppArmor profile for bwrap",
    ],
    [
        "kernel/unprivileged_userns_clone",
        "0",
        "; `sysctl kernel.unprivileged_userns_clone=1` allows user namespaces",
    ],
    [
        "user/max_user_namespaces",
        "0",
        "; `sysctl user.max_user_namespaces=10000` allows user namespaces",
    ],
];

/// What forbids a cage here, and how it is allowed.
pub(crate) fn hint() -> &'static str {
    let forbids = |[name, value, _]: &[&str; 3]| {
        let text = fs::read_to_string(format!("/proc/sys/{name}"));
        text.is_ok_and(|text| text.trim() == *value)
    };
    FORBIDS.into_iter().find(forbids).map_or("", |it| it[2])
}

/// The folder of Rust; none if it is part of the system.
pub(crate) fn rust(project: &Path) -> Result<Option<PathBuf>, String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(rustc);
    rustc.args(["--print", "sysroot"]).current_dir(project);
    let folder = process::output_of(&mut rustc, ANSWER_TIME_MAX)
        .map(PathBuf::from)
        .and_then(|folder| match folder.join("bin").is_dir() {
            true => Ok(folder),
            false => Err(format!("not in {}", folder.display())),
        })
        .at("rustc does not say where it is")?;
    if folder.starts_with("/usr") {
        return Ok(None);
    }
    match unused_user().is_none() || is_public(&folder.join("lib")) {
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

/// Only Linux has what a cage needs.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::path::Path;

    use crate::teacher::limits::Limits;

    pub(crate) fn enter(_: &[&Path], _: Option<Limits>) -> Result<(), String> {
        Err("only Linux has what this needs".into())
    }

    impl Limits {
        pub(crate) fn share(self) -> std::io::Result<()> {
            Ok(())
        }
    }

    pub(crate) fn keep_descriptors() {}

    pub(crate) fn unused_user() -> Option<u32> {
        None
    }
}
