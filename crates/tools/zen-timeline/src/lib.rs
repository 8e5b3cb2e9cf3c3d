//! Draws who ran and who waited, thread by thread, in a real run of a server.
//!
//! - [`scenario`]: who does what, and when; [`play`] plays it;
//! - [`strace`]: reads what strace writes; [`build`] makes tasks of it;
//! - [`run`]: a run as it was recorded, by [`record`] from both of these;
//! - [`lane`], [`picture`]: what is to be drawn of it, and [`svg`], [`html`]
//!   and [`perfetto`], which draw it;
//! - [`steps`], [`story`]: the same as a sequence of events, with the state of
//!   every socket after each;
//! - [`gallery`]: the same scenario with every listing.
#![expect(
    clippy::missing_errors_doc,
    reason = "every error is a sentence for the user"
)]
#![expect(
    missing_docs,
    reason = "only its own program uses it, and a name may say enough"
)]

pub mod build;
pub mod gallery;
pub mod html;
pub mod lane;
mod lanes;
mod merge;
pub mod perfetto;
pub mod picture;
pub mod play;
pub mod record;
pub mod run;
pub mod scenario;
pub mod steps;
pub mod story;
pub mod strace;
pub mod svg;
mod text;
