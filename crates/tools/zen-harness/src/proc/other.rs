//! Where there is no /proc.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::{Call, Parts, Resident, Threads, Turns};

/// Never made here.
pub(super) struct Member {
    pub(super) process: u32,
    pub(super) state: char,
}

fn unsupported<T>() -> io::Result<T> {
    let what = "only Linux tells this, in /proc";
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

macro_rules! unsupported {
    ($($name:ident: $argument:ty => $result:ty)+) => {
        $(
            /// Not to be had here.
            pub fn $name(_: $argument) -> io::Result<$result> {
                unsupported()
            }
        )+
    };
}

unsupported! {
    calls: u32 => Vec<(u32, Call)>
    cpu_time: u32 => Duration
    descriptors: u32 => Vec<u64>
    has_no_signal_pending: u32 => bool
    is_all_stopped: u32 => bool
    memory: u32 => u64
    own_cpu_time: u32 => Duration
    parts: u32 => Parts
    resident: u32 => Resident
    shared_memory: u32 => u64
    threads: u32 => Threads
    with_variable: &str => Vec<u32>
}

pub(super) fn members(_: u32) -> io::Result<Vec<Member>> {
    unsupported()
}

/// Not to be had here.
pub fn name(_: u32, _: u32) -> io::Result<String> {
    unsupported()
}

/// It alone is known here.
#[must_use]
pub fn lineage(leader: u32) -> Vec<u32> {
    vec![leader]
}

/// Not known here.
#[must_use]
pub fn socket_at(_: u32, _: u64) -> Option<u64> {
    None
}

/// Not known here.
#[must_use]
pub fn is_stopped(_: u32) -> bool {
    false
}

/// Not known here.
#[must_use]
pub fn is_traced(_: u32) -> bool {
    false
}

/// Not known here.
#[must_use]
pub fn turns(_: u32) -> BTreeMap<u32, Turns> {
    BTreeMap::new()
}

/// Not known here.
#[must_use]
pub fn own_turns() -> Turns {
    Turns::default()
}
