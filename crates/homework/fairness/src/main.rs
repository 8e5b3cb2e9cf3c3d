//! `fairness`: a bucket of tokens for each client, in the loop.
//!
//! The chapter: listing 7-6, pages 126-128. The listing is `zen-poll`, where a
//! client that keeps asking gets as many turns as it likes.
//!
//! ```text
//!            client readable -> recv() -> a token? -> conversation -> send()
//! wait() --> a token is due  -------------^
//! ```
//!
//! One call waits for two things: for sockets, and for the next token.
//!
//! ```sh
//! cargo run -p fairness -- 127.0.0.1 -p 1060 --rate 5 --burst 2
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

mod bucket;

// BEGIN SOLUTION pace
use std::cmp::Reverse;
use std::collections::BinaryHeap;
// END SOLUTION
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use polling::{Event, Events, PollMode, Poller};

use bucket::{Bucket, Rate};
use zen_utils::{
    Conversation, Listener, Options, RECV_BYTES_MAX, StoppableSocket, Wants,
    log, ok_if_not_ready, pause_after_failed_accept, shutdown, sleep_until,
};

/// Clients' keys count up from here and are never reused.
const LISTENER: usize = 0;

/// How often to look for clients that are late.
const TICK: Duration = Duration::from_millis(100);

/// Level-triggered: a socket that is still ready is reported again at the next
/// wait, so nothing needs re-arming.
const LEVEL: PollMode = PollMode::Level;

fn main() -> ExitCode {
    zen_utils::run("event loop that is fair (7-6, page 126)", serve)
}

/// As in `zen-poll`, with a bucket.
struct Client {
    key: usize,
    sock: StoppableSocket<TcpStream>,
    address: SocketAddr,
    conversation: Conversation,
    bucket: Bucket,
    /// Received, and not paid for yet. Filled by recv(), emptied by `ask`.
    /// Nothing more is received while it is not empty.
    unpaid: Vec<u8>,
    /// What the poller watches this client for, if it does.
    watched: Option<Event>,
}

// BEGIN SOLUTION pace
/// When the token that a client waits for is due, and the client's key.
type Due = Reverse<(Instant, usize)>;

// END SOLUTION
fn serve(listener: &Listener, options: &Options<Rate>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    let mut clients: HashMap<usize, Box<Client>> = HashMap::new();
    // BEGIN SOLUTION pace
    // Filled when a client is held back, emptied when its token is due.
    let mut held_back: BinaryHeap<Due> = BinaryHeap::new();
    // END SOLUTION
    let mut ready = Vec::new();
    let mut last_key = LISTENER;
    let mut accepting = false;
    let mut accept_after = Instant::now();
    let mut next_look = Instant::now();
    let mut buffer = [0; RECV_BYTES_MAX];
    // Declared after everything that it watches, so it is dropped first.
    let poller = Poller::new()?;
    let mut events = Events::new();

    while !(shutdown::begun() && clients.is_empty()) {
        let now = Instant::now();
        let accept = now >= accept_after && !shutdown::begun();
        if accept && !accepting {
            let interest = Event::readable(LISTENER);
            // SAFETY: the listener outlives the poller.
            unsafe { poller.add_with_mode(&**listener, interest, LEVEL)? };
        } else if accepting && !accept {
            poller.delete(&**listener)?;
        }
        accepting = accept;
        let timeout = (!accept || !clients.is_empty()).then_some(TICK);
        // BEGIN SOLUTION calm
        let token = held_back
            .peek()
            .map(|&Reverse((at, _))| at.saturating_duration_since(now));
        let timeout = timeout.into_iter().chain(token).min();
        // END SOLUTION
        events.clear();
        poller.wait(&mut events, timeout)?;
        ready.extend(events.iter().map(|event| event.key));
        // BEGIN SOLUTION pace
        while let Some(&Reverse((at, key))) = held_back.peek() {
            if at > Instant::now() {
                break;
            }
            held_back.pop();
            ready.push(key);
        }
        // STARTER: // If the token of a client that is held back is due, add
        // STARTER: // the client to those that are ready.
        // END SOLUTION
        // A late client may have sent something in time: receive that first.
        let tick = now >= next_look;
        if tick {
            next_look = now + TICK;
            ready.extend(late_clients(&clients, now));
        }
        for key in ready.drain(..) {
            if key == LISTENER {
                last_key += 1;
                match admit(listener, &poller, last_key, options) {
                    Ok(Some(client)) => _ = clients.insert(last_key, client),
                    // This client could not be set up, and the log says so.
                    Ok(None) => {}
                    Err(err) => {
                        accept_after = now + pause_after_failed_accept(err)?;
                    }
                }
            } else if let Some(client) = clients.get_mut(&key) {
                match client.advance(&poller, &mut buffer) {
                    // BEGIN SOLUTION pace
                    Ok(due) if !client.conversation.is_over() => {
                        held_back.extend(due.map(|at| Reverse((at, key))));
                    }
                    // STARTER: Ok(_) if !client.conversation.is_over() => {}
                    // END SOLUTION
                    result => {
                        disconnect(&poller, client, result.map(drop));
                        clients.remove(&key);
                    }
                }
            }
        }
        if tick {
            drop_the_late(&mut clients, &poller, now);
        }
    }
    Ok(())
}

fn late_clients(
    clients: &HashMap<usize, Box<Client>>,
    now: Instant,
) -> impl Iterator<Item = usize> {
    let all = clients.iter();
    all.filter(move |(_, it)| it.conversation.is_late(now)).map(|(&key, _)| key)
}

fn drop_the_late(
    clients: &mut HashMap<usize, Box<Client>>,
    poller: &Poller,
    now: Instant,
) {
    clients.retain(|_, client| {
        let late = client.conversation.expire(now);
        if late {
            disconnect(poller, client, Ok(()));
        }
        !late
    });
}

fn admit(
    listener: &Listener,
    poller: &Poller,
    key: usize,
    options: &Options<Rate>,
) -> io::Result<Option<Box<Client>>> {
    let (sock, address) = listener.accept()?;
    log::accepted(address);
    let now = Instant::now();
    let mut client = Box::new(Client {
        key,
        sock,
        address,
        conversation: Conversation::new(options.timing, now),
        bucket: Bucket::new(options.own, now),
        unpaid: Vec::new(),
        watched: None,
    });
    let set_up = client.sock.set_nonblocking(true).and_then(|()| {
        let interest = Event::readable(key);
        client.watch(poller, Some(interest))
    });
    if set_up.is_err() {
        log::ended(address, client.conversation.outcome(set_up));
        return Ok(None);
    }
    Ok(Some(client))
}

/// Removes a client from the poller before its descriptor is closed.
fn disconnect(poller: &Poller, client: &mut Client, result: io::Result<()>) {
    let result = result.and(client.watch(poller, None));
    log::ended(client.address, client.conversation.outcome(result));
}

impl Client {
    /// Does everything that can be done without waiting. For a client that is
    /// held back, returns when its next token is due.
    fn advance(
        &mut self,
        poller: &Poller,
        buffer: &mut [u8],
    ) -> io::Result<Option<Instant>> {
        if self.unpaid.is_empty() && self.conversation.wants() == Wants::Receive
        {
            match self.sock.read(buffer) {
                Ok(0) => self.conversation.end_of_file(),
                Ok(n) => self.unpaid.extend_from_slice(&buffer[..n]),
                Err(err) => return ok_if_not_ready(err).map(|()| None),
            }
        }
        let mut due = None;
        loop {
            match self.conversation.wants() {
                Wants::Receive if self.unpaid.is_empty() || due.is_some() => {
                    break;
                }
                Wants::Receive => due = self.ask(Instant::now()),
                // There is one thread, so all other clients wait as well.
                Wants::Think(until) => {
                    sleep_until(until);
                    self.conversation.finished_thinking();
                }
                Wants::Send => {
                    match self.sock.write(self.conversation.to_send()) {
                        Ok(n) => self.conversation.sent(n, Instant::now()),
                        Err(err) => break ok_if_not_ready(err)?,
                    }
                }
                Wants::StopSending => {
                    self.sock.shutdown(Shutdown::Write)?;
                    self.conversation.stopped_sending(Instant::now());
                }
                Wants::Close => break,
            }
        }
        let wants_room = self.conversation.wants() == Wants::Send;
        let event = Event::new(self.key, !wants_room, wants_room);
        // BEGIN SOLUTION calm
        // A socket that is ready but not read from would wake us again and
        // again. Event::none is not enough: a reset is always reported.
        self.watch(poller, due.is_none().then_some(event))?;
        // STARTER: self.watch(poller, Some(event))?;
        // END SOLUTION
        Ok(due)
    }

    /// Passes on what is paid for. If something is left, returns when the next
    /// token is due.
    fn ask(&mut self, now: Instant) -> Option<Instant> {
        self.bucket.fill(now);
        let paid = self.bucket.take(&self.unpaid);
        self.conversation.received(&self.unpaid[..paid], now);
        self.unpaid.drain(..paid);
        if self.unpaid.is_empty() {
            // Not clear(): a silent client must not keep memory allocated.
            self.unpaid = Vec::new();
            return None;
        }
        Some(self.bucket.next_token_at())
    }

    fn watch(
        &mut self,
        poller: &Poller,
        wish: Option<Event>,
    ) -> io::Result<()> {
        match (self.watched, wish) {
            (watched, wish) if watched == wish => {}
            // SAFETY: `disconnect` deletes the socket before it is closed.
            (None, Some(wish)) => unsafe {
                poller.add_with_mode(&*self.sock, wish, LEVEL)?;
            },
            (Some(_), Some(wish)) => {
                poller.modify_with_mode(&*self.sock, wish, LEVEL)?;
            }
            (_, None) => poller.delete(&*self.sock)?,
        }
        self.watched = wish;
        Ok(())
    }
}
