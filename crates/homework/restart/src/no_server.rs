//! For systems that have no SIGHUP and cannot hand over descriptors: a server
//! that says so.

use std::io;

use zen_utils::{Listener, Options};

use crate::Restart;

pub(crate) fn serve(_: Listener, options: &Options<Restart>) -> io::Result<()> {
    let Restart { next, ready_within, grace, .. } = &options.own;
    let _ = (next, ready_within, grace);
    Err(io::Error::other("this system has no SIGHUP: run zen-poll"))
}
