//! `--share processes`: a process for each loop, and one that watches them.
#![expect(unsafe_code, reason = "fork() and _exit()")]

use std::collections::HashMap;
use std::io;

use nix::errno::Errno;
use nix::libc::_exit;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};
use socket2::{Domain, Socket, Type};

use zen_utils::{Listener, Options, StoppableSocket, log, shutdown};

use crate::{Hybrid, event_loop};

// ANCHOR: start
/// Starts all processes, and waits until the last one has ended.
pub(crate) fn start(
    listener: &Listener,
    options: &Options<Hybrid>,
) -> io::Result<()> {
    // All processes have this one listener: one of them may stop, and the
    // others still accept from it.
    listener.ignore_stop();
    let parent = getpid();
    let mut children = HashMap::new();
    for number in 0..options.own.loops() {
        // Connected to nothing, it never has bytes: it becomes readable when
        // this process or the child, which inherits it, is told to stop.
        let stop = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
        let stop = StoppableSocket::new(stop);
        // SAFETY: this process has a single thread. So no other thread can
        // hold a lock now that the child would wait for.
        match unsafe { fork()? } {
            ForkResult::Parent { child } => {
                children.insert(child, stop);
            }
            ForkResult::Child => {
                end_with(parent);
                // Those of the other loops: a stop of this process must not
                // reach them.
                drop(children);
                let result =
                    event_loop::serve(number, listener, Some(&stop), options);
                if let Err(err) = &result {
                    log::complain(format_args!("a loop has failed: {err}"));
                }
                // SAFETY: ends the process. Its stack is a copy of the
                // parent's, which frees what is on it.
                unsafe { _exit(result.is_err().into()) };
            }
        }
    }
    while !children.is_empty() {
        let status = match waitpid(None::<Pid>, None) {
            Err(Errno::EINTR) => continue,
            status => status?,
        };
        let Some(child) = status.pid() else { continue };
        children.remove(&child);
        match status {
            _ if shutdown::begun() => {}
            WaitStatus::Exited(_, 0) => {
                log::server(format_args!("Process {child} has ended"));
            }
            WaitStatus::Signaled(_, signal, _) => {
                let line = format!("process {child} was ended by {signal}");
                log::complain(line);
            }
            // It has failed, and said why.
            _ => {}
        }
    }
    match shutdown::begun() {
        true => Ok(()),
        false => Err(io::Error::other("no loop is left")),
    }
}
// ANCHOR_END: start

// ANCHOR: end_with
/// When the parent ends, in whatever way, the kernel ends this child.
fn end_with(parent: Pid) {
    set_pdeathsig(Signal::SIGKILL).ok();
    // The parent may have ended before that call.
    if getppid() != parent {
        // SAFETY: ends the process.
        unsafe { _exit(0) };
    }
}

/// Called when the parent or this process has been told to stop: if it was the
/// parent, the signal handler of this process has still to run.
pub(crate) fn stop() {
    if !shutdown::begun() {
        raise(Signal::SIGTERM).ok();
    }
}
// ANCHOR_END: end_with
