//! Graceful shutdown: SIGINT and SIGTERM become end of file on every socket.
//!
//! A thread that is blocked in accept() or recv() cannot check a flag, and in a
//! server with a single thread no other thread can wake it. So the signal
//! handler itself shuts every socket down for reading: shutdown(2) is one of
//! the few calls that are allowed in a handler. After that accept() fails,
//! recv() delivers what has already arrived and then end of file, and a poller
//! reports both. Every architecture handles end of file already: it sends the
//! answers that are owed, closes, and returns. This needs no helper thread, no
//! pipe, and nothing else to wait for.
//!
//! Whatever is left after 1.8 seconds is cut off. A second signal, 100 ms or
//! more after the first (timeout(1) sends two at once), ends the process
//! immediately. This holds on Linux, and nearly so on other Unix systems. On
//! Windows, Ctrl-C ends the process without any of this.

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
pub use system::{AsSocket, begun, on_signals};
#[cfg(unix)]
pub(crate) use unix::raise_descriptor_limit;

/// A socket that reaches end of file when the server is told to stop.
///
/// The signal handler knows its descriptor until just before it is closed.
#[derive(Debug)]
pub struct StoppableSocket<S: AsSocket>(S);

impl<S: AsSocket> StoppableSocket<S> {
    /// Registers a socket, right after it was opened.
    // ANCHOR: stoppable_socket
    pub fn new(sock: S) -> Self {
        // First the table, then the flag. The handler does it the other way
        // round, so it always reaches this socket or is noticed here.
        system::insert(&sock);
        if begun() {
            system::shut_down_reading(&sock);
        }
        Self(sock)
    }
    // ANCHOR_END: stoppable_socket

    pub(crate) fn ignore_stop(&self) {
        system::remove(&self.0);
    }
}

impl<S: AsSocket> Deref for StoppableSocket<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S: AsSocket> DerefMut for StoppableSocket<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.0
    }
}

impl<S: AsSocket> Drop for StoppableSocket<S> {
    fn drop(&mut self) {
        // This runs before the field is dropped, which closes the descriptor.
        system::remove(&self.0);
    }
}
