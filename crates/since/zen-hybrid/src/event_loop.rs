//! One event loop. It is the one of `zen-poll`, and `diff` shows what it takes
//! to be one of several:
//!
//! ```sh
//! diff crates/listings/zen-poll/src/main.rs \
//!     crates/since/zen-hybrid/src/event_loop.rs
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use polling::{Event, Events, PollMode, Poller};
use socket2::Socket;

use zen_utils::{
    Conversation, Listener, Options, RECV_BYTES_MAX, StoppableSocket, Timing,
    Wants, log, ok_if_not_ready, pause_after_failed_accept, shutdown,
    sleep_until,
};

use crate::Hybrid;

/// The listener's key.
const LISTENER: usize = 0;

/// The key of the socket that wakes a loop which is a process. The keys of
/// clients count up from here and are never reused.
const STOP: usize = 1;

/// How often to look for late clients, while any client has a deadline.
const TICK: Duration = Duration::from_millis(100);

/// Level-triggered: a socket that is still ready is reported again at the next
/// wait, so nothing needs re-arming.
const LEVEL: PollMode = PollMode::Level;

// ANCHOR: client
/// As in `zen-poll`.
struct Client {
    sock: StoppableSocket<TcpStream>,
    address: SocketAddr,
    /// Bytes received and bytes to send: filled and emptied by `advance`.
    conversation: Conversation,
    /// The poller watches for room to send; otherwise for bytes to receive.
    wants_room: bool,
}
// ANCHOR_END: client

// ANCHOR: serve
/// Serves the clients that this loop accepts, until a signal ends the server.
/// If the loop is a process, `stop` ends when the process is told to stop.
pub(crate) fn serve(
    number: usize,
    listener: &Listener,
    stop: Option<&Socket>,
    options: &Options<Hybrid>,
) -> io::Result<()> {
    let mut clients: HashMap<usize, Box<Client>> = HashMap::new();
    let mut last_key = STOP;
    let mut accepting = false;
    let mut accept_after = Instant::now();
    // Whether any client can become late. If none can, the server sleeps.
    let mut deadlines = false;
    let mut next_tick = Instant::now();
    let mut buffer = [0; RECV_BYTES_MAX];
    // Declared after the sockets that it watches, so it is dropped before them.
    let poller = Poller::new()?;
    let mut events = Events::new();
    if let Some(stop) = stop {
        // SAFETY: the socket outlives the poller.
        unsafe { poller.add(stop, Event::readable(STOP))? };
    }

    while !(shutdown::begun() && clients.is_empty()) {
        let now = Instant::now();
        let full = clients.len() >= options.own.max_clients_of(number);
        let accept = !full && now >= accept_after && !shutdown::begun();
        if accept && !accepting {
            let interest = Event::readable(LISTENER);
            // SAFETY: the listener outlives the poller.
            unsafe { poller.add_with_mode(&**listener, interest, LEVEL)? };
        } else if accepting && !accept {
            // Clients wait in it, so it is ready and would not let us sleep.
            poller.delete(&**listener)?;
            if full {
                log::serving_the_most(clients.len());
            }
        }
        accepting = accept;
        let timeout = (deadlines || now < accept_after).then_some(TICK);
        events.clear();
        poller.wait(&mut events, timeout)?;
        if events.iter().any(|event| event.key == STOP) {
            #[cfg(target_os = "linux")]
            crate::processes::stop();
        }
        for Event { key, .. } in events.iter() {
            // Told to stop, leave the client to the processes that go on.
            if key == LISTENER && !shutdown::begun() {
                // Another loop may be faster: then there is no client.
                match listener.accept() {
                    Ok((sock, address)) => {
                        last_key += 1;
                        let timing = options.timing;
                        if let Some(client) =
                            admit(sock, address, timing, &poller, last_key)
                        {
                            clients.insert(last_key, client);
                            deadlines |= timing.idle_timeout.is_some();
                        }
                    }
                    Err(err) => {
                        accept_after = now + pause_after_failed_accept(err)?;
                    }
                }
            } else if let Some(client) = clients.get_mut(&key) {
                if client.advance(now, &poller, key, &mut buffer) {
                    deadlines |= client.conversation.deadline().is_some();
                } else {
                    clients.remove(&key);
                }
            }
        }
        if deadlines && now >= next_tick {
            next_tick = now + TICK;
            clients.retain(|&key, client| {
                !client.conversation.is_late(now)
                    || client.advance(now, &poller, key, &mut buffer)
            });
            let mut left = clients.values();
            deadlines = left.any(|it| it.conversation.deadline().is_some());
        }
    }
    options.own.report(number, last_key - STOP);
    Ok(())
}
// ANCHOR_END: serve

// ANCHOR: admit
/// Watches a new client. An error here is this client's, not the listener's.
fn admit(
    sock: StoppableSocket<TcpStream>,
    address: SocketAddr,
    timing: Timing,
    poller: &Poller,
    key: usize,
) -> Option<Box<Client>> {
    log::accepted(address);
    let conversation = Conversation::new(timing, Instant::now());
    let watched = sock.set_nonblocking(true).and_then(|()| {
        // SAFETY: `disconnect` deletes the socket before it is closed.
        unsafe { poller.add_with_mode(&*sock, Event::readable(key), LEVEL) }
    });
    if watched.is_err() {
        log::ended(address, conversation.outcome(watched));
        return None;
    }
    let wants_room = false;
    Some(Box::new(Client { sock, address, conversation, wants_room }))
}
// ANCHOR_END: admit

impl Client {
    // ANCHOR: advance
    /// Takes the conversation as far as possible without waiting. Returns
    /// whether it continues; if not, the client is disconnected.
    fn advance(
        &mut self,
        now: Instant,
        poller: &Poller,
        key: usize,
        buffer: &mut [u8],
    ) -> bool {
        let result = self.converse(poller, key, buffer);
        // Only now: what the client sent in time may have been received above.
        self.conversation.expire(now);
        let over = result.is_err() || self.conversation.is_over();
        if over {
            self.disconnect(poller, result);
        }
        !over
    }

    /// One recv(), and send() until the socket is full. Questions that arrive
    /// together are answered together.
    fn converse(
        &mut self,
        poller: &Poller,
        key: usize,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        let mut sock: &TcpStream = &self.sock;
        let conversation = &mut self.conversation;
        if conversation.wants() == Wants::Receive {
            match sock.read(buffer) {
                Ok(0) => conversation.end_of_file(),
                Ok(n) => conversation.received(&buffer[..n], Instant::now()),
                Err(err) => ok_if_not_ready(err)?,
            }
        }
        loop {
            match conversation.wants() {
                // All other clients of this loop wait as well.
                Wants::Think(until) => {
                    sleep_until(until);
                    conversation.finished_thinking();
                }
                Wants::Send => match sock.write(conversation.to_send()) {
                    Ok(n) => conversation.sent(n, Instant::now()),
                    Err(err) => break ok_if_not_ready(err)?,
                },
                Wants::StopSending => {
                    sock.shutdown(Shutdown::Write)?;
                    conversation.stopped_sending(Instant::now());
                }
                Wants::Receive | Wants::Close => break,
            }
        }
        let wants_room = conversation.wants() == Wants::Send;
        if wants_room != self.wants_room {
            let interest = Event::new(key, !wants_room, wants_room);
            poller.modify_with_mode(&*self.sock, interest, LEVEL)?;
            self.wants_room = wants_room;
        }
        Ok(())
    }
    // ANCHOR_END: advance

    // ANCHOR: disconnect
    /// The poller forgets the socket first; removing the client from the map
    /// then closes it.
    fn disconnect(&self, poller: &Poller, result: io::Result<()>) {
        let result = result.and(poller.delete(&*self.sock));
        log::ended(self.address, self.conversation.outcome(result));
    }
    // ANCHOR_END: disconnect
}
