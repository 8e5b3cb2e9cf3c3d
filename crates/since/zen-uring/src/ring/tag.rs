//! The numbers that a completion carries: the one of its submission, and what
//! the system call would have returned.

use std::io;

/// What a submission was for: in its lowest bits, and a key above them.
pub(super) const ACCEPT: u64 = 0;
pub(super) const RECV: u64 = 1;
pub(super) const SEND: u64 = 2;
pub(super) const CANCEL: u64 = 3;

pub(super) fn tag(key: usize, kind: u64) -> u64 {
    (key as u64) << 2 | kind
}

pub(super) fn untag(tag: u64) -> (usize, u64) {
    ((tag >> 2) as usize, tag & 3)
}

/// Below 0 it is an error.
pub(super) fn outcome(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}
