//! Systems without signals: Ctrl-C ends the process immediately.

use std::io;

pub use std::os::windows::io::AsSocket;

use crate::Listener;

/// Whether the server was told to stop.
#[must_use]
pub fn begun() -> bool {
    false
}

pub(crate) fn insert(_: &impl AsSocket) {}
pub(crate) fn remove(_: &impl AsSocket) {}
pub(crate) fn shut_down_reading(_: &impl AsSocket) {}
pub(crate) fn pass_on(_: &Listener) {}

/// Does nothing: there are no signals to handle.
///
/// # Errors
///
/// None.
pub fn on_signals(_: Option<&Listener>) -> io::Result<()> {
    Ok(())
}
