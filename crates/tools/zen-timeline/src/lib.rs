//! Draws who ran and who waited, thread by thread, in a real run of a server.
//!
//! - [`scenario`]: who does what, and when; [`play`] is what plays it;
//! - [`strace`]: reads what strace writes;
//! - [`run`]: a run as it was recorded, by [`record`] from both of these;
//! - [`picture`]: what is to be drawn of it, and [`svg`], [`html`] and
//!   [`perfetto`], which draw it;
//! - [`steps`]: the same as a sequence of events, with the state of every
//!   socket after each;
//! - [`gallery`]: the same scenario before every listing.

pub mod gallery;
pub mod html;
pub mod perfetto;
pub mod picture;
pub mod play;
pub mod record;
pub mod run;
pub mod scenario;
pub mod steps;
pub mod strace;
pub mod svg;
mod text;
