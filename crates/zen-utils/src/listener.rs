//! The listening socket (page 118), and how to continue after accept() failed.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::ops::Deref;
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::command_line::Address;
use crate::log;
use crate::shutdown::{self, StoppableSocket};

/// How long to wait before the next accept() when descriptors or memory ran
/// out: long enough to cost nothing, too short for a client to notice.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Errors of accept() that are about one client or its network, beside those
/// that are an `ErrorKind`: see accept(2), "Error handling".
#[cfg(unix)]
const OF_CLIENT: &[i32] = &[libc::EHOSTDOWN, libc::ENOPROTOOPT, libc::EPROTO];
/// WSAENOTCONN: the client left with a reset before its address was known.
#[cfg(windows)]
const OF_CLIENT: &[i32] = &[10057];

/// Descriptors or memory have run out, until a client leaves. ENOSPC is of a
/// framework that also registers the client within accept(): epoll(7) limits
/// how many descriptors are watched.
#[cfg(unix)]
const LACK_OF_RESOURCES: &[i32] =
    &[libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::ENOSPC];
/// WSAEMFILE and WSAENOBUFS.
#[cfg(windows)]
const LACK_OF_RESOURCES: &[i32] = &[10024, 10055];

/// A listening socket that stops accepting when a signal ends the server.
#[derive(Debug)]
pub struct Listener(StoppableSocket<TcpListener>);

/// Creates the listening socket and logs its address.
///
/// If a name has several addresses, it takes the first that can be bound. From
/// now on SIGINT and SIGTERM end the server: see [`shutdown`].
///
/// # Errors
///
/// The name cannot be resolved, or none of its addresses can be bound.
// ANCHOR: create_srv_socket
pub fn create_srv_socket(
    address: &Address,
    backlog: i32,
) -> io::Result<Listener> {
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    for candidate in resolve(address)? {
        match listen(candidate, backlog) {
            Ok(listener) => {
                let address = listener.local_addr()?;
                let listener = Listener::new(listener)?;
                log::server(format_args!("Listening at {address}"));
                return Ok(listener);
            }
            Err(err) => failure = err,
        }
    }
    Err(failure)
}

fn listen(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let sock = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // A restart need not wait until the system has forgotten the connections
    // of the last run. On Windows, two servers could then share the port.
    #[cfg(unix)]
    sock.set_reuse_address(true)?;
    // Accepted sockets inherit this: the system sends each answer at once, even
    // if the client has not acknowledged the previous one.
    sock.set_tcp_nodelay(true)?;
    sock.bind(&address.into())?;
    sock.listen(backlog)?;
    Ok(sock.into())
}
// ANCHOR_END: create_srv_socket

fn resolve(address: &Address) -> io::Result<Vec<SocketAddr>> {
    let Address { host, port } = address;
    if host.is_empty() {
        return Ok(vec![(Ipv4Addr::UNSPECIFIED, *port).into()]);
    }
    Ok((host.as_str(), *port).to_socket_addrs()?.collect())
}

impl Listener {
    /// Takes a socket that is listening already. From now on SIGINT and SIGTERM
    /// end the server.
    ///
    /// # Errors
    ///
    /// The system refuses to install a signal handler.
    pub fn new(sock: TcpListener) -> io::Result<Self> {
        let listener = Self(StoppableSocket::new(sock));
        shutdown::on_signals(Some(&listener))?;
        Ok(listener)
    }

    /// From now on a stop of this process, or of one that it forks, does not
    /// reach the listener: other processes still accept from it. The caller
    /// must learn of the stop in another way.
    pub fn ignore_stop(&self) {
        self.0.ignore_stop();
    }

    /// Waits for the next client. A non-blocking listener returns at once.
    ///
    /// # Errors
    ///
    /// Those of accept(2): see [`pause_after_failed_accept`].
    pub fn accept(
        &self,
    ) -> io::Result<(StoppableSocket<TcpStream>, SocketAddr)> {
        let accepted = self.0.accept();
        shutdown::pass_on(self);
        let (sock, address) = accepted?;
        Ok((StoppableSocket::new(sock), address))
    }
}

impl Deref for Listener {
    type Target = TcpListener;

    fn deref(&self) -> &TcpListener {
        &self.0
    }
}

/// Decides how to continue after accept() failed: how long to wait before the
/// next one. Logs it if descriptors or memory have run out.
///
/// # Errors
///
/// The given one, if the listener is broken and trying again would not help.
// ANCHOR: pause_after_failed_accept
pub fn pause_after_failed_accept(err: io::Error) -> io::Result<Duration> {
    use io::ErrorKind::*;
    let among = |errors: &[i32]| {
        err.raw_os_error().is_some_and(|number| errors.contains(&number))
    };
    match err.kind() {
        // The stop shuts the listener down, and that is what accept() reports.
        _ if shutdown::begun() => Ok(Duration::ZERO),
        // Another thread took the client, or a signal came.
        WouldBlock | Interrupted => Ok(Duration::ZERO),
        // The client has gone, or its network.
        ConnectionAborted | ConnectionReset | TimedOut | HostUnreachable
        | NetworkDown | NetworkUnreachable => Ok(Duration::ZERO),
        _ if among(OF_CLIENT) => Ok(Duration::ZERO),
        // A firewall rejects this client, or rejects every one.
        PermissionDenied => Ok(ACCEPT_AGAIN_AFTER),
        _ if among(LACK_OF_RESOURCES) => {
            log::cannot_accept(&err);
            Ok(ACCEPT_AGAIN_AFTER)
        }
        _ => Err(err),
    }
}
// ANCHOR_END: pause_after_failed_accept

/// Raises the soft limit on open descriptors to the hard one, for a server that
/// holds thousands of clients. Never lowers it; does nothing if the system
/// refuses.
pub fn raise_descriptor_limit() {
    #[cfg(unix)]
    shutdown::raise_descriptor_limit();
}

/// Starts this many threads at once and ends them again, for a runtime that
/// panics if it cannot start its own.
///
/// # Errors
///
/// One of them cannot be started.
pub fn can_start_threads(count: usize) -> io::Result<()> {
    let started: Result<Vec<_>, _> = (0..count)
        .map(|_| thread::Builder::new().spawn(thread::park))
        .collect();
    let cannot =
        |err| io::Error::other(format!("cannot start a thread: {err}"));
    for thread in started.map_err(cannot)? {
        thread.thread().unpark();
        thread.join().ok();
    }
    Ok(())
}

/// The message of the operating system, without the number that Rust appends.
#[must_use]
pub fn without_number(err: &io::Error) -> String {
    let message = err.to_string();
    match message.split_once(" (os error ") {
        Some((text, _)) => text.to_string(),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_socket_sends_its_answers_without_delay() {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into(), 1).unwrap();
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let (sock, _) = listener.accept().unwrap();
        assert!(sock.nodelay().unwrap());
    }

    #[test]
    #[cfg(unix)]
    fn what_accept_reports_decides_when_to_try_again() {
        use libc::{
            EAGAIN, ECONNABORTED, EHOSTDOWN, EHOSTUNREACH, EINTR, EPROTO,
        };

        let pause = |number| {
            pause_after_failed_accept(io::Error::from_raw_os_error(number)).ok()
        };
        for of_one_client in
            [EAGAIN, EINTR, ECONNABORTED, EHOSTUNREACH, EHOSTDOWN, EPROTO]
        {
            assert_eq!(pause(of_one_client), Some(Duration::ZERO));
        }
        // A firewall may reject every client: no busy loop.
        assert_eq!(pause(libc::EPERM), Some(ACCEPT_AGAIN_AFTER));
        assert_eq!(pause(libc::EBADF), None);
    }
}
