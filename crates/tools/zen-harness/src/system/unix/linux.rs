//! What Linux has beyond other Unix systems.
#![expect(unsafe_code, reason = "rustix has no tgkill() and no TCP_INFO")]

use std::fs::{self, File};
use std::io;
use std::mem;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use libc::{c_int, c_long, pid_t};
use rustix::io::ioctl_fionread;
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
use rustix::process::{self, Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use rustix::time::{ClockId, clock_gettime};

use super::pid;

/// The process is also killed when the thread that starts it ends, and it may
/// not use ports below 1024, not even as root.
pub(super) fn end_with_its_parent(command: &mut Command) {
    let parent = process::getpid();
    let before_exec = move || {
        process::set_parent_process_death_signal(Some(Signal::KILL))?;
        let low_ports = CapabilitySet::NET_BIND_SERVICE;
        // If this fails, the process has no such capability anyway.
        remove_capability_from_bounding_set(low_ports).ok();
        // If the parent has died before this call, no signal will come. In
        // another namespace for processes it has no number.
        match process::getppid().is_none_or(|it| it == parent) {
            true => Ok(()),
            false => Err(io::ErrorKind::Interrupted.into()),
        }
    };
    // SAFETY: between fork and exec it makes three system calls and no more.
    unsafe { command.pre_exec(before_exec) };
}

/// Processes whose parents have ended become children of this process, even if
/// they have left their group and their session, as daemons do.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(process::set_child_subreaper(Some(process::getpid()))?)
}

/// Sends a signal to the first thread of a process.
pub fn signal_first_thread(process: u32, signal: i32) -> io::Result<()> {
    let (process, signal) = (process as c_long, c_long::from(signal));
    // SAFETY: tgkill() takes any numbers.
    let result =
        unsafe { libc::syscall(libc::SYS_tgkill, process, process, signal) };
    checked(result as c_int)
}

/// How many segments with data have arrived on this connection.
pub fn segments_received(sock: &TcpStream) -> io::Result<u32> {
    /// The position of `tcpi_data_segs_in` in `struct tcp_info`, in words.
    const WORD: usize = 152 / 4;
    let mut info = [0_u32; WORD + 1];
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: `info` has room for `length` bytes.
    checked(unsafe {
        libc::getsockopt(
            sock.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    Ok(info[WORD])
}

/// From now on, this process can open only descriptors below this number.
pub fn limit_descriptors(process: u32, below: u64) -> io::Result<()> {
    soft_limit(process, Resource::Nofile, below)
}

/// From now on, this process gets no more address space than this.
pub fn limit_memory(process: u32, bytes: u64) -> io::Result<()> {
    soft_limit(process, Resource::As, bytes)
}

/// Allows this process, and children that it starts from now on, to open this
/// many descriptors. A higher limit stays as it is.
pub fn raise_own_descriptor_limit(to: u64) -> io::Result<()> {
    let now = process::getrlimit(Resource::Nofile).current;
    if now.is_none_or(|now| now >= to) {
        return Ok(());
    }
    soft_limit(std::process::id(), Resource::Nofile, to).map_err(|_| {
        let what = format!("not allowed to open {to} descriptors");
        io::Error::new(io::ErrorKind::Unsupported, what)
    })
}

/// A number of a setting of the kernel, if there is such a setting.
fn setting(name: &str, at: usize) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/sys/net/{name}")).ok()?;
    text.split_whitespace().nth(at)?.parse().ok()
}

/// How many clients may wait to be accepted, whatever a server asks for.
pub fn longest_queue() -> Option<u64> {
    setting("core/somaxconn", 0)
}

/// How many bytes a new socket keeps that the other end does not take.
pub fn send_buffer() -> Option<u64> {
    setting("ipv4/tcp_wmem", 1)
}

/// Sets the soft limit only, so that it can be raised again. The hard limit is
/// inherited from us.
fn soft_limit(process: u32, resource: Resource, value: u64) -> io::Result<()> {
    let maximum = process::getrlimit(resource).maximum;
    let limit = Rlimit { current: Some(value), maximum };
    process::prlimit(Some(pid(process)?), resource, limit)?;
    Ok(())
}

/// A pipe is a ring of pages.
const PAGE: usize = 4096;

/// The pipe to which a process prints, opened from outside.
fn printed_to(process: u32) -> io::Result<File> {
    File::open(format!("/proc/{process}/fd/1"))
}

/// Makes the pipe to which a process prints small, so that it fills up soon. If
/// that fails, more output is needed to fill it.
pub fn shrink_pipe(process: u32) {
    if let Ok(pipe) = printed_to(process) {
        fcntl_setpipe_size(&pipe, 2 * PAGE).ok();
    }
}

/// Whether the pipe to which a process prints is full. poll(2) calls it full as
/// soon as its last page is in use.
pub fn pipe_is_full(process: u32) -> bool {
    let unread = |pipe: &File| Some(ioctl_fionread(pipe).ok()? as usize);
    printed_to(process).ok().is_some_and(|pipe| {
        let size = fcntl_getpipe_size(&pipe).unwrap_or(usize::MAX);
        unread(&pipe).is_some_and(|unread| unread + PAGE + 256 > size)
    })
}

/// The processor time of a process: of all its threads, including those that
/// have ended.
pub(crate) fn cpu_clock(process: u32) -> Option<Duration> {
    let mut clock = 0;
    // SAFETY: all zeros is a valid timespec, and both calls are given memory
    // that they may write to.
    let time = unsafe {
        if libc::clock_getcpuclockid(process as pid_t, &raw mut clock) != 0 {
            return None;
        }
        let mut time: libc::timespec = mem::zeroed();
        if libc::clock_gettime(clock, &raw mut time) != 0 {
            return None;
        }
        time
    };
    Some(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// The processor time of the calling thread.
pub(crate) fn own_cpu_clock() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

fn checked(result: c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
