//! What the previous process has handed over: open descriptors, whose numbers
//! are in two environment variables.
#![expect(unsafe_code, reason = "a descriptor is handed over as a number")]

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

/// The variable with the number of the listening socket.
pub(crate) const LISTENER: &str = "HANDED_LISTENER";

/// The variable with the number of a socket, on which this process says that it
/// is ready.
pub(crate) const READY: &str = "HANDED_READY";

/// The listener, if there was a previous process.
pub(crate) fn listener() -> io::Result<Option<TcpListener>> {
    // BEGIN SOLUTION hand
    Ok(take(LISTENER)?.map(TcpListener::from))
    // STARTER: let _ = take(LISTENER);
    // STARTER: Ok(None)
    // END SOLUTION
}

/// Tells the previous process, if there was one, that this process will accept
/// the next client.
pub(crate) fn say_ready() -> io::Result<()> {
    let Some(ready) = take(READY)? else { return Ok(()) };
    log::server(format_args!(
        "Process {} takes over from process {}",
        process::id(),
        parent_id()
    ));
    // BEGIN SOLUTION ready
    // This fails only if that process has ended. Then this one serves.
    UnixStream::from(ready).write_all(b"!").ok();
    // STARTER: drop(ready);
    // END SOLUTION
    Ok(())
}

/// The descriptor whose number is in this variable. Must be called only once
/// for each variable.
fn take(variable: &str) -> io::Result<Option<OwnedFd>> {
    let Some(number) = env::var_os(variable) else { return Ok(None) };
    let number = number.to_str().and_then(|text| text.parse::<RawFd>().ok());
    let Some(number) = number.filter(|&number| number > 2) else {
        let message = format!("{variable} is not the number of a descriptor");
        return Err(io::Error::other(message));
    };
    // SAFETY: the process that set the variable has opened this descriptor for
    // us, and nothing else in this process knows its number.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    match fcntl_setfd(&descriptor, FdFlags::CLOEXEC) {
        Ok(()) => Ok(Some(descriptor)),
        Err(_) => {
            // A descriptor that is not open must not be closed.
            std::mem::forget(descriptor);
            let message = format!("{variable}: {number} is not open");
            Err(io::Error::other(message))
        }
    }
}
