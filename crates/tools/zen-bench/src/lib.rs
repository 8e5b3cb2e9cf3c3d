//! The lab: loads servers, makes experiments, counts what an answer costs.
//!
//! Servers are programs: built by cargo or brought along, started as
//! processes, and loaded through sockets on the loopback interface.
//!
//! - [`load`], [`crowd`]: clients that ask, in a closed or an open loop, and
//!   clients that do not;
//! - [`gauge`], [`cores`], [`machine`]: what a server uses, where it runs, and
//!   on what it was measured;
//! - [`lab`], [`experiments`], [`results`]: what is asked, how, and what was
//!   found;
//! - [`figure`], [`svg`]: how that is drawn.

pub mod cores;
pub mod crowd;
pub mod experiments;
pub mod figure;
pub mod gauge;
pub mod lab;
pub mod load;
pub mod machine;
pub mod results;
pub mod svg;
