//! The listening socket (page 118), and what to do when accept() fails.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::ops::Deref;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::command_line::Address;
use crate::log;
use crate::shutdown::{self, StoppableSocket};

/// How long to wait before accept() is tried again when there were too few
/// descriptors: long enough to cost nothing, short enough not to be noticed.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A listening socket, which a signal ends.
#[derive(Debug)]
pub struct Listener(StoppableSocket<TcpListener>);

/// Builds the listening socket and announces it.
///
/// Of a name with several addresses it takes the first that can be bound. From
/// here on SIGINT and SIGTERM end the server: see [`shutdown`].
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
    // A restart need not wait for the connections of the last run to be
    // forgotten. On Windows the option would let two servers share the port.
    #[cfg(unix)]
    sock.set_reuse_address(true)?;
    // Inherited by every accepted socket: an answer is never held back until
    // the client has acknowledged the one before.
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
    /// Takes a socket that listens already. From here on SIGINT and SIGTERM
    /// end the server.
    ///
    /// # Errors
    ///
    /// The system takes no handler.
    pub fn new(sock: TcpListener) -> io::Result<Self> {
        let listener = Self(StoppableSocket::new(sock));
        shutdown::on_signals(Some(&listener))?;
        Ok(listener)
    }

    /// Waits for the next client, or returns at once if this listener was
    /// made non-blocking.
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

/// Says how long to wait after accept() has failed before it is tried again:
/// not at all if that client left before its turn, nobody was there, or the
/// server is shutting down. Logs what lasts.
///
/// # Errors
///
/// The given one, if it is the listener itself that is at fault.
// ANCHOR: pause_after_failed_accept
pub fn pause_after_failed_accept(err: io::Error) -> io::Result<Duration> {
    use io::ErrorKind as Kind;
    match err.kind() {
        _ if shutdown::begun() => Ok(Duration::ZERO),
        Kind::WouldBlock
        | Kind::Interrupted
        | Kind::ConnectionAborted
        | Kind::ConnectionReset => Ok(Duration::ZERO),
        Kind::InvalidInput => Err(err),
        // Out of descriptors or memory, or a fault of the network below us:
        // it will pass, but not by asking again at once.
        _ => {
            log::cannot_accept(&err);
            Ok(ACCEPT_AGAIN_AFTER)
        }
    }
}
// ANCHOR_END: pause_after_failed_accept

/// Raises the soft limit on open descriptors to the hard one, as a server does
/// that holds thousands of clients. A system that refuses keeps its limit.
pub fn raise_descriptor_limit() {
    #[cfg(unix)]
    shutdown::raise_descriptor_limit();
}

/// The system's message, without the number that Rust adds to it.
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
}
