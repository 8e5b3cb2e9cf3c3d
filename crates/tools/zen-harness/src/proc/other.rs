//! Where there is no /proc.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::{Parts, Resident, Threads, Turns};
use crate::unsupported;

/// Never made here.
pub(super) struct Member {
    pub(super) process: u32,
    pub(super) state: char,
}

pub(super) fn members(_: u32) -> io::Result<Vec<Member>> {
    unsupported()
}

stubs! {
    cpu_time(u32) -> io::Result<Duration> = unsupported();
    descriptors(u32) -> io::Result<Vec<u64>> = unsupported();
    has_no_signal_pending(u32) -> io::Result<bool> = unsupported();
    is_all_stopped(u32) -> io::Result<bool> = unsupported();
    is_stopped(u32) -> bool = false;
    is_traced(u32) -> bool = false;
    memory(u32) -> io::Result<u64> = unsupported();
    own_turns() -> Turns = Turns::default();
    parts(u32) -> io::Result<Parts> = unsupported();
    resident(u32) -> io::Result<Resident> = unsupported();
    shared_memory(u32) -> io::Result<u64> = unsupported();
    threads(u32) -> io::Result<Threads> = unsupported();
    turns(u32) -> BTreeMap<u32, Turns> = BTreeMap::new();
    with_variable(&str) -> io::Result<Vec<u32>> = unsupported();
}
