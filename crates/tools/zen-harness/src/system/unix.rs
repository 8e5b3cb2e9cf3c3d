//! Signals, limits and socket options of a Unix system.
#![expect(unsafe_code, reason = "rustix has no sigaction() and no TCP_INFO")]

use std::io;
use std::mem;
use std::net::TcpListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::c_int;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{self, Pid, Signal, WaitId, WaitIdOptions, WaitOptions};

pub use libc::{EAGAIN, ECONNRESET, EMFILE, SIGCHLD, SIGCONT, SIGHUP, SIGINT};
pub use libc::{SIGALRM, SIGWINCH};
pub use libc::{SIGKILL, SIGPIPE, SIGSTOP, SIGTERM, SIGURG, SIGUSR1, SIGUSR2};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::*;

/// Starts the process in a group of its own.
pub(crate) fn prepare(command: &mut Command) {
    command.process_group(0);
    #[cfg(target_os = "linux")]
    end_with_its_parent(command);
}

/// Starts the command with every signal blocked that a server may need: a
/// process inherits blocked signals from its parent.
pub fn block_signals(command: &mut Command) {
    let block = || {
        // SAFETY: all zeros is a valid set, which the calls fill and read.
        let result = unsafe {
            let mut set: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in [SIGINT, SIGTERM, SIGALRM, SIGCHLD] {
                libc::sigaddset(&raw mut set, signal);
            }
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut())
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec it makes a single system call.
    unsafe { command.pre_exec(block) };
}

/// The groups to kill when this process is ended by a signal. A slot holds one
/// group, or 0.
static GROUPS: [AtomicI32; 256] = [const { AtomicI32::new(0) }; 256];

/// Replaces one number by another in the first slot that holds it.
fn swap(from: i32, to: i32) {
    let relaxed = Ordering::Relaxed;
    GROUPS
        .iter()
        .any(|slot| slot.compare_exchange(from, to, relaxed, relaxed).is_ok());
}

/// The group of a process. Until this is dropped, a signal that ends this
/// process also kills the group.
#[derive(Debug)]
pub(crate) struct Group(i32);

impl Group {
    pub(crate) fn of(child: &Child) -> Option<Self> {
        let group = child.id() as i32;
        swap(0, group);
        Some(Self(group))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        swap(self.0, 0);
    }
}

/// Makes a signal that ends this process also end what it has started: those
/// processes have groups of their own, which Ctrl-C does not reach.
pub fn take_servers_along() {
    extern "C" fn handle(signal: c_int) {
        for slot in &GROUPS {
            let group = slot.load(Ordering::Relaxed);
            if group != 0 {
                // SAFETY: a handler may call kill().
                unsafe { libc::kill(-group, libc::SIGKILL) };
            }
        }
        // SAFETY: a handler may call _exit().
        unsafe { libc::_exit(128 + signal) };
    }
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let handler = handle as extern "C" fn(c_int);
        // SAFETY: the handler makes system calls and touches atomics only.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
}

/// A process in rustix's type; none has the number 0.
fn pid(process: u32) -> io::Result<Pid> {
    let none = io::Error::from(io::ErrorKind::InvalidInput);
    Pid::from_raw(process as i32).ok_or(none)
}

fn named(signal: i32) -> io::Result<Signal> {
    let none = io::Error::from(io::ErrorKind::InvalidInput);
    Signal::from_named_raw(signal).ok_or(none)
}

/// Sends a signal to a process.
pub fn signal(process: u32, signal: i32) -> io::Result<()> {
    Ok(process::kill_process(pid(process)?, named(signal)?)?)
}

/// Sends a signal to all processes of a group.
pub fn signal_group(group: u32, signal: i32) -> io::Result<()> {
    Ok(process::kill_process_group(pid(group)?, named(signal)?)?)
}

/// How a child has ended, if it has. It keeps its number.
pub(crate) fn ended(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let options =
        WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let status = process::waitid(WaitId::Pid(Pid::from_child(child)), options)?;
    Ok(status.map(|status| {
        // As wait() encodes it: a code, or a signal and whether it dumped.
        let code = status.exit_status().map(|code| code << 8);
        let dumped = if status.dumped() { 0x80 } else { 0 };
        let signal = status.terminating_signal().map(|it| it | dumped);
        ExitStatus::from_raw(code.or(signal).unwrap_or_default())
    }))
}

/// Forgets the members of a group that have ended, if they are our children:
/// orphans that this process has adopted.
pub(crate) fn reap_group(group: u32) {
    let Ok(group) = pid(group) else { return };
    while let Ok(Some(_)) = process::waitpgid(group, WaitOptions::NOHANG) {}
}

/// The same for all children.
pub(crate) fn reap_all() {
    while let Ok(Some(_)) = process::wait(WaitOptions::NOHANG) {}
}

/// The signal that ended a process, if one did.
pub fn ended_by(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// The name of a signal that a server is likely to get, such as SIGPIPE.
pub fn signal_name(signal: i32) -> &'static str {
    macro_rules! names {
        ($($name:ident)+) => {
            match signal {
                $(libc::$name => stringify!($name),)+
                _ => "see signal(7)",
            }
        };
    }
    names! { SIGABRT SIGALRM SIGBUS SIGCHLD SIGCONT SIGFPE SIGHUP SIGILL
    SIGINT SIGKILL SIGPIPE SIGSEGV SIGSTOP SIGTERM SIGURG SIGUSR1 SIGUSR2
    SIGWINCH }
}

/// Sets the longest backlog that the system allows: a burst is the server's
/// problem, and not inetd's.
pub(crate) fn lengthen_backlog(listener: &TcpListener) -> io::Result<()> {
    Ok(rustix::net::listen(listener, 4096)?)
}

/// Waits until a client can be accepted.
pub(crate) fn wait_for_client(listener: &TcpListener) -> io::Result<()> {
    poll(&mut [PollFd::new(listener, PollFlags::IN)], None)?;
    Ok(())
}

/// Makes children of this process disappear as soon as they end, without being
/// waited for.
pub(crate) fn forget_children() -> io::Result<()> {
    // SAFETY: all zeros is a valid sigaction, and it is only read.
    let result = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        action.sa_flags = libc::SA_NOCLDWAIT;
        libc::sigaction(SIGCHLD, &raw const action, ptr::null_mut())
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
