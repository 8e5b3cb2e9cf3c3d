//! Starts a server, watches it and ends it. Every tool and every listing's
//! test builds on this crate, and no other code starts a server.
//!
//! - [`process`]: launches a process, captures what it prints, waits until it
//!   is ready, and kills it with all that it has started;
//! - [`server`]: any server, by the words of its command;
//! - [`proc`]: what /proc tells of processes and sockets;
//! - [`system`]: signals, limits and socket options;
//! - [`ports`]: ports that no one else uses;
//! - [`listing`]: what each server of the workspace says of itself;
//! - [`built`] and `workspace`: where Cargo has put programs;
//! - [`inetd`]: a stand-in for inetd;
//! - [`waiting`]: names and colours for what a thread can wait in;
//! - [`strace`]: whether strace can be used, and what it counts.
//!
//! Functions return [`std::io::ErrorKind::Unsupported`] where the system has
//! no such thing.

#![expect(
    clippy::missing_errors_doc,
    reason = "an error says itself what the system refused"
)]

/// Functions that a system has no use for, with what they return there.
#[cfg(not(target_os = "linux"))]
macro_rules! stubs {
    ($($name:ident($($of:ty),*) -> $result:ty = $value:expr;)+) => {
        $(
            /// Not to be had on this system.
            pub fn $name($(_: $of),*) -> $result {
                $value
            }
        )+
    };
}

#[cfg(not(target_os = "linux"))]
fn unsupported<T>() -> std::io::Result<T> {
    let what = "this system can neither do nor tell this";
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
