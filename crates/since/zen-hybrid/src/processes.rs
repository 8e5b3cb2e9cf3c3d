//! `--share processes`: a process for each loop, and one that watches them.
#![expect(unsafe_code, reason = "fork(), mmap() and _exit()")]

use std::collections::HashMap;
use std::io;
use std::num::NonZero;
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::libc::_exit;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use zen_utils::{log, shutdown};

use crate::crowd::{Counts, Crowd};

// ANCHOR: shared_counts
/// Memory that stays one and the same for all processes forked from here on;
/// any other is copied.
pub(crate) fn shared_counts() -> io::Result<&'static Counts> {
    let size = NonZero::new(size_of::<Counts>()).ok_or(Errno::EINVAL)?;
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: the pages are new, large enough, aligned for anything, and never
    // unmapped. Whoever shares them, shares atomics.
    let counts = unsafe {
        let place = mmap_anonymous(None, size, access, MapFlags::MAP_SHARED)?;
        let place = place.cast::<Counts>();
        place.write(Counts::default());
        place.as_ref()
    };
    Ok(counts)
}
// ANCHOR_END: shared_counts

// ANCHOR: start
/// Starts them all, and watches until the last one has ended.
pub(crate) fn start(
    loops: usize,
    crowd: &Crowd,
    work: impl Fn(usize) -> io::Result<()>,
) -> io::Result<()> {
    let parent = getpid();
    let (mut gate, all_are_there) = UnixStream::pair()?;
    let mut children = HashMap::new();
    for number in 0..loops {
        // SAFETY: this process has a single thread, so that nobody else can
        // hold a lock at this moment that the child would wait for.
        match unsafe { fork()? } {
            ForkResult::Parent { child } => {
                children.insert(child, number);
            }
            ForkResult::Child => {
                end_with(parent);
                // At its end of file, everybody has dropped the other end. So
                // the first loop does not begin while there is no second.
                drop(all_are_there);
                io::copy(&mut gate, &mut io::sink()).ok();
                drop(gate);
                let result = work(number);
                result.as_ref().map_err(log::complain).ok();
                // SAFETY: ends the process. What the parent has on its stack
                // is the parent's to clear away.
                unsafe { _exit(result.is_err().into()) };
            }
        }
    }
    drop(all_are_there);
    while !children.is_empty() {
        let status = match waitpid(None::<Pid>, None) {
            Err(Errno::EINTR) => continue,
            status => status?,
        };
        let Some(child) = status.pid() else { continue };
        let number = children.remove(&child);
        if let (Some(number), false) = (number, shutdown::begun()) {
            // It may have been killed with clients: their seats are free.
            crowd.clear(number);
            log::complain(format_args!("process {child} is gone"));
        }
    }
    if shutdown::begun() {
        return Ok(());
    }
    Err(io::Error::other("no loop is left"))
}
// ANCHOR_END: start

// ANCHOR: end_with
/// When the parent ends, however it ends, the kernel ends this child.
fn end_with(parent: Pid) {
    set_pdeathsig(Signal::SIGKILL).ok();
    // It may have ended before we said so.
    if getppid() != parent {
        // SAFETY: ends the process.
        unsafe { _exit(0) };
    }
}

/// Only the parent may have been told to stop. Its handler has hung up the
/// listener, which is also ours; so we know, and tell ourselves.
pub(crate) fn end_as_told() {
    if !shutdown::begun() {
        raise(Signal::SIGTERM).ok();
    }
}
// ANCHOR_END: end_with
