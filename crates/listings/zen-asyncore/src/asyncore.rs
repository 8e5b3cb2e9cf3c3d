//! A small `asyncore` and `asynchat`: a loop that asks its dispatchers what
//! they wait for. It knows neither an aphorism nor where a question ends.
//!
//! ```text
//! SocketMap      the only one who waits; asks, then calls
//!   Dispatcher   a socket, and what is to be done with it: the user's
//!     AsyncChat  a dispatcher whose bytes are cut at a terminator
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

mod asynchat;
mod server;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use polling::{AsSource, Event, Events, PollMode, Poller};

use zen_utils::RECV_BYTES_MAX;

pub(crate) use asynchat::{AsyncChat, Chat, Terminator};
pub(crate) use server::{Client, Server};

/// How often every dispatcher is asked whether it is over: there are no
/// timers.
const TICK: Duration = Duration::from_millis(100);

/// Say again at each wait what is still ready: nothing to arm anew.
const LEVEL: PollMode = PollMode::Level;

/// The dispatcher of a client that was accepted.
pub(crate) type Accepted = Option<Box<dyn Dispatcher>>;

// ANCHOR: dispatcher
/// A socket, and what is to be done with it.
pub(crate) trait Dispatcher {
    fn socket(&self) -> &dyn AsSource;

    /// Whether the socket listens. Then it is asked again after each wait.
    fn accepting(&self) -> bool {
        false
    }

    /// Whether it waits for bytes or, if it listens, for a client.
    fn readable(&self) -> bool;

    /// Whether it waits for room to send.
    fn writable(&self) -> bool {
        false
    }

    /// There is a client, and here is its dispatcher; unless it has left.
    fn handle_accept(&mut self) -> io::Result<Accepted> {
        Ok(None)
    }

    /// There are bytes, or their end.
    fn handle_read(&mut self, _buffer: &mut [u8]) -> io::Result<()> {
        Ok(())
    }

    /// There is room.
    fn handle_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Whether to close it. Asked after each call, and at each tick.
    fn is_over(&mut self, now: Instant) -> bool;

    /// The loop has forgotten it, because of this error or because it is over,
    /// and drops it next. An error that this returns ends the loop.
    fn close(&mut self, result: io::Result<()>) -> io::Result<()>;
}
// ANCHOR_END: dispatcher

// ANCHOR: socket_map
/// The only one who waits.
pub(crate) struct SocketMap<'a> {
    /// Dropped before the sockets that it watches.
    poller: Poller,
    last_key: usize,
    /// The keys of those that listen.
    accepting: Vec<usize>,
    /// Filled by `add`, emptied by `call` and `look_at_all`.
    channels: HashMap<usize, Channel<'a>>,
}

struct Channel<'a> {
    dispatcher: Box<dyn Dispatcher + 'a>,
    /// What the poller watches for: bytes, room.
    watched: (bool, bool),
}

impl<'a> SocketMap<'a> {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            last_key: 0,
            accepting: Vec::new(),
            channels: HashMap::new(),
        })
    }

    pub(crate) fn add(
        &mut self,
        mut dispatcher: Box<dyn Dispatcher + 'a>,
    ) -> io::Result<()> {
        self.last_key += 1;
        let key = self.last_key;
        let watched = (dispatcher.readable(), dispatcher.writable());
        let interest = Event::new(key, watched.0, watched.1);
        let sock = dispatcher.socket().source();
        // SAFETY: `ask` deletes the socket before it is closed, and nobody
        // else closes it: the dispatcher is ours.
        match unsafe { self.poller.add_with_mode(&sock, interest, LEVEL) } {
            Ok(()) => {
                if dispatcher.accepting() {
                    self.accepting.push(key);
                }
                self.channels.insert(key, Channel { dispatcher, watched });
                Ok(())
            }
            Err(err) => dispatcher.close(Err(err)),
        }
    }

    /// Asks, waits and calls, until no dispatcher is left.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut buffer = [0; RECV_BYTES_MAX];
        let mut events = Events::new();
        let mut next_tick = Instant::now();
        while !self.channels.is_empty() {
            // Whatever happens before this instant is among the events.
            let now = Instant::now();
            events.clear();
            self.poller.wait(&mut events, self.time_to_sleep())?;
            for event in events.iter() {
                self.call(event.key, now, |dispatcher| {
                    handle_event(dispatcher, event, &mut buffer)
                })?;
            }
            // With more events than fit, one may seem late that is not.
            if now >= next_tick && events.len() < events.capacity().get() {
                next_tick = now + TICK;
                self.ask_all(now)?;
            }
            // One that was full has room when another dispatcher is gone.
            for index in 0..self.accepting.len() {
                self.call(self.accepting[index], now, |_| Ok(None))?;
            }
            self.accepting.retain(|key| self.channels.contains_key(key));
        }
        Ok(())
    }

    /// For ever, if there are only listeners and all of them are watched.
    fn time_to_sleep(&self) -> Option<Duration> {
        let idle = self.channels.len() == self.accepting.len()
            && self.channels.values().all(|it| it.watched.0);
        (!idle).then_some(TICK)
    }

    /// Calls a dispatcher, and asks it what it waits for now.
    fn call(
        &mut self,
        key: usize,
        now: Instant,
        callback: impl FnOnce(&mut dyn Dispatcher) -> io::Result<Accepted>,
    ) -> io::Result<()> {
        let Some(channel) = self.channels.get_mut(&key) else { return Ok(()) };
        let called = callback(&mut *channel.dispatcher);
        let (result, accepted) = match called {
            Ok(accepted) => (Ok(()), accepted),
            Err(err) => (Err(err), None),
        };
        if !channel.ask(&self.poller, key, now, result)? {
            self.channels.remove(&key);
        }
        accepted.map_or(Ok(()), |dispatcher| self.add(dispatcher))
    }

    fn ask_all(&mut self, now: Instant) -> io::Result<()> {
        let mut result = Ok(());
        self.channels.retain(|&key, channel| {
            match channel.ask(&self.poller, key, now, Ok(())) {
                Ok(stays) => stays,
                Err(err) => {
                    result = Err(err);
                    false
                }
            }
        });
        result
    }
}
// ANCHOR_END: socket_map

// ANCHOR: ask
impl Channel<'_> {
    /// Says whether the dispatcher stays. If not, it has been forgotten and
    /// knows that it is closed.
    fn ask(
        &mut self,
        poller: &Poller,
        key: usize,
        now: Instant,
        mut result: io::Result<()>,
    ) -> io::Result<bool> {
        if result.is_ok() && !self.dispatcher.is_over(now) {
            let wants =
                (self.dispatcher.readable(), self.dispatcher.writable());
            if wants == self.watched {
                return Ok(true);
            }
            let interest = Event::new(key, wants.0, wants.1);
            let sock = self.dispatcher.socket().source();
            result = poller.modify_with_mode(sock, interest, LEVEL);
            self.watched = wants;
            if result.is_ok() {
                return Ok(true);
            }
        }
        let deleted = poller.delete(self.dispatcher.socket().source());
        self.dispatcher.close(result.and(deleted))?;
        Ok(false)
    }
}
// ANCHOR_END: ask

fn handle_event(
    dispatcher: &mut dyn Dispatcher,
    event: Event,
    buffer: &mut [u8],
) -> io::Result<Accepted> {
    if dispatcher.accepting() {
        return dispatcher.handle_accept();
    }
    if event.writable && dispatcher.writable() {
        dispatcher.handle_write()?;
    } else if event.readable && dispatcher.readable() {
        dispatcher.handle_read(buffer)?;
    } else {
        // Nobody asked: the connection is gone in both directions.
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    Ok(None)
}
