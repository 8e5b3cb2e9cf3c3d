//! Clients that all connect at once.
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use polling::{Event, Events, PollMode, Poller};
use zen_harness::system;

use crate::load::{Client, Script, ensure_here, ensure_not_too_many};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Errand {
    Connect,
    /// Ask one question, receive the answer, and disconnect.
    Ask,
}

/// Sends this many clients at once. Returns how long each of them took, the
/// quickest first; the whole time for a client that did not finish. Clients
/// that only connect stay until all are done.
pub fn burst(
    server: SocketAddr,
    clients: usize,
    errand: Errand,
    time_max: Duration,
) -> Result<Vec<Duration>> {
    ensure_here(server)?;
    ensure_not_too_many(clients)?;
    let scripts = Script::all(1);
    let mut visitors = Vec::new();
    // Declared last, so it is dropped before the sockets.
    let poller = Poller::new()?;
    let begun = Instant::now();
    for key in 0..clients {
        let sock = system::begin_to_connect(server, false);
        let sock = sock.context("cannot connect")?;
        sock.set_nodelay(true)?;
        let interest = Event::writable(key);
        // SAFETY: each socket is deleted from the poller before it is closed,
        // or else the poller is closed before `visitors` is.
        unsafe { poller.add_with_mode(&sock, interest, PollMode::Level)? };
        visitors.push(Some(Client::new(sock, key)));
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
            if proceeds(visitor, &poller, event.key, errand, &scripts)? {
                times.push(begun.elapsed());
            }
        }
    }
    times.resize(clients, time_max);
    Ok(times)
}

/// Does what can be done now; true if the client is done.
fn proceeds(
    visitor: &mut Option<Client>,
    poller: &Poller,
    key: usize,
    errand: Errand,
    scripts: &[Script],
) -> Result<bool> {
    let Some(client) = visitor else { return Ok(false) };
    if client.is_owed {
        let is_done = client.is_answered(scripts)?;
        if is_done {
            poller.delete(&client.sock)?;
            *visitor = None;
        }
        return Ok(is_done);
    }
    if let Some(err) = client.sock.take_error()? {
        return Err(err).context("cannot connect");
    }
    let next = match errand {
        Errand::Connect => Event::none(key),
        Errand::Ask => {
            client.ask(scripts)?;
            Event::readable(key)
        }
    };
    poller.modify_with_mode(&client.sock, next, PollMode::Level)?;
    Ok(errand == Errand::Connect)
}

/// In how many seconds one client connects, asks and receives its answer; the
/// limit if it takes longer.
pub fn visit(server: SocketAddr, limit: f64) -> Result<f64> {
    let time_max = Duration::from_secs_f64(limit);
    Ok(burst(server, 1, Errand::Ask, time_max)?[0].as_secs_f64())
}
