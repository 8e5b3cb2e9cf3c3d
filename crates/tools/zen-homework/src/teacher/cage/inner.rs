//! The inner cage, and what a process does to itself there.
#![expect(unsafe_code, reason = "only after fork() can a child change itself")]

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{self, Gid, Pid, PidfdFlags, Resource, Rlimit, Uid};
use rustix::thread::{
    self, LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space,
    move_into_thread_name_spaces,
};
use zen_harness::{proc, process::Process};

use crate::teacher::limits::Limits;

/// What a program may keep in shared memory and in its temporary files.
const DEVICES: [&str; 8] = [
    "--dev",
    "/dev",
    "--size",
    "67108864",
    "--tmpfs",
    "/dev/shm",
    "--remount-ro",
    "/dev",
];
pub(super) const TEMPORARY: [&str; 4] =
    ["--size", "268435456", "--tmpfs", "/tmp"];

/// The kernel's limit on the memory that a process reserves is this many times
/// the limit on what all use together, which the keeper counts.
const RESERVED_FACTOR: u64 = 4;

/// The largest file that a process may write.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Below every program of the machine's owner.
const NICE: i32 = 19;

/// Users above those of people, services and containers.
const USERS: std::ops::Range<u32> = 64_000..65_000;

/// How long the inner cage may take to stand.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// A cage in a cage: it can write to this folder and to its /tmp only.
fn cage(folder: &Path) -> Command {
    let mut bwrap = Command::new("bwrap");
    bwrap.args(["--unshare-user", "--uid", "1000", "--gid", "1000"]);
    bwrap.args(["--unshare-pid", "--unshare-ipc", "--unshare-uts"]);
    bwrap.args(["--unshare-cgroup-try", "--die-with-parent", "--new-session"]);
    bwrap.args(["--ro-bind", "/", "/", "--proc", "/proc"]);
    bwrap.args(DEVICES).args(TEMPORARY);
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
    bwrap.arg("--bind").args([folder, folder]);
    // bubblewrap refuses to begin with a capability that it did not expect.
    let clear = || Ok(thread::clear_ambient_capability_set()?);
    // SAFETY: between fork and exec it makes a single system call.
    unsafe { bwrap.pre_exec(clear) };
    bwrap
}

/// The same build command in an inner cage without any network.
pub(crate) fn build(
    command: &Command,
    folder: &Path,
    target: &Path,
    limits: Option<Limits>,
) -> Command {
    let mut bwrap = cage(folder);
    bwrap.arg("--unshare-net").arg("--bind").args([target, target]);
    if let Some(folder) = command.get_current_dir() {
        bwrap.arg("--chdir").arg(folder);
    }
    bwrap.arg("--");
    if let Some(limits) = limits {
        bwrap.args(["/homework/zen-homework", "within"]);
        bwrap.args(limits.words()).arg("--");
    }
    bwrap.arg(command.get_program()).args(command.get_args());
    let set = command.get_envs();
    bwrap.envs(set.filter_map(|(name, value)| Some((name, value?))));
    bwrap
}

/// An inner cage that waits for servers. Its first process only collects those
/// that have ended.
#[derive(Debug)]
pub(crate) struct Holder {
    _process: Process,
    first: OwnedFd,
    own: File,
    limits: Limits,
}

impl Holder {
    pub(crate) fn start(folder: &Path, limits: Limits) -> Result<Self, String> {
        let in_cage = |err: io::Error| format!("the inner cage: {err}");
        let mut bwrap = cage(folder);
        bwrap.args(["--as-pid-1", "--", "sh", "-c"]);
        bwrap.arg("trap '' CHLD; echo ready; exec cat >/dev/null");
        bwrap.stdin(Stdio::piped()).stdout(Stdio::piped());
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
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
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
            limits.apply()
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

impl Limits {
    /// Puts this process, and all that it starts, within the limits.
    fn apply(self) -> io::Result<()> {
        self.share()?;
        // In a new user namespace, only its own processes count.
        lower(Resource::Nproc, self.processes)?;
        lower(Resource::Fsize, FILE_BYTES_MAX)?;
        lower(Resource::Core, 0)?;
        lower(Resource::Cpu, self.cpu_seconds)?;
        process::setpriority_process(None, NICE)?;
        // If the machine runs out of memory, they are ended first.
        let score = "/proc/self/oom_score_adj";
        let mut score = OpenOptions::new().write(true).open(score)?;
        score.write_all(b"1000")?;
        Ok(thread::set_no_new_privs(true)?)
    }

    /// The limits that a case may change in a server. It keeps the maximum of
    /// the checker, so both must have the same.
    pub(crate) fn share(self) -> io::Result<()> {
        let reserved = self.memory_mib * 1024 * 1024 * RESERVED_FACTOR;
        lower(Resource::As, reserved)?;
        lower(Resource::Nofile, self.descriptors)
    }
}

/// Sets a limit, but no process may raise its own.
fn lower(resource: Resource, most: u64) -> io::Result<()> {
    let most = match process::getrlimit(resource).maximum {
        Some(maximum) => most.min(maximum),
        None => most,
    };
    let (current, maximum) = (Some(most), Some(most));
    Ok(process::setrlimit(resource, Rlimit { current, maximum })?)
}

/// Puts this process within limits, and becomes the command. Returns only if
/// that fails.
pub fn become_within(limits: Limits, words: &[String]) -> Result<(), String> {
    limits.apply().map_err(|err| format!("limits: {err}"))?;
    become_command(words)
}

/// Becomes the command as another user. Returns only if that fails.
pub fn become_user(user: u32, words: &[String]) -> Result<(), String> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    // This process has a single thread.
    thread::set_thread_groups(&[])
        .and_then(|()| thread::set_thread_res_gid(gid, gid, gid))
        .and_then(|()| thread::set_thread_res_uid(uid, uid, uid))
        .map_err(|err| format!("user {user}: {err}"))?;
    become_command(words)
}

fn become_command(words: &[String]) -> Result<(), String> {
    let [program, arguments @ ..] = words else {
        return Err("there is no command".into());
    };
    let err = Command::new(program).args(arguments).exec();
    Err(format!("cannot run {program}: {err}"))
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
