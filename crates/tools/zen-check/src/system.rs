//! What only the operating system can do: signals, limits, socket options.
//!
//! The same functions everywhere. Where a system cannot do it, they return
//! [`Fault::Skipped`](crate::verdict::Fault) and the case is left out.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use other::*;
#[cfg(unix)]
pub(crate) use unix::*;
