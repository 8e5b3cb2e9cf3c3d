//! Where there are no signals: Ctrl-C ends the process as the system does.

use std::io;

pub use std::os::windows::io::AsRawSocket as AsRaw;

use crate::Listener;

/// Whether the server was told to stop.
#[must_use]
pub fn begun() -> bool {
    false
}

pub(crate) fn insert(_: &impl AsRaw) {}
pub(crate) fn remove(_: &impl AsRaw) {}
pub(crate) fn shut_down_reading(_: &impl AsRaw) {}
pub(crate) fn pass_on(_: &Listener) {}

/// There are none.
///
/// # Errors
///
/// None either.
pub fn on_signals(_: Option<&Listener>) -> io::Result<()> {
    Ok(())
}
