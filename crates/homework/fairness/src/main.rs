//! `fairness`: a bucket of tokens for each client, in the loop.
//!
//! The text: listing 7-6, pages 126-128. The listing: `zen-poll`, in which a
//! client that asks without end has as many turns as it likes.
//!
//! ```text
//!            client readable -> recv() -> a token? -> conversation -> send()
//! wait() --> a token is due  -------------^
//! ```
//!
//! Two kinds of waiting in one call: for sockets, and for the next token.
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

/// Clients' keys count up from here, and none is used twice.
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
    /// Received, and not paid for yet: filled by recv(), emptied by `ask`.
    /// Nothing is received while something is left in it.
    unpaid: Vec<u8>,
    /// What the poller watches for, if it watches this client.
    watched: Option<Event>,
}

// BEGIN SOLUTION pace
/// When the next token is due for a client that waits for one, and its key.
type Due = Reverse<(Instant, usize)>;

// END SOLUTION
fn serve(listener: &Listener, options: &Options<Rate>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    let mut clients: HashMap<usize, Box<Client>> = HashMap::new();
    // BEGIN SOLUTION pace
    // Filled by whoever is held back, emptied here when a token is due.
    let mut held_back: BinaryHeap<Due> = BinaryHeap::new();
    // END SOLUTION
    let mut ready = Vec::new();
    let mut last_key = LISTENER;
    let mut accepting = false;
    let mut accept_after = Instant::now();
    let mut next_look = Instant::now();
    let mut buffer = [0; RECV_BYTES_MAX];
    // Declared after all that it watches, and so dropped before it.
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
        // STARTER: // Who is held back goes on when a token is due: put it
        // STARTER: // among those that are ready.
        // END SOLUTION
        // A late client may have sent something in time: look there first.
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

/// First the poller forgets a client, then its descriptor is closed.
fn disconnect(poller: &Poller, client: &mut Client, result: io::Result<()>) {
    let result = result.and(client.watch(poller, None));
    log::ended(client.address, client.conversation.outcome(result));
}

impl Client {
    /// Does what can be done at once. Says when to go on with a client that is
    /// held back until it has a token.
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
        // Ready, and never received from, it would not let us sleep. And to
        // ask for no event is not enough: a reset is told in any case.
        self.watch(poller, due.is_none().then_some(event))?;
        // STARTER: self.watch(poller, Some(event))?;
        // END SOLUTION
        Ok(due)
    }

    /// Asks what is paid for. Says when the next token is due if that was not
    /// all.
    fn ask(&mut self, now: Instant) -> Option<Instant> {
        self.bucket.fill(now);
        let paid = self.bucket.take(&self.unpaid);
        self.conversation.received(&self.unpaid[..paid], now);
        self.unpaid.drain(..paid);
        if self.unpaid.is_empty() {
            // Not clear(): a client that fell silent shall hold no memory.
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
