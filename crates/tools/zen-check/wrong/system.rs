//! Sockets and poll(2), as the operating system has them.
#![expect(unsafe_code, reason = "std has no poll, and a send of its own")]

use std::io::{self, ErrorKind};
use std::mem;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Instant;

use libc::{c_int, c_short, c_void, pollfd};

use crate::faults::{Fault, faulty};
use crate::talk::clock;

#[cfg(target_os = "linux")]
pub(crate) use libc::POLLRDHUP;
/// Other systems do not report the end of file before it is read.
#[cfg(not(target_os = "linux"))]
pub(crate) const POLLRDHUP: c_short = 0;

const BACKLOG: c_int = 4096;

/// Tries a system call again when a signal has cut it short.
pub(crate) fn checked(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        let result = call();
        if result >= 0 {
            return Ok(result as usize);
        }
        let err = io::Error::last_os_error();
        if faulty(Fault::EintrIsFatal) || err.kind() != ErrorKind::Interrupted {
            return Err(err);
        }
    }
}

/// A listening socket that does not block. What std makes has SO_REUSEADDR.
pub(crate) fn listen(port: u16) -> io::Result<TcpListener> {
    // SAFETY: all zeros is a valid sockaddr_in.
    let mut address: libc::sockaddr_in = unsafe { mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
    let length = size_of_val(&address) as libc::socklen_t;
    let address = (&raw const address).cast();
    // SAFETY: socket() takes any numbers.
    let fd = checked(|| unsafe {
        libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) as isize
    })? as RawFd;
    // SAFETY: the descriptor is new, and used nowhere else.
    let sock = unsafe { OwnedFd::from_raw_fd(fd) };
    if !faulty(Fault::NoReuseaddr) {
        let (on, length): (c_int, _) = (1, size_of::<c_int>() as _);
        let (level, name) = (libc::SOL_SOCKET, libc::SO_REUSEADDR);
        let on = (&raw const on).cast();
        // SAFETY: the option's value is valid for its length.
        checked(|| unsafe {
            libc::setsockopt(fd, level, name, on, length) as isize
        })?;
    }
    // SAFETY: the address is valid for its length.
    checked(|| unsafe { libc::bind(fd, address, length) as isize })?;
    // SAFETY: listen() takes any numbers.
    checked(|| unsafe { libc::listen(fd, BACKLOG) as isize })?;
    let listener = TcpListener::from(sock);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// From now on no client can connect, though the socket is still open.
pub(crate) fn stop_listening(listener: &TcpListener) {
    // SAFETY: shutdown() takes any numbers.
    unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RDWR) };
}

pub(crate) enum Accepted {
    Client(TcpStream),
    /// A client left before it was its turn.
    Gone,
    /// None waits.
    NoClient,
}

/// An error says that there is no room for another client.
pub(crate) fn accept(listener: &TcpListener) -> io::Result<Accepted> {
    match listener.accept() {
        Ok((sock, _)) => {
            // An answer does not wait for the one before it to arrive. It
            // does no harm if this fails.
            sock.set_nodelay(true).ok();
            Ok(Accepted::Client(sock))
        }
        Err(err) => match err.kind() {
            ErrorKind::WouldBlock => Ok(Accepted::NoClient),
            ErrorKind::ConnectionAborted => Ok(Accepted::Gone),
            _ => Err(err),
        },
    }
}

pub(crate) fn recv(sock: &TcpStream, bytes: &mut [u8]) -> io::Result<usize> {
    let (fd, length) = (sock.as_raw_fd(), bytes.len());
    let bytes = bytes.as_mut_ptr().cast::<c_void>();
    // SAFETY: there is room for as many bytes as are asked for.
    checked(|| unsafe { libc::recv(fd, bytes, length, libc::MSG_DONTWAIT) })
}

pub(crate) fn send(
    sock: &TcpStream,
    bytes: &[u8],
    may_block: bool,
) -> io::Result<usize> {
    let flags = if may_block { 0 } else { libc::MSG_DONTWAIT };
    let (fd, length) = (sock.as_raw_fd(), bytes.len());
    let bytes = bytes.as_ptr().cast::<c_void>();
    // SAFETY: there are as many bytes as are sent.
    checked(|| unsafe { libc::send(fd, bytes, length, flags) })
}

/// An entry for [`wait`]; without a descriptor it waits for nothing.
pub(crate) fn watch(fd: Option<RawFd>, events: c_short) -> pollfd {
    pollfd { fd: fd.unwrap_or(-1), events, revents: 0 }
}

/// Whether a line can be printed without waiting for its reader.
pub(crate) fn can_print() -> bool {
    let mut events = [watch(Some(libc::STDOUT_FILENO), libc::POLLOUT)];
    // SAFETY: there is one entry, as it is told.
    unsafe { libc::poll(events.as_mut_ptr(), 1, 0) == 1 }
}

/// Waits for events, at most until then by our own clock.
pub(crate) fn wait(
    events: &mut [pollfd],
    until: Option<Instant>,
) -> io::Result<()> {
    let (first, length) = (events.as_mut_ptr(), events.len());
    let call = || {
        let time = until.map(|then| then.saturating_duration_since(clock()));
        // Rounded up, lest it wakes a little too soon, again and again.
        let time_ms = time.map_or(-1, |time| {
            let time_ms = time.as_micros().div_ceil(1000);
            c_int::try_from(time_ms).unwrap_or(c_int::MAX)
        });
        // SAFETY: there are as many entries as it is told.
        unsafe { libc::poll(first, length as libc::nfds_t, time_ms) as isize }
    };
    checked(call).map(drop)
}

/// Becomes readable when a client comes, and not as long as one waits.
#[cfg(target_os = "linux")]
pub(crate) fn edge(listener: &TcpListener) -> io::Result<OwnedFd> {
    let events = (libc::EPOLLIN | libc::EPOLLET) as u32;
    let mut event = libc::epoll_event { events, u64: 0 };
    // SAFETY: the event is valid, and the descriptor new and used nowhere else.
    unsafe {
        let fd = checked(|| libc::epoll_create1(0) as isize)? as RawFd;
        let edge = OwnedFd::from_raw_fd(fd);
        let (add, listener) = (libc::EPOLL_CTL_ADD, listener.as_raw_fd());
        checked(|| libc::epoll_ctl(fd, add, listener, &mut event) as isize)?;
        Ok(edge)
    }
}

#[cfg(target_os = "linux")]
pub(crate) fn take_edge(edge: &OwnedFd) {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: there is room for the one event that is asked for.
    unsafe { libc::epoll_wait(edge.as_raw_fd(), &mut event, 1, 0) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn edge(_: &TcpListener) -> io::Result<OwnedFd> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn take_edge(_: &OwnedFd) {}
