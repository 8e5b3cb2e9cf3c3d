//! A small `asyncore` and `asynchat`: a loop that asks its dispatchers what
//! they wait for. It knows neither the aphorisms nor where a question ends.
//!
//! ```text
//! SocketMap      the one place that waits: asks, waits, and calls
//!   Dispatcher   what to do with a socket: written by the user
//!     AsyncChat  helps a dispatcher: splits what it receives at a terminator
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

mod dispatcher;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use polling::{AsSource, Event, Events, PollMode, Poller};

use zen_utils::{
    Listener, RECV_BYTES_MAX, StoppableSocket, log, pause_after_failed_accept,
};

pub(crate) use dispatcher::{AsyncChat, Dispatcher};

/// How often to look for deadlines that have passed, while there are any.
const TICK: Duration = Duration::from_millis(100);

/// Level-triggered: a socket that is still ready is reported again at the next
/// wait, so nothing needs re-arming.
const LEVEL: PollMode = PollMode::Level;

/// The map owns the sockets. So the poller never watches a closed one, whatever
/// a dispatcher does.
pub(crate) enum Socket<'a> {
    Listening(&'a Listener),
    Connected(StoppableSocket<TcpStream>),
}

impl Socket<'_> {
    fn source(&self) -> impl AsSource {
        match self {
            Self::Listening(listener) => listener.source(),
            Self::Connected(sock) => sock.source(),
        }
    }
}

struct Channel<'a> {
    sock: Socket<'a>,
    dispatcher: Box<dyn Dispatcher + 'a>,
    /// What the poller watches for: bytes or clients, room.
    watched: (bool, bool),
}

// ANCHOR: socket_map
/// The one place that waits.
pub(crate) struct SocketMap<'a> {
    /// Declared before the sockets that it watches, so it is dropped first.
    poller: Poller,
    max_clients: usize,
    accept_after: Instant,
    last_key: usize,
    /// The keys of the sockets that listen.
    listening: Vec<usize>,
    /// Filled by `add`, emptied by `update`.
    channels: HashMap<usize, Channel<'a>>,
    /// Whether any dispatcher has a deadline. If none has, the loop sleeps.
    deadlines: bool,
}

impl<'a> SocketMap<'a> {
    pub(crate) fn new(max_clients: usize) -> io::Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            max_clients,
            accept_after: Instant::now(),
            last_key: 0,
            listening: Vec::new(),
            channels: HashMap::new(),
            deadlines: false,
        })
    }

    /// Waits and calls, until no dispatcher is left.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut buffer = [0; RECV_BYTES_MAX];
        let mut events = Events::new();
        let mut next_tick = Instant::now();
        while !self.channels.is_empty() {
            let now = Instant::now();
            let ticks = self.deadlines || now < self.accept_after;
            events.clear();
            self.poller.wait(&mut events, ticks.then_some(TICK))?;
            for event in events.iter() {
                self.handle_event(event, now, &mut buffer)?;
            }
            if self.deadlines && now >= next_tick {
                next_tick = now + TICK;
                self.handle_deadlines(now, &mut buffer)?;
            }
            // Whether there is room for another client depends on all others.
            for index in 0..self.listening.len() {
                self.update(self.listening[index], Ok(()))?;
            }
        }
        Ok(())
    }
    // ANCHOR_END: socket_map

    // ANCHOR: add
    pub(crate) fn add(
        &mut self,
        sock: Socket<'a>,
        dispatcher: Box<dyn Dispatcher + 'a>,
    ) -> io::Result<()> {
        self.last_key += 1;
        let key = self.last_key;
        let nonblocking = match &sock {
            Socket::Listening(listener) => {
                self.listening.push(key);
                listener.set_nonblocking(true)
            }
            Socket::Connected(sock) => sock.set_nonblocking(true),
        };
        let added = nonblocking.and_then(|()| {
            let source = sock.source();
            let (source, interest) = (source.source(), Event::readable(key));
            // SAFETY: `update` deletes the socket before it is dropped.
            unsafe { self.poller.add_with_mode(&source, interest, LEVEL) }
        });
        let watched = (true, false);
        self.channels.insert(key, Channel { sock, dispatcher, watched });
        // An error closes the new socket, and not the one that accepted it.
        self.update(key, added)
    }
    // ANCHOR_END: add

    // ANCHOR: handle_event
    fn handle_event(
        &mut self,
        event: Event,
        now: Instant,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        let Some(Channel { sock, dispatcher, .. }) =
            self.channels.get_mut(&event.key)
        else {
            return Ok(());
        };
        let mut accepted = None;
        let result = match sock {
            Socket::Listening(listener) => match listener.accept() {
                Ok((sock, address)) => {
                    accepted =
                        Some((sock, dispatcher.handle_accepted(address)));
                    Ok(())
                }
                Err(err) => pause_after_failed_accept(err)
                    .map(|pause| self.accept_after = Instant::now() + pause),
            },
            Socket::Connected(sock) => {
                if event.writable && dispatcher.writable() {
                    dispatcher.handle_write(sock)
                } else {
                    dispatcher.handle_read(sock, buffer)
                }
            }
        };
        // Only now: what the client sent in time may have been received above.
        dispatcher.expire(now);
        if let Some((sock, Some(dispatcher))) = accepted {
            self.add(Socket::Connected(sock), dispatcher)?;
        }
        self.update(event.key, result)
    }
    // ANCHOR_END: handle_event

    // ANCHOR: handle_deadlines
    fn handle_deadlines(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        let is_late = |channel: &Channel| {
            channel.dispatcher.deadline().is_some_and(|it| it <= now)
        };
        let late = self.channels.iter().filter(|it| is_late(it.1));
        let keys: Vec<usize> = late.map(|(&key, _)| key).collect();
        for key in keys {
            // One more turn: the client may have been in time, and this server
            // too busy to notice.
            self.handle_event(Event::all(key), now, buffer)?;
        }
        let mut left = self.channels.values();
        self.deadlines = left.any(|it| it.dispatcher.deadline().is_some());
        Ok(())
    }
    // ANCHOR_END: handle_deadlines

    // ANCHOR: update
    /// Asks a dispatcher what it waits for now. If that is nothing, or if it
    /// has failed, its socket is closed.
    fn update(
        &mut self,
        key: usize,
        mut result: io::Result<()>,
    ) -> io::Result<()> {
        let clients = self.channels.len().saturating_sub(self.listening.len());
        let Some(channel) = self.channels.get_mut(&key) else { return Ok(()) };
        let Channel { sock, dispatcher, watched } = channel;
        let mut wants = (dispatcher.readable(), dispatcher.writable());
        let over = result.is_err() || wants == (false, false);
        if matches!(sock, Socket::Listening(_)) {
            let full = clients >= self.max_clients;
            wants.0 = !full && Instant::now() >= self.accept_after;
            if full && watched.0 {
                log::serving_the_most(clients);
            }
        }
        if !over && wants != *watched {
            let interest = Event::new(key, wants.0, wants.1);
            let source = sock.source();
            result = self.poller.modify_with_mode(source, interest, LEVEL);
            *watched = wants;
        }
        if !over && result.is_ok() {
            self.deadlines |= dispatcher.deadline().is_some();
            return Ok(());
        }
        let result = result.and(self.poller.delete(sock.source()));
        let closed = dispatcher.close(result);
        self.channels.remove(&key);
        closed
    }
    // ANCHOR_END: update
}
