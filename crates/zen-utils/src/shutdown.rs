//! SIGINT and SIGTERM become the end of file on every socket.
//!
//! A blocking accept() or recv() cannot look at a flag, and a server in one
//! thread has nobody who could wake it. So the signal handler itself shuts
//! every socket down for reading, which shutdown(2) may do there. Then
//! accept() fails, recv() delivers what has already arrived and after that the
//! end of file, and a poller reports both. Every architecture has a path for
//! the end of file: it answers what is owed, closes, and returns. No helper
//! thread, no pipe, and nothing to poll beside the sockets.
//!
//! What is left after 1.8 seconds is cut off. A second signal, 100 ms or more
//! after the first (timeout(1) sends two at once), ends the process on the
//! spot. All this is promised on Linux, near to it on other Unix systems; on
//! Windows Ctrl-C ends the process as the system does.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

use std::ops::{Deref, DerefMut};

#[cfg(not(unix))]
use other as system;
#[cfg(unix)]
use unix as system;

pub(crate) use system::pass_on;
pub use system::{AsRaw, begun, on_signals};
#[cfg(unix)]
pub(crate) use unix::raise_descriptor_limit;

/// A socket that meets the end of file when the server is told to stop.
///
/// Its descriptor stands in the handler's table from here until just before
/// it is closed.
#[derive(Debug)]
pub struct StoppableSocket<S: AsRaw>(S);

impl<S: AsRaw> StoppableSocket<S> {
    /// Takes care of a socket, which has just been opened.
    // ANCHOR: guard
    pub fn new(sock: S) -> Self {
        // First the table, then the flag: the handler sets the flag and then
        // reads the table. Whichever comes first, the socket is told.
        system::insert(&sock);
        if begun() {
            system::shut_down_reading(&sock);
        }
        Self(sock)
    }
    // ANCHOR_END: guard
}

impl<S: AsRaw> Deref for StoppableSocket<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S: AsRaw> DerefMut for StoppableSocket<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.0
    }
}

impl<S: AsRaw> Drop for StoppableSocket<S> {
    fn drop(&mut self) {
        // Before the field is dropped, and with it the descriptor closed.
        system::remove(&self.0);
    }
}
