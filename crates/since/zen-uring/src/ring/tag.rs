//! The two numbers in a completion: the tag of its submission, and what the
//! system call would have returned.

use std::io;

/// What a submission was for: in its lowest bits, and a key above them.
pub(super) const ACCEPT: u8 = 0;
pub(super) const RECV: u8 = 1;
pub(super) const SEND: u8 = 2;
pub(super) const CANCEL: u8 = 3;

pub(super) fn tag(key: usize, kind: u8) -> u64 {
    (key as u64) << 2 | u64::from(kind)
}

pub(super) fn untag(tag: u64) -> (usize, u8) {
    ((tag >> 2) as usize, (tag & 3) as u8)
}

/// A number below 0 is an error.
pub(super) fn outcome(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}
