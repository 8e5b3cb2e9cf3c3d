//! The socket that inetd or systemd hands over, the standard streams, and how
//! to wait on a listener that this program does not own.
#![expect(unsafe_code, reason = "systemd hands over only a number")]

use std::env;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::process;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::fstat;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};
use rustix::stdio::{
    dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout,
};

use zen_utils::listener::without_number;
use zen_utils::shutdown;

/// The first descriptor that systemd hands over: see sd_listen_fds(3).
const LISTEN_FDS_START: RawFd = 3;

// ANCHOR: take_over
/// The socket that this program was started with.
pub(crate) enum Handed {
    /// inetd's `nowait`, systemd's `Accept=yes`.
    Client(TcpStream),
    /// inetd's `wait`, systemd's `Accept=no`.
    Listener(TcpListener),
}

/// Takes the socket. From now on, nothing that is printed reaches it.
pub(crate) fn take_over() -> io::Result<Handed> {
    let sock = match listen_fd()? {
        Some(sock) => sock,
        None => fcntl_dupfd_cloexec(stdin(), LISTEN_FDS_START)?,
    };
    if !is_tcp(&sock) {
        let message = "no TCP socket to serve: let inetd or systemd start it";
        return Err(io::Error::other(message));
    }
    move_streams_away(&sock)?;
    Ok(match listens(&sock) {
        true => Handed::Listener(sock.into()),
        false => Handed::Client(sock.into()),
    })
}
// ANCHOR_END: take_over

// ANCHOR: listen_fd
/// The socket that systemd hands over, if systemd started this program.
fn listen_fd() -> io::Result<Option<OwnedFd>> {
    let number = |name| env::var(name).ok()?.parse::<u32>().ok();
    // Otherwise the variables are for the program that started this one.
    if number("LISTEN_PID") != Some(process::id()) {
        return Ok(None);
    }
    if number("LISTEN_FDS") != Some(1) {
        let message = "LISTEN_FDS is not 1: hand over a single socket";
        return Err(io::Error::other(message));
    }
    // SAFETY: LISTEN_PID says that this descriptor was opened for us, and
    // nothing else in this process uses it.
    let sock = unsafe { OwnedFd::from_raw_fd(LISTEN_FDS_START) };
    match fcntl_setfd(&sock, FdFlags::CLOEXEC) {
        Ok(()) => Ok(Some(sock)),
        Err(_) => {
            // It is not open, so it must not be closed.
            mem::forget(sock);
            Err(io::Error::other("LISTEN_FDS: descriptor 3 is not open"))
        }
    }
}
// ANCHOR_END: listen_fd

/// Not every stream is TCP: a Unix socket has no address for the log.
fn is_tcp(sock: &OwnedFd) -> bool {
    let internet = [AddressFamily::INET, AddressFamily::INET6];
    sockopt::socket_type(sock) == Ok(SocketType::STREAM)
        && getsockname(sock)
            .is_ok_and(|address| internet.contains(&address.address_family()))
}

#[cfg(not(target_vendor = "apple"))]
fn listens(sock: &OwnedFd) -> bool {
    sockopt::socket_acceptconn(sock) == Ok(true)
}

/// macOS cannot tell, but a listener has no peer.
#[cfg(target_vendor = "apple")]
fn listens(sock: &OwnedFd) -> bool {
    rustix::net::getpeername(sock).is_err()
}

// ANCHOR: streams
/// Points each standard stream that is this socket at /dev/null: all three
/// under inetd, none or some under systemd.
fn move_streams_away(sock: &OwnedFd) -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let sock = fstat(sock)?;
    let is_sock = |stream: BorrowedFd<'_>| {
        fstat(stream).is_ok_and(|stream| {
            (stream.st_dev, stream.st_ino) == (sock.st_dev, sock.st_ino)
        })
    };
    if is_sock(stdin()) {
        dup2_stdin(&null)?;
    }
    if is_sock(stdout()) {
        dup2_stdout(&null)?;
    }
    if is_sock(stderr()) {
        dup2_stderr(&null)?;
    }
    Ok(())
}

/// From now on, whatever is printed is appended to this file. Several processes
/// may share it, because each line is a single write.
pub(crate) fn log_to(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    let file = file.map_err(|err| {
        let (path, why) = (path.display(), without_number(&err));
        io::Error::other(format!("cannot log to {path}: {why}"))
    })?;
    dup2_stdout(&file)?;
    dup2_stderr(&file)?;
    Ok(())
}
// ANCHOR_END: streams

// ANCHOR: wait_for_client
/// Waits for a client. Returns false if the time has passed without one, or if
/// a signal ends this program.
///
/// To shut down this listener would shut it down for inetd as well, so it is no
/// `StoppableSocket`: a signal only interrupts poll(). If the signal comes just
/// before poll(), the program ends 1.8 seconds later, as any stop does.
pub(crate) fn wait_for_client(
    listener: &TcpListener,
    time: Duration,
) -> io::Result<bool> {
    let until = Instant::now().checked_add(time);
    while !shutdown::begun() {
        let time_left = until
            .map(|until| until.saturating_duration_since(Instant::now()))
            .and_then(|time_left| Timespec::try_from(time_left).ok());
        let mut watched = [PollFd::new(listener, PollFlags::IN)];
        match poll(&mut watched, time_left.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(err) => return Err(err.into()),
        }
    }
    Ok(false)
}
// ANCHOR_END: wait_for_client
