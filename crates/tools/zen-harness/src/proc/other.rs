//! Systems without /proc.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::{Call, Parts, Resident, Threads, Turns};
use crate::unsupported;

/// Never created on such a system.
pub(super) struct Member {
    pub(super) pid: i32,
    pub(super) state: char,
}

pub(super) fn members(_: u32) -> io::Result<Vec<Member>> {
    unsupported()
}

stubs! {
    calls(u32) -> io::Result<Vec<(u32, Call)>> = unsupported();
    cpu_time(u32) -> io::Result<Duration> = unsupported();
    descriptors(u32) -> io::Result<Vec<u64>> = unsupported();
    has_ended(u32) -> bool = false;
    has_no_signal_pending(u32) -> io::Result<bool> = unsupported();
    is_all_stopped(u32) -> io::Result<bool> = unsupported();
    is_stopped(u32) -> bool = false;
    is_traced(u32) -> bool = false;
    memory(u32) -> io::Result<u64> = unsupported();
    own_cpu_time(u32) -> io::Result<Duration> = unsupported();
    own_turns() -> Turns = Turns::default();
    parts(u32) -> io::Result<Parts> = unsupported();
    resident(u32) -> io::Result<Resident> = unsupported();
    shared_memory(u32) -> io::Result<u64> = unsupported();
    socket_at(u32, u64) -> Option<u64> = None;
    threads(u32) -> io::Result<Threads> = unsupported();
    turns(u32) -> BTreeMap<u32, Turns> = BTreeMap::new();
    with_variable(&str) -> io::Result<Vec<u32>> = unsupported();
}

/// Only the leader is known here.
pub fn lineage(leader: u32) -> Vec<u32> {
    vec![leader]
}
