//! What Linux tells in /proc of a server's processes, threads and sockets. A
//! server is the process that was started, its group and its descendants.

mod sockets;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

pub use sockets::{
    End, Socket, Sockets, is_free, is_unused, listens, queued, server_end,
    unread,
};

/// What a server is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Those that run.
    pub processes: usize,
    /// Those that have ended and were not waited for.
    pub zombies: usize,
    /// Of all processes.
    pub threads: usize,
    /// Open in all processes.
    pub descriptors: usize,
    /// Anonymous resident memory of all processes: neither files nor what the
    /// kernel holds for them.
    pub memory_bytes: u64,
}

impl Parts {
    /// Descriptors, threads, and processes with those that are zombies.
    #[must_use]
    pub fn counts(self) -> [usize; 3] {
        [self.descriptors, self.threads, self.processes + self.zombies]
    }
}

/// What processes use together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// Threads of all of them.
    pub threads: u64,
    /// Memory of all of them, in bytes.
    pub bytes: u64,
}

/// How a thread has spent its time so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turns {
    /// On a processor.
    pub cpu: Duration,
    /// Ready to run, while others did.
    pub delay: Duration,
}

impl Turns {
    /// What came since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            delay: self.delay.saturating_sub(earlier.delay),
        }
    }
}

/// A thread of a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thread {
    /// It runs, or would if it had a processor.
    pub awake: bool,
    /// How often it has gone to sleep so far.
    pub sleeps: u64,
    /// How often it was taken off its processor while it could have gone on.
    pub preemptions: u64,
    /// Its time on a processor, and without one.
    pub turns: Turns,
}

/// The threads of a server, by their numbers.
pub type Threads = BTreeMap<u32, Thread>;

/// What a thread is in, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It runs, or would if it had a processor.
    Running,
    /// It is blocked in the system call of this name, whose first argument
    /// this is; the name is empty if it is none of those that servers wait in.
    In(&'static str, u64),
    /// It is blocked in no system call.
    None,
    /// The system does not tell.
    Unknown,
}

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::*;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub use other::*;

/// The processes of a server that have not ended.
pub fn family(leader: u32) -> io::Result<Vec<u32>> {
    let mut members = members(leader)?;
    members.retain(|member| member.state != 'Z');
    Ok(members.iter().map(|member| member.process).collect())
}

/// The states of all processes of a server: R, S, Z and so on, as ps shows
/// them.
pub fn states(leader: u32) -> io::Result<Vec<char>> {
    Ok(members(leader)?.iter().map(|member| member.state).collect())
}

/// How long the threads of a process have been ready and without a processor,
/// as far as the system tells.
#[must_use]
pub fn waited(process: u32) -> Duration {
    turns(process).values().map(|turns| turns.delay).sum()
}
