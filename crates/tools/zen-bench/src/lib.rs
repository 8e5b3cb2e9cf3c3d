//! The lab: loads servers, makes experiments, counts what an answer costs.
//!
//! Servers are programs: built by Cargo or named by the user, started as
//! processes, and loaded through sockets on the loopback interface.
//!
//! - [`load`], [`schedule`], [`drive`]: clients that ask, in a closed or an
//!   open loop; [`crowd`], [`holders`]: clients that do not;
//! - [`gauge`], [`cores`], [`machine`]: what a server uses, where it runs, and
//!   on what it was measured;
//! - [`lab`], [`experiment`], [`experiments`], [`results`]: what is asked, how,
//!   and what came out;
//! - [`svg`], [`figure`], [`book`]: how that is drawn and kept.
#![expect(
    clippy::missing_errors_doc,
    reason = "every error is a sentence for the user"
)]
#![expect(
    missing_docs,
    reason = "only its own program uses it, and a name may say enough"
)]

pub mod book;
pub mod cores;
pub mod crowd;
pub mod drive;
pub mod experiment;
pub mod experiments;
pub mod figure;
pub mod gauge;
pub mod holders;
pub mod lab;
pub mod load;
pub mod machine;
pub mod progress;
pub mod results;
pub mod schedule;
pub mod svg;
mod words;
