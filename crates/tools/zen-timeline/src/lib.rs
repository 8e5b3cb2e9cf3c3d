//! Draws which threads ran and which waited in a real run of a server.
//!
//! - [`scenario`]: what each client does, and when; [`play`] plays it;
//! - `strace`: reads what strace writes; [`build`] turns it into tasks;
//! - [`run`]: a recorded run; [`record`] makes it from both of these;
//! - [`lane`], [`picture`]: what to draw of it, and [`svg`], [`html`]
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
    reason = "only its own program uses it, and some names need no more"
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
mod strace;
pub mod svg;
mod text;
