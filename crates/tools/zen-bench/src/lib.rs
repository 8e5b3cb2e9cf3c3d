//! The lab: loads servers, runs experiments, and counts what an answer costs.
//!
//! Servers are programs. Cargo builds them, or the user names them; each is
//! started as a process and loaded through sockets on the loopback interface.
//!
//! - [`load`], [`schedule`], [`drive`]: clients that ask, in a closed or an
//!   open loop; [`crowd`], [`holders`]: other clients;
//! - [`gauge`], [`cores`], [`machine`]: what a server uses, the cores it runs
//!   on, and the machine of a measurement;
//! - [`lab`], [`experiment`], [`experiments`], [`results`]: the experiments,
//!   their setting, and their results;
//! - [`template`], [`figure`], [`book`]: the figures, and the files in the book.
#![expect(
    clippy::missing_errors_doc,
    reason = "every error is a sentence for the user"
)]
#![expect(
    missing_docs,
    reason = "only its own program uses it, and some names need no more"
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
pub mod template;
mod words;
