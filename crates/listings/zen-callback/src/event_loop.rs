//! A small `asyncio`: the framework owns the sockets and calls a protocol. It
//! knows neither the aphorisms nor where a question ends.
//!
//! ```text
//! EventLoop     the one place that waits: for sockets, and for the next timer
//!   Transport   one client's socket, its timers, and the bytes not yet sent
//!   Protocol    written by the user: called when something has happened
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

#[cfg(test)]
mod tests;
mod transport;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::time::{Duration, Instant};

use polling::{Event, Events, PollMode, Poller};

use zen_utils::{
    Listener, RECV_BYTES_MAX, log, pause_after_failed_accept, shutdown,
};

pub(crate) use transport::Transport;
use transport::ready;

/// The listener's key. The keys of clients count up from here and are never
/// reused, so no event and no timer can reach the wrong client.
const LISTENER: usize = 0;

/// Level-triggered: a socket that is still ready is reported again at the next
/// wait, so nothing needs re-arming.
const LEVEL: PollMode = PollMode::Level;

// ANCHOR: protocol
/// What the user of this framework writes. Each call reports one event.
pub(crate) trait Protocol: Sized {
    /// A client has connected.
    fn connection_made(&mut self, transport: &mut Transport<Self>);

    /// Bytes have arrived.
    fn data_received(&mut self, transport: &mut Transport<Self>, data: &[u8]);

    /// The client sends nothing more.
    fn eof_received(&mut self, transport: &mut Transport<Self>);

    /// The socket was full, and now all that was written has been sent.
    fn resume_writing(&mut self, _: &mut Transport<Self>) {}

    /// The socket is closed, either as the transport was told or by an error.
    fn connection_lost(&mut self, result: io::Result<()>);
}
// ANCHOR_END: protocol

// ANCHOR: event_loop
/// The one place that waits.
pub(crate) struct EventLoop<'a, P> {
    /// Declared before the sockets that it watches, so it is dropped first.
    poller: Poller,
    listener: &'a Listener,
    protocol_factory: Box<dyn Fn() -> P + 'a>,
    max_clients: usize,
    accepting: bool,
    accept_after: Instant,
    last_key: usize,
    /// Filled by `accept`, emptied by `call`.
    connections: HashMap<usize, Box<(P, Transport<P>)>>,
    /// When the next timer of each client is due. Filled and emptied by `call`.
    timers: BTreeSet<(Instant, usize)>,
}

impl<'a, P: Protocol> EventLoop<'a, P> {
    /// A loop that makes a protocol for each client of this listener.
    pub(crate) fn create_server(
        listener: &'a Listener,
        max_clients: usize,
        protocol_factory: impl Fn() -> P + 'a,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            poller: Poller::new()?,
            listener,
            protocol_factory: Box::new(protocol_factory),
            max_clients,
            accepting: false,
            accept_after: Instant::now(),
            last_key: LISTENER,
            connections: HashMap::new(),
            timers: BTreeSet::new(),
        })
    }

    /// Waits and calls, until a signal ends the server and all clients left.
    pub(crate) fn run_forever(&mut self) -> io::Result<()> {
        let mut buffer = [0; RECV_BYTES_MAX];
        let mut events = Events::new();
        while !(shutdown::begun() && self.connections.is_empty()) {
            self.run_once(&mut events, &mut buffer)?;
        }
        Ok(())
    }

    fn run_once(
        &mut self,
        events: &mut Events,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        let now = Instant::now();
        self.watch_listener(now)?;
        events.clear();
        self.poller.wait(events, self.time_to_sleep(now))?;
        for event in events.iter() {
            match event.key {
                LISTENER => self.accept()?,
                key => self.call(key, |protocol, transport| {
                    if transport.watched == (false, false) {
                        // The connection is gone in both directions.
                        return transport.abort();
                    }
                    ready(protocol, transport, event, buffer);
                }),
            }
        }
        self.call_timers(buffer);
        Ok(())
    }
    // ANCHOR_END: event_loop

    fn time_to_sleep(&self, now: Instant) -> Option<Duration> {
        let paused = Some(self.accept_after).filter(|&after| after > now);
        let timer = self.timers.first().map(|&(due, _)| due);
        let wake_at = timer.into_iter().chain(paused).min()?;
        Some(wake_at.saturating_duration_since(now))
    }

    /// Watches the listener only while it may accept. Otherwise a waiting
    /// client would make it ready, and the loop could not sleep.
    fn watch_listener(&mut self, now: Instant) -> io::Result<()> {
        let full = self.connections.len() >= self.max_clients;
        let accept = !full && now >= self.accept_after && !shutdown::begun();
        if accept && !self.accepting {
            let interest = Event::readable(LISTENER);
            let listener = &**self.listener;
            // SAFETY: the listener outlives the poller.
            unsafe { self.poller.add_with_mode(listener, interest, LEVEL)? };
        } else if self.accepting && !accept {
            self.poller.delete(&**self.listener)?;
            if full {
                log::serving_the_most(self.max_clients);
            }
        }
        self.accepting = accept;
        Ok(())
    }

    // ANCHOR: accept
    fn accept(&mut self) -> io::Result<()> {
        let (sock, peer) = match self.listener.accept() {
            Ok(accepted) => accepted,
            Err(err) => {
                let pause = pause_after_failed_accept(err)?;
                self.accept_after = Instant::now() + pause;
                return Ok(());
            }
        };
        self.last_key += 1;
        let key = self.last_key;
        let watched = sock.set_nonblocking(true).and_then(|()| {
            let interest = Event::readable(key);
            // SAFETY: `call` deletes the socket before it is closed.
            unsafe { self.poller.add_with_mode(&*sock, interest, LEVEL) }
        });
        // If it failed, `call` ends this client, and the listener continues.
        let transport = Transport::new(sock, peer, watched.err());
        let connection = Box::new(((self.protocol_factory)(), transport));
        self.connections.insert(key, connection);
        self.call(key, P::connection_made);
        Ok(())
    }
    // ANCHOR_END: accept

    // ANCHOR: call_timers
    /// Calls one timer of each client that has one due. If it asks for the next
    /// one at once, that is called in the next round, after other events.
    fn call_timers(&mut self, buffer: &mut [u8]) {
        let due = ..=(Instant::now(), usize::MAX);
        let keys: Vec<_> = self.timers.range(due).map(|it| it.1).collect();
        for key in keys {
            self.call(key, |protocol, transport| {
                // What the client did in time comes first, even if this server
                // was too busy, or stopped, to notice it then.
                ready(protocol, transport, Event::all(key), buffer);
                let (due, callback) = transport.timers.remove(0);
                callback(protocol, transport, due);
            });
        }
    }
    // ANCHOR_END: call_timers

    // ANCHOR: call
    /// Calls a protocol, and then does what it asked its transport for.
    fn call(
        &mut self,
        key: usize,
        callback: impl FnOnce(&mut P, &mut Transport<P>),
    ) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let (protocol, transport) = &mut **connection;
        let timer = transport.next_timer();
        callback(protocol, transport);
        transport.update_interest(&self.poller, key);
        if transport.is_over() {
            // A client that leaves takes its timers with it.
            transport.timers.clear();
        }
        let next_timer = transport.next_timer();
        if next_timer != timer {
            if let Some(due) = timer {
                self.timers.remove(&(due, key));
            }
            if let Some(due) = next_timer {
                self.timers.insert((due, key));
            }
        }
        if transport.is_over() {
            let result = transport.error.take().map_or(Ok(()), Err);
            let result = result.and(self.poller.delete(&*transport.sock));
            if let Some(connection) = self.connections.remove(&key) {
                let (mut protocol, transport) = *connection;
                drop(transport);
                protocol.connection_lost(result);
            }
        }
    }
    // ANCHOR_END: call
}
