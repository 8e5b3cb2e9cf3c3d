//! Where there are neither signals nor limits.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::{Command, ExitStatus};

use crate::verdict::{Fault, Verdict};

macro_rules! numbers {
    ($($name:ident)+) => { $(pub(crate) const $name: i32 = 0;)+ };
}
numbers! { SIGCHLD SIGCONT SIGINT SIGKILL SIGPIPE SIGSTOP SIGTERM SIGURG
SIGALRM SIGHUP SIGUSR1 SIGUSR2 SIGWINCH EAGAIN ECONNRESET EMFILE }

fn skipped<T>(what: &str) -> Verdict<T> {
    Err(Fault::Skipped(format!("this system has no {what}")))
}

pub(crate) fn prepare(_: &mut Command) {}

pub(crate) fn block_signals(_: &mut Command) {}

pub(crate) fn remember_group(_: u32) {}

pub(crate) fn forget_group(_: u32) {}

/// Here they are in no groups of their own.
pub(crate) fn take_servers_along() {}

pub(crate) fn signal(_: u32, _: i32) -> Verdict {
    skipped("signals")
}

pub(crate) fn signal_first_thread(_: u32, _: i32) -> Verdict {
    skipped("signals")
}

pub(crate) fn signal_group(_: u32, _: i32) -> Verdict {
    skipped("signals")
}

pub(crate) fn ended_by(_: ExitStatus) -> Option<i32> {
    None
}

pub(crate) fn signal_name(_: i32) -> &'static str {
    ""
}

pub(crate) fn reset_on_close(_: &TcpStream) -> Verdict {
    skipped("way to send a reset that is known here")
}

pub(crate) fn connect_narrow(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(address)
}

pub(crate) fn connect_to_flood(address: SocketAddr) -> io::Result<TcpStream> {
    let sock = TcpStream::connect(address)?;
    sock.set_nonblocking(true)?;
    Ok(sock)
}

pub(crate) fn connect_from(
    _: IpAddr,
    address: SocketAddr,
) -> io::Result<TcpStream> {
    TcpStream::connect(address)
}

pub(crate) fn segments_received(_: &TcpStream) -> Verdict<u32> {
    skipped("TCP_INFO")
}

pub(crate) fn limit_descriptors(_: u32, _: u64) -> Verdict {
    skipped("prlimit()")
}

pub(crate) fn limit_memory(_: u32, _: u64) -> Verdict {
    skipped("prlimit()")
}

pub(crate) fn raise_own_descriptor_limit(_: u64) -> Verdict {
    skipped("limit on descriptors")
}

pub(crate) fn shrink_pipe(_: u32) {}

pub(crate) fn pipe_is_full(_: u32) -> bool {
    false
}
