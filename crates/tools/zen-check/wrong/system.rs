//! Sockets and poll(2), as the operating system has them.
#![expect(unsafe_code, reason = "rustix polls no descriptor -1")]

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use libc::{c_int, c_short, pollfd};
#[cfg(target_os = "linux")]
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Socket, Type};

use crate::faults::faulty;
use crate::talk::clock;

#[cfg(target_os = "linux")]
pub(crate) use libc::POLLRDHUP;
/// Other systems do not report the end of file before it is read.
#[cfg(not(target_os = "linux"))]
pub(crate) const POLLRDHUP: c_short = 0;

const BACKLOG: c_int = 4096;

/// Tries a system call again when a signal has cut it short.
fn checked<T>(
    mut call: impl FnMut() -> rustix::io::Result<T>,
) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) if !faulty("eintr-is-fatal") => {}
            result => return Ok(result?),
        }
    }
}

/// A listening socket that does not block. What std makes has SO_REUSEADDR.
pub(crate) fn listen(port: u16) -> io::Result<TcpListener> {
    let sock = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    sock.set_reuse_address(!faulty("no-reuseaddr"))?;
    sock.set_nonblocking(true)?;
    sock.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    sock.listen(BACKLOG)?;
    Ok(sock.into())
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
    let call = || rustix::net::recv(sock, &mut *bytes, RecvFlags::DONTWAIT);
    Ok(checked(call)?.1)
}

pub(crate) fn send(
    sock: &TcpStream,
    bytes: &[u8],
    may_block: bool,
) -> io::Result<usize> {
    let flags = match may_block {
        true => SendFlags::empty(),
        false => SendFlags::DONTWAIT,
    };
    checked(|| rustix::net::send(sock, bytes, flags))
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
        match unsafe { libc::poll(first, length as libc::nfds_t, time_ms) } {
            -1 => Err(Errno::from_io_error(&io::Error::last_os_error())
                .unwrap_or(Errno::INVAL)),
            _ => Ok(()),
        }
    };
    checked(call)
}

/// Becomes readable when a client comes, and not as long as one waits.
#[cfg(target_os = "linux")]
pub(crate) fn edge(listener: &TcpListener) -> io::Result<OwnedFd> {
    let edge = epoll::create(epoll::CreateFlags::empty())?;
    let events = epoll::EventFlags::IN | epoll::EventFlags::ET;
    epoll::add(&edge, listener, epoll::EventData::new_u64(0), events)?;
    Ok(edge)
}

#[cfg(target_os = "linux")]
pub(crate) fn take_edge(edge: &OwnedFd) {
    let (mut events, now) = (Vec::with_capacity(1), Timespec::default());
    let room = rustix::buffer::spare_capacity(&mut events);
    epoll::wait(edge, room, Some(&now)).ok();
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn edge(_: &TcpListener) -> io::Result<OwnedFd> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn take_edge(_: &OwnedFd) {}
