//! Starts a server, watches it and ends it. All tools and the tests of all
//! listings use this crate, and no other code starts a server.
//!
//! - [`process`]: launches a process, captures its output, waits until it is
//!   ready, and kills it with everything that it has started;
//! - [`server`]: any server, given as a command;
//! - [`proc`]: what /proc reports about processes and sockets;
//! - [`system`]: signals, limits and socket options;
//! - [`ports`]: free ports for servers;
//! - [`listing`]: the description in each server's manifest;
//! - [`built`] and `workspace`: the paths of programs that Cargo has built;
//! - [`inetd`]: a stand-in for inetd;
//! - [`waiting`]: a name and a colour for each state of a thread;
//! - [`strace`]: whether strace works here, and what it counts.
//!
//! Functions return [`std::io::ErrorKind::Unsupported`] where the system
//! lacks what they need.

#![expect(
    clippy::missing_errors_doc,
    reason = "each error says what the system refused"
)]

/// Functions that a system does not need, with their results there.
#[cfg(not(target_os = "linux"))]
macro_rules! stubs {
    ($($name:ident($($of:ty),*) -> $result:ty = $value:expr;)+) => {
        $(
            /// Not available on this system.
            pub fn $name($(_: $of),*) -> $result {
                $value
            }
        )+
    };
}

#[cfg(not(target_os = "linux"))]
fn unsupported<T>() -> std::io::Result<T> {
    let what = "this system does not support this";
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, what))
}

pub mod built;
pub mod inetd;
pub mod listing;
pub mod ports;
pub mod proc;
pub mod process;
pub mod server;
pub mod strace;
pub mod system;
pub mod waiting;
#[cfg(feature = "workspace")]
pub mod workspace;
