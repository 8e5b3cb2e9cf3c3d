//! Where there are neither signals nor limits.

mod job;

pub(crate) use job::Group;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus};

macro_rules! numbers {
    ($($name:ident)+) => {
        $(
            /// A number that nothing has here.
            pub const $name: i32 = 0;
        )+
    };
}
numbers! { SIGCHLD SIGCONT SIGINT SIGKILL SIGPIPE SIGSTOP SIGTERM SIGURG
SIGALRM SIGHUP SIGUSR1 SIGUSR2 SIGWINCH EAGAIN EMFILE }

/// WSAECONNRESET: a client has left with a reset.
pub const ECONNRESET: i32 = 10054;

macro_rules! unsupported {
    ($what:literal: $($name:ident($($argument:ty),*) => $result:ty)+) => {
        $(
            /// Not to be had here.
            pub fn $name($(_: $argument),*) -> io::Result<$result> {
                let what = concat!("this system has no ", $what);
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            }
        )+
    };
}
unsupported! { "signals":
    signal(u32, i32) => ()
    signal_first_thread(u32, i32) => ()
    signal_group(u32, i32) => ()
}
unsupported! { "prlimit()":
    limit_descriptors(u32, u64) => ()
    limit_memory(u32, u64) => ()
    raise_own_descriptor_limit(u64) => ()
}
unsupported! { "TCP_INFO": segments_received(&TcpStream) => u32 }
unsupported! { "small buffers, so no answer waits":
    connect_narrow(SocketAddr) => TcpStream
}

/// Here there are no signals to block.
pub fn block_signals(_: &mut Command) {}

pub(crate) fn prepare(_: &mut Command) {}

/// Here they end with this process anyway, by their jobs.
pub fn take_servers_along() {}

pub(crate) fn ended(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    child.try_wait()
}

/// No signal ends a process here.
#[must_use]
pub fn ended_by(_: ExitStatus) -> Option<i32> {
    None
}

/// Signals have no names here.
#[must_use]
pub fn signal_name(_: i32) -> &'static str {
    ""
}

/// Pipes keep their size here.
pub fn shrink_pipe(_: u32) {}

/// Not known here.
#[must_use]
pub fn pipe_is_full(_: u32) -> bool {
    false
}
