//! Clients that all connect at once.
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use polling::{Event, Events, PollMode, Poller};
use socket2::{Domain, Socket, Type};

use crate::load::{ensure_here, ensure_not_too_many};

const QUESTION: &[u8] = b"Simple is better than?";
const ANSWER: &[u8] = b"Complex.";

/// What each client does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Errand {
    Connect,
    /// Ask one question, receive the answer, and disconnect.
    Ask,
}

/// One client of the burst.
struct Visitor {
    sock: Option<Socket>,
    has_asked: bool,
    received: Vec<u8>,
}

/// Sends this many clients at once. Returns how long each of them took, the
/// quickest first; None for a client that did not finish in time. Clients that
/// only connect stay until all are done.
pub fn burst(
    server: SocketAddr,
    clients: usize,
    errand: Errand,
    time_max: Duration,
) -> Result<Vec<Option<Duration>>> {
    ensure_here(server)?;
    ensure_not_too_many(clients)?;
    let mut visitors = Vec::new();
    // Declared last, so it is dropped before the sockets.
    let poller = Poller::new()?;
    let begun = Instant::now();
    for key in 0..clients {
        let domain = Domain::for_address(server);
        let sock = Socket::new(domain, Type::STREAM, None)?;
        sock.set_nonblocking(true)?;
        sock.set_tcp_nodelay(true)?;
        match sock.connect(&server.into()) {
            Err(err) if is_under_way(&err) => {}
            result => result.context("cannot connect")?,
        }
        // SAFETY: each socket is deleted from the poller before it is closed,
        // or else the poller is closed before `visitors` is.
        unsafe {
            poller.add_with_mode(
                &sock,
                Event::writable(key),
                PollMode::Level,
            )?;
        }
        let received = Vec::new();
        visitors.push(Visitor { sock: Some(sock), has_asked: false, received });
    }
    let mut times = Vec::new();
    let mut events = Events::new();
    while times.len() < clients {
        let time_left = time_max.saturating_sub(begun.elapsed());
        if time_left.is_zero() {
            break;
        }
        events.clear();
        poller.wait(&mut events, Some(time_left))?;
        for event in events.iter() {
            let visitor = &mut visitors[event.key];
            if visitor.proceed(&poller, event.key, errand)? {
                times.push(Some(begun.elapsed()));
            }
        }
    }
    times.resize(clients, None);
    Ok(times)
}

fn is_under_way(err: &std::io::Error) -> bool {
    #[cfg(unix)]
    if err.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
    {
        return true;
    }
    err.kind() == ErrorKind::WouldBlock
}

impl Visitor {
    /// Does what can be done now; true if the client is done.
    fn proceed(
        &mut self,
        poller: &Poller,
        key: usize,
        errand: Errand,
    ) -> Result<bool> {
        let Some(sock) = &mut self.sock else { return Ok(false) };
        if !self.has_asked {
            if let Some(err) = sock.take_error()? {
                return Err(err).context("cannot connect");
            }
            self.has_asked = true;
            if errand == Errand::Connect {
                let nothing = Event::none(key);
                poller.modify_with_mode(&*sock, nothing, PollMode::Level)?;
                return Ok(true);
            }
            sock.write_all(QUESTION)?;
            let readable = Event::readable(key);
            poller.modify_with_mode(&*sock, readable, PollMode::Level)?;
            return Ok(false);
        }
        let mut buffer = [0; 64];
        match sock.read(&mut buffer) {
            Ok(n) => {
                ensure!(n > 0, "the server has closed a connection");
                self.received.extend(&buffer[..n]);
            }
            Err(err) if err.kind() == ErrorKind::WouldBlock => {}
            Err(err) => return Err(err.into()),
        }
        let received = &self.received;
        ensure!(
            ANSWER.starts_with(received),
            "answered \"{}\"",
            received.escape_ascii()
        );
        let is_done = received == ANSWER;
        if is_done {
            poller.delete(&*sock)?;
            self.sock = None;
        }
        Ok(is_done)
    }
}

/// How long one client takes to connect, to ask and to receive its answer; None
/// if it takes longer than this limit.
pub fn visit(
    server: SocketAddr,
    time_max: Duration,
) -> Result<Option<Duration>> {
    Ok(burst(server, 1, Errand::Ask, time_max)?.into_iter().flatten().next())
}
