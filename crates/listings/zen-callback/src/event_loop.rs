//! A small `asyncio`: the framework owns the sockets and calls a protocol.
//! It knows neither an aphorism nor where a question ends.
//!
//! ```text
//! EventLoop   the only one who waits: for sockets, and for the next timer
//!   Transport   one client's socket, and what it could not take yet
//!   Protocol    the user's: called when something has happened
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

#[cfg(test)]
mod tests;
mod transport;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::{Duration, Instant};

use polling::{Event, Events, PollMode, Poller};

use zen_utils::{
    Listener, RECV_BYTES_MAX, log, pause_after_failed_accept, shutdown,
};

pub(crate) use transport::Transport;
use transport::{Callback, ready};

/// Clients' keys count up from here, and none is used twice.
const LISTENER: usize = 0;

/// Say again at each wait what is still ready: nothing to arm anew.
const LEVEL: PollMode = PollMode::Level;

// ANCHOR: protocol
/// What a framework's user writes. Each call is one thing that has happened.
pub(crate) trait Protocol: Sized {
    /// A client has connected.
    fn connection_made(&mut self, transport: &mut Transport<Self>);

    /// Bytes have arrived.
    fn data_received(&mut self, transport: &mut Transport<Self>, data: &[u8]);

    /// The client sends no more.
    fn eof_received(&mut self, transport: &mut Transport<Self>);

    /// All that was written has been sent, after a time when it was not.
    fn resume_writing(&mut self, _: &mut Transport<Self>) {}

    /// The socket is closed; with an error, or as the transport was told.
    fn connection_lost(&mut self, result: io::Result<()>);
}
// ANCHOR_END: protocol

// ANCHOR: event_loop
/// The only one who waits.
pub(crate) struct EventLoop<'a, P> {
    /// Dropped before the sockets that it watches.
    poller: Poller,
    listener: &'a Listener,
    protocol_factory: Box<dyn Fn() -> P + 'a>,
    max_clients: usize,
    accepting: bool,
    accept_after: Instant,
    last_key: usize,
    /// Filled by `accept`, emptied by `call`.
    connections: HashMap<usize, Box<(P, Transport<P>)>>,
    timers: BTreeMap<(Instant, usize), Callback<P>>,
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
            timers: BTreeMap::new(),
        })
    }

    /// Waits and calls, until a signal ends the server and nobody is left.
    pub(crate) fn run_forever(&mut self) -> io::Result<()> {
        let mut buffer = [0; RECV_BYTES_MAX];
        let mut events = Events::new();
        while !(shutdown::begun() && self.connections.is_empty()) {
            // Whatever happens before this instant is among the events, and
            // comes before a timer that is due at it.
            let now = Instant::now();
            self.watch_listener(now)?;
            events.clear();
            self.poller.wait(&mut events, self.time_to_sleep(now))?;
            for event in events.iter() {
                match event.key {
                    LISTENER => self.accept()?,
                    key => self.call(key, |protocol, transport| {
                        ready(protocol, transport, event, &mut buffer);
                    }),
                }
            }
            // With more events than fit, a timer may be due too early.
            if events.len() < events.capacity().get() {
                self.call_timers(now);
            }
        }
        Ok(())
    }
    // ANCHOR_END: event_loop

    fn time_to_sleep(&self, now: Instant) -> Option<Duration> {
        let paused = Some(self.accept_after).filter(|&after| after > now);
        let timer = self.timers.keys().next().map(|&(due, _)| due);
        let wake_at = timer.into_iter().chain(paused).min()?;
        Some(wake_at.saturating_duration_since(now))
    }

    /// Watches the listener only while there is room: one that is ready and
    /// that nobody accepts from would wake the loop for ever.
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

    fn accept(&mut self) -> io::Result<()> {
        if let Err(err) = self.accept_one() {
            let pause = pause_after_failed_accept(err)?;
            self.accept_after = Instant::now() + pause;
        }
        Ok(())
    }

    fn accept_one(&mut self) -> io::Result<()> {
        let (sock, peer) = self.listener.accept()?;
        sock.set_nonblocking(true)?;
        self.last_key += 1;
        let interest = Event::readable(self.last_key);
        // SAFETY: `call` deletes the socket before it is closed.
        unsafe { self.poller.add_with_mode(&*sock, interest, LEVEL)? };
        let transport = Transport::new(sock, peer);
        let connection = Box::new(((self.protocol_factory)(), transport));
        self.connections.insert(self.last_key, connection);
        self.call(self.last_key, P::connection_made);
        Ok(())
    }

    fn call_timers(&mut self, now: Instant) {
        while let Some(timer) = self.timers.first_entry() {
            let &(due, key) = timer.key();
            if due > now {
                break;
            }
            let callback = timer.remove();
            self.call(key, callback);
        }
    }

    // ANCHOR: call
    /// Calls into a protocol, and does what it asked its transport for.
    fn call(
        &mut self,
        key: usize,
        callback: impl FnOnce(&mut P, &mut Transport<P>),
    ) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let (protocol, transport) = &mut **connection;
        callback(protocol, transport);
        for (due, callback) in transport.timers.drain(..) {
            self.timers.insert((due, key), callback);
        }
        let wants = (transport.reading, transport.is_full());
        if transport.error.is_none() && wants != transport.watched {
            let interest = Event::new(key, wants.0, wants.1);
            let sock = &*transport.sock;
            let watched = self.poller.modify_with_mode(sock, interest, LEVEL);
            transport.error = watched.err();
            transport.watched = wants;
        }
        if transport.error.is_some() || transport.closing && !wants.1 {
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
