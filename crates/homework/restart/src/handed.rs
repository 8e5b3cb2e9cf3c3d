//! What the process before this one has handed down: open descriptors, under
//! the numbers that two variables of the environment tell.
#![expect(unsafe_code, reason = "what is handed down is a mere number")]

use std::env;
use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::parent_id;
use std::process;
// BEGIN SOLUTION ready

use std::io::Write;
use std::os::unix::net::UnixStream;
// END SOLUTION

use rustix::io::{FdFlags, fcntl_setfd};

use zen_utils::log;

/// The number of the socket that listens.
pub(crate) const LISTENER: &str = "HANDED_LISTENER";

/// The number of a socket on which to say that this process is ready.
pub(crate) const READY: &str = "HANDED_READY";

/// The listener, if there was a process before this one.
pub(crate) fn listener() -> io::Result<Option<TcpListener>> {
    // BEGIN SOLUTION hand
    Ok(take(LISTENER)?.map(TcpListener::from))
    // STARTER: let _ = take(LISTENER);
    // STARTER: Ok(None)
    // END SOLUTION
}

/// Tells the process before this one, if there was one, that the next client
/// will be accepted here.
pub(crate) fn say_ready() -> io::Result<()> {
    let Some(ready) = take(READY)? else { return Ok(()) };
    log::server(format_args!(
        "Process {} takes over from process {}",
        process::id(),
        parent_id()
    ));
    // BEGIN SOLUTION ready
    // Should nobody hear it, then that process has ended, and this one serves.
    UnixStream::from(ready).write_all(b"!").ok();
    // STARTER: drop(ready);
    // END SOLUTION
    Ok(())
}

/// The descriptor whose number this variable tells. To be called once for
/// each variable.
fn take(variable: &str) -> io::Result<Option<OwnedFd>> {
    let Some(number) = env::var_os(variable) else { return Ok(None) };
    let number = number.to_str().and_then(|text| text.parse::<RawFd>().ok());
    let Some(number) = number.filter(|&number| number > 2) else {
        let message = format!("{variable} is no number of a descriptor");
        return Err(io::Error::other(message));
    };
    // SAFETY: whoever set the variable has opened this descriptor for us, and
    // nothing else in this process knows its number.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    match fcntl_setfd(&descriptor, FdFlags::CLOEXEC) {
        Ok(()) => Ok(Some(descriptor)),
        Err(_) => {
            // What is not open must not be closed either.
            std::mem::forget(descriptor);
            let message = format!("{variable}: {number} is not open");
            Err(io::Error::other(message))
        }
    }
}
