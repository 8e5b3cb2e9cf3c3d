//! Separates a student's program from other programs and from the machine: with
//! namespaces for its processes and network, with the kernel's limits on each
//! process, and by watching all of them together.
//!
//! This protects against accidents: endless loops, floods, fork bombs. It is
//! not a sandbox for hostile code.

#[cfg(target_os = "linux")]
mod linux;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use clap::Args;
use zen_harness::proc;
use zen_harness::process::{self, Process};

#[cfg(target_os = "linux")]
pub use linux::become_within;

/// How often to count what a program uses. In between, the kernel's limits
/// apply.
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// How long the trial may take that shows whether limits work here.
const TRIAL_TIME_MAX: Duration = Duration::from_secs(20);

/// If the teacher is root, students' programs run as this user or one of the
/// next, which no other program uses.
#[cfg(target_os = "linux")]
const FIRST_USER: u32 = 64_000;

/// What a command and all its descendants may use together.
#[derive(Args, Clone, Copy, Debug)]
pub struct Limits {
    /// MiB of resident memory of all processes together
    #[arg(long)]
    pub memory_mib: u64,
    /// Threads of all processes together
    #[arg(long)]
    pub processes: u64,
    /// Descriptors of each process
    #[arg(long)]
    pub descriptors: u64,
}

/// How commands are held to their limits.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// None if there are no limits.
    tool: Option<PathBuf>,
}

/// The result of a command.
#[derive(Debug)]
pub(crate) enum Kept {
    Ended(ExitStatus),
    /// It was killed, for this reason.
    Killed(String),
}

impl Keeper {
    /// A keeper that limits nothing but a command's time.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { tool: None }
    }

    /// A keeper for this machine; `tool` is this program, at a place where
    /// every user may read it.
    pub fn new(tool: &Path) -> Result<Self, String> {
        let keeper = Self { tool: Some(tool.to_path_buf()) };
        let limits = Limits { memory_mib: 256, processes: 64, descriptors: 64 };
        let mut tried = keeper.within(Command::new("true"), limits, Some(0));
        let tried = process::run(&mut tried, TRIAL_TIME_MAX);
        let tried = tried.map_err(|err| err.to_string())?;
        match tried.succeeded() {
            true => Ok(keeper),
            false => Err(tried.errors.join("\n")),
        }
    }

    /// The same command within limits. With a `slot` it gets a user of its own,
    /// if possible.
    pub(crate) fn within(
        &self,
        command: Command,
        limits: Limits,
        slot: Option<u32>,
    ) -> Command {
        let Some(tool) = &self.tool else { return command };
        let mut kept = Command::new("unshare");
        // Without root's rights, a user namespace provides them for this.
        if own_user(0).is_none() {
            kept.args(["--user", "--map-root-user"]);
        }
        kept.args(["--net", "--ipc", "--pid", "--fork", "--kill-child"]);
        kept.args(["--mount-proc", "--"]).arg(tool).arg("within");
        for (name, number) in [
            ("--memory-mib", limits.memory_mib),
            ("--processes", limits.processes),
            ("--descriptors", limits.descriptors),
        ] {
            kept.arg(name).arg(number.to_string());
        }
        if let Some(user) = slot.and_then(own_user) {
            kept.arg("--user").arg(user.to_string());
        }
        kept.arg("--").arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            kept.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => kept.env(name, value),
                None => kept.env_remove(name),
            };
        }
        kept
    }

    /// Runs a command that was made by [`within`](Self::within).
    pub(crate) fn run(
        &self,
        command: &mut Command,
        limits: Limits,
        time_max: Duration,
    ) -> Result<Kept, String> {
        let mut why = format!("killed after {} s", time_max.as_secs());
        let mut counted = Instant::now();
        let mut may_go_on = |process: u32| {
            if self.tool.is_none() || counted.elapsed() < COUNT_EVERY {
                return true;
            }
            counted = Instant::now();
            let used = proc::resident(process).unwrap_or_default();
            let (memory, processes) =
                (limits.memory_mib * 1024 * 1024, limits.processes);
            let over = [
                (used.threads > processes, processes, "processes and threads"),
                (used.bytes > memory, limits.memory_mib, "MiB of memory"),
            ];
            let over = over.into_iter().find(|(is_over, ..)| *is_over);
            if let Some((_, most, what)) = over {
                why = format!("killed: it had more than {most} {what}");
            }
            over.is_none()
        };
        let ended = Process::spawn(command)
            .and_then(|mut it| it.wait_while(time_max, &mut may_go_on))
            .map_err(|err| err.to_string())?;
        Ok(ended.map_or(Kept::Killed(why), Kept::Ended))
    }

    /// Gives a folder with everything in it to the user of a slot, if there is
    /// one; no other user may look into it.
    pub(crate) fn give(&self, folder: &Path, slot: u32) -> Result<(), String> {
        let Some(user) = own_user(slot).filter(|_| self.tool.is_some()) else {
            return Ok(());
        };
        give(folder, user).map_err(|err| format!("{}: {err}", folder.display()))
    }
}

/// The user for a slot, if this process may choose one.
#[cfg(target_os = "linux")]
fn own_user(slot: u32) -> Option<u32> {
    nix::unistd::geteuid().is_root().then_some(FIRST_USER + slot)
}

#[cfg(not(target_os = "linux"))]
fn own_user(_: u32) -> Option<u32> {
    None
}

#[cfg(unix)]
fn give(path: &Path, user: u32) -> std::io::Result<()> {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, lchown};
    lchown(path, Some(user), Some(user))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn give(_: &Path, _: u32) -> std::io::Result<()> {
    Ok(())
}

/// Not available on this system.
#[cfg(not(target_os = "linux"))]
pub fn become_within(
    _: Limits,
    _: Option<u32>,
    _: &[String],
) -> Result<(), String> {
    Err("only Linux has what this needs".into())
}
