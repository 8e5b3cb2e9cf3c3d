//! What Linux reports in /proc about a server's processes, threads and sockets.
//! A server is the started process, its group and its descendants.

mod sockets;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

pub use sockets::{
    End, Socket, Sockets, is_free, listens, queued, server_end, unread,
};

/// The processes, threads and other resources of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Processes that have not ended.
    pub processes: usize,
    /// Processes that have ended, but were not waited for.
    pub zombies: usize,
    /// In all processes.
    pub threads: usize,
    /// Open in all processes.
    pub descriptors: usize,
    /// Anonymous resident memory of all processes, without files and without
    /// the kernel's memory for them.
    pub memory_bytes: u64,
}

impl Parts {
    /// The counts of descriptors, threads, and processes including zombies.
    pub fn counts(self) -> [usize; 3] {
        [self.descriptors, self.threads, self.processes + self.zombies]
    }
}

/// The resources that processes use together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// Threads of all processes.
    pub threads: u64,
    /// Memory of all processes, in bytes.
    pub bytes: u64,
}

/// How a thread has spent its time so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turns {
    /// Running on a processor.
    pub cpu: Duration,
    /// Ready to run, but waiting for a processor.
    pub delay: Duration,
}

impl Turns {
    /// The time since an earlier reading.
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
    /// It runs, or is ready to run.
    pub awake: bool,
    /// How often it has gone to sleep so far.
    pub sleeps: u64,
    /// How often the scheduler took its processor away while it was ready.
    pub preemptions: u64,
    /// Its time with a processor, and ready without one.
    pub turns: Turns,
}

/// The threads of a server, by number.
pub type Threads = BTreeMap<u32, Thread>;

/// The state of a thread, as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It runs, or is ready to run.
    Running,
    /// It is blocked in the system call with this name and this first argument.
    /// The name is empty if the call is not one that servers wait in.
    In(&'static str, u64),
    /// It is blocked outside of system calls.
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
    Ok(members.iter().map(|member| member.pid as u32).collect())
}

/// The states of all processes of a server: R, S, Z and so on, as ps shows
/// them.
pub fn states(leader: u32) -> io::Result<Vec<char>> {
    Ok(members(leader)?.iter().map(|member| member.state).collect())
}

/// How long the threads of some processes have run, and were ready without a
/// processor, as far as the system reports that.
pub fn turns_of(processes: impl IntoIterator<Item = u32>) -> Turns {
    let all = processes.into_iter().flat_map(|it| turns(it).into_values());
    all.fold(Turns::default(), |sum, it| Turns {
        cpu: sum.cpu + it.cpu,
        delay: sum.delay + it.delay,
    })
}
