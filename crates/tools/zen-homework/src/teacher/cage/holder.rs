//! How a process enters the inner cage, and what it does to itself there.
#![expect(unsafe_code, reason = "only after fork() can a child change itself")]

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{self, Pid, PidfdFlags};
use rustix::thread::{
    self, LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space,
    move_into_thread_name_spaces,
};
use zen_harness::{proc, process::Process};

use crate::teacher::limits::Limits;

/// Users above those of people, services and containers.
const USERS: std::ops::Range<u32> = 64_000..65_000;

/// How long the inner cage may take to stand.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// The inner cage sees what the outer one does, but another /proc, /dev and
/// /tmp. In memory, it may keep 64 MiB shared and 256 MiB in files.
const INNER: &str = "--unshare-user --uid 1000 --gid 1000 --unshare-pid \
    --unshare-ipc --unshare-uts --unshare-cgroup-try --die-with-parent \
    --new-session --ro-bind / / --proc /proc --dev /dev --size 67108864 \
    --tmpfs /dev/shm --remount-ro /dev --size 268435456 --tmpfs /tmp";

/// The inner cage in which everything is started.
static CURRENT: RwLock<Option<Holder>> = RwLock::new(None);

/// An inner cage that waits for commands. Its first process only collects those
/// that have ended.
#[derive(Debug)]
struct Holder {
    _process: Process,
    first: OwnedFd,
    own: File,
    limits: Option<Limits>,
}

/// Starts everything from now on in a new inner cage, within these limits.
/// Whatever runs in an earlier one is killed.
pub(crate) fn enter(
    writable: &[&Path],
    limits: Option<Limits>,
) -> Result<(), String> {
    let current = || CURRENT.write().unwrap_or_else(PoisonError::into_inner);
    *current() = None;
    let holder = Holder::start(writable, limits)?;
    *current() = Some(holder);
    zen_harness::process::start_with(|command| {
        let current = CURRENT.read().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(holder) => holder.spawn(command),
            None => command.spawn(),
        }
    });
    Ok(())
}

/// The inner cage, in which only these folders and its /tmp can be written.
fn inner(writable: &[&Path]) -> Command {
    let mut bwrap = Command::new("bwrap");
    bwrap.args(INNER.split(' '));
    // The new /tmp must not hide the tools that the outer cage shows below it.
    let path = env::var_os("PATH").unwrap_or_default();
    let temporary = Path::new("/tmp");
    for programs in env::split_paths(&path) {
        let tool = match programs.parent() {
            Some(tool) if programs.ends_with("bin") => tool,
            _ => &programs,
        };
        if tool.starts_with(temporary) && tool != temporary {
            bwrap.arg("--ro-bind").args([tool, tool]);
        }
    }
    for folder in writable {
        bwrap.arg("--bind").args([folder, folder]);
    }
    bwrap
}

impl Holder {
    fn start(
        writable: &[&Path],
        limits: Option<Limits>,
    ) -> Result<Self, String> {
        let in_cage = |err: io::Error| format!("the inner cage: {err}");
        let mut bwrap = inner(writable);
        bwrap.args(["--as-pid-1", "--", "sh", "-c"]);
        bwrap.arg("trap '' CHLD; echo ready; exec cat >/dev/null");
        bwrap.stdin(Stdio::piped()).stdout(Stdio::piped());
        // bubblewrap refuses to begin with a capability that it did not expect.
        let clear = || Ok(thread::clear_ambient_capability_set()?);
        // SAFETY: between fork and exec it makes a single system call.
        unsafe { bwrap.pre_exec(clear) };
        let process = Process::spawn(&mut bwrap).map_err(in_cage)?;
        let said = process.output.first_line(START_TIME_MAX);
        if said.is_err() || said.is_ok_and(|it| it != "ready") {
            return Err("the inner cage does not stand".into());
        }
        let own = process.id();
        let family = proc::family(own).map_err(in_cage)?;
        let first = family.into_iter().find(|it| *it != own);
        let first = first.and_then(|it| Pid::from_raw(it as i32));
        let first = first.ok_or("the inner cage has no process")?;
        let first = process::pidfd_open(first, PidfdFlags::empty());
        let first = first.map_err(|err| in_cage(err.into()))?;
        let own = File::open("/proc/self/ns/pid").map_err(in_cage)?;
        let holder = Self { _process: process, first, own, limits };
        let tried = holder.spawn(&mut Command::new("true"));
        let tried = tried.and_then(|mut it| it.wait()).map_err(in_cage)?;
        match tried.success() {
            true => Ok(holder),
            false => Err(format!("the inner cage runs nothing: {tried}")),
        }
    }

    /// Starts a command there. It is a child of ours all the same: we see its
    /// processes, and it does not see ours.
    fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let folder = match command.get_current_dir() {
            Some(folder) => folder.to_path_buf(),
            None => env::current_dir()?,
        };
        let (first, limits) = (self.first.try_clone()?, self.limits);
        let enter = move || {
            let spaces = ThreadNameSpaceType::USER
                | ThreadNameSpaceType::MOUNT
                | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
                | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME;
            move_into_thread_name_spaces(first.as_fd(), spaces)?;
            env::set_current_dir(&folder)?;
            limits.map_or(Ok(()), Limits::apply)
        };
        // SAFETY: between fork and exec it makes system calls only.
        unsafe { command.pre_exec(enter) };
        // Only the children of this thread will be in the other namespace.
        let spaces = ThreadNameSpaceType::PROCESS_ID;
        move_into_thread_name_spaces(self.first.as_fd(), spaces)?;
        let child = command.spawn();
        let own = Some(LinkNameSpaceType::ProcessID);
        move_into_link_name_space(self.own.as_fd(), own)?;
        child
    }
}

/// Starts the command in the control group of this file.
pub(crate) fn join(command: &mut Command, file: PathBuf) {
    let join = move || {
        // Without it, the other limits hold all the same.
        fs::write(&file, "0").ok();
        Ok(())
    };
    // SAFETY: between fork and exec it makes system calls only.
    unsafe { command.pre_exec(join) };
}

/// Keeps the descriptors that this process has inherited from all that it
/// starts.
pub(crate) fn keep_descriptors() {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = open.filter_map(|it| it.file_name().to_str()?.parse().ok());
    for number in numbers.collect::<Vec<i32>>() {
        if number > 2 {
            // SAFETY: it is borrowed for this call only. If it was closed
            // meanwhile, the call fails.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            fcntl_setfd(descriptor, FdFlags::CLOEXEC).ok();
        }
    }
}

/// A user that owns no process, if we are root and may choose one.
pub(crate) fn unused_user() -> Option<u32> {
    if !process::geteuid().is_root() {
        return None;
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let used: Vec<_> =
        processes.filter_map(|it| Some(it.metadata().ok()?.uid())).collect();
    // Two gradings that begin at the same time do not begin with the same one.
    let number = USERS.len() as u32;
    let begin = std::process::id() % number;
    let mut users = (0..number).map(|it| USERS.start + (begin + it) % number);
    users.find(|user| !used.contains(user))
}
