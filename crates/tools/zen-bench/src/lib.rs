//! Loads a server and counts what its answers cost.
//!
//! Servers are programs: built by cargo, started as processes, and loaded
//! through sockets on the loopback interface, never elsewhere.
//!
//! - [`listings`]: the servers of the workspace, and how they are built;
//! - [`server`]: a running process of one;
//! - [`load`]: clients that ask as fast as they are answered;
//! - [`svg`]: drawings for the book.

pub mod cores;
pub mod crowd;
mod drain;
pub mod experiments;
pub mod figure;
pub mod gauge;
pub mod lab;
pub mod listings;
pub mod load;
pub mod machine;
pub mod results;
pub mod server;
pub mod svg;
