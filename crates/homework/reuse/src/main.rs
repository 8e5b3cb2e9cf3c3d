//! `reuse`: a poll loop that sometimes tears down the wrong client.
//!
//! The chapter: listing 7-6, pages 126-128. It has a dictionary for sockets, one
//! for addresses, and so on. Their key is the number of the descriptor. The
//! listing is `zen-poll`, which avoids this.
//!
//! ```text
//!            listener readable -> accept() -> a new number in each table
//! wait() --> client readable   -> recv()   -> conversation -> send()
//!            client has left   -> out of each table
//! ```
//!
//! It has one fault, which a client that is alone never meets.
//!
//! ```sh
//! cargo run -p reuse -- 127.0.0.1 -p 1060
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

mod evidence;

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use polling::{AsRawSource, Event, Events, PollMode, Poller};

use zen_utils::{
    Conversation, Listener, Options, RECV_BYTES_MAX, StoppableSocket, Timing,
    Wants, log, ok_if_not_ready, pause_after_failed_accept, shutdown,
    sleep_until,
};

/// The listener's key: no descriptor has such a high number.
const LISTENER: usize = usize::MAX - 1;

/// How often to look for clients that are late.
const TICK: Duration = Duration::from_millis(100);

/// Level-triggered: a socket that is still ready is reported again at the next
/// wait, so nothing needs re-arming.
const LEVEL: PollMode = PollMode::Level;

fn main() -> ExitCode {
    zen_utils::run(
        "low-level async server, with a fault (7-6, page 126)",
        serve,
    )
}

/// The number of a client's descriptor.
type Number = usize;

/// What the chapter keeps in dictionaries, by the number of the descriptor. All
/// are filled by `admit`.
struct Server {
    timing: Timing,
    socks: HashMap<Number, StoppableSocket<TcpStream>>,
    addresses: HashMap<Number, SocketAddr>,
    conversations: HashMap<Number, Conversation>,
    /// Clients that are watched for room to send. The others are watched for
    /// bytes to receive.
    wants_room: HashSet<Number>,
    // BEGIN SOLUTION fix
    // STARTER: /// Clients that have left in this turn, and how.
    // STARTER: left: Vec<(Number, io::Result<()>)>,
    // END SOLUTION
    // Declared after everything that it watches.
    poller: Poller,
}

fn serve(listener: &Listener, options: &Options) -> io::Result<()> {
    evidence::log_what_it_shows();
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    let mut server = Server {
        timing: options.timing,
        socks: HashMap::new(),
        addresses: HashMap::new(),
        conversations: HashMap::new(),
        wants_room: HashSet::new(),
        // BEGIN SOLUTION fix
        // STARTER: left: Vec::new(),
        // END SOLUTION
        poller: Poller::new()?,
    };
    server.serve_forever(listener)
}

impl Server {
    fn serve_forever(&mut self, listener: &Listener) -> io::Result<()> {
        let mut accepting = false;
        let mut accept_after = Instant::now();
        let mut next_look = Instant::now();
        let mut buffer = [0; RECV_BYTES_MAX];
        let mut events = Events::new();
        while !(shutdown::begun() && self.socks.is_empty()) {
            let now = Instant::now();
            let accept = now >= accept_after && !shutdown::begun();
            if accept && !accepting {
                let interest = Event::readable(LISTENER);
                // SAFETY: the listener outlives the poller.
                unsafe {
                    self.poller.add_with_mode(&**listener, interest, LEVEL)?;
                }
            } else if accepting && !accept {
                self.poller.delete(&**listener)?;
            }
            accepting = accept;
            let timeout = (!accept || !self.socks.is_empty()).then_some(TICK);
            events.clear();
            self.poller.wait(&mut events, timeout)?;
            for Event { key, .. } in events.iter() {
                if key == LISTENER {
                    match listener.accept() {
                        Ok((sock, address)) => self.admit(sock, address),
                        Err(err) => {
                            accept_after =
                                now + pause_after_failed_accept(err)?;
                        }
                    }
                } else if self.socks.contains_key(&key) {
                    let result = self.advance(key, &mut buffer);
                    let over = self.conversations[&key].is_over();
                    if result.is_err() || over {
                        self.leave(key, result);
                    }
                }
            }
            if now >= next_look {
                next_look = now + TICK;
                self.drop_the_late(now, &mut buffer);
            }
            // BEGIN SOLUTION fix
            // STARTER: self.tidy_up();
            // END SOLUTION
        }
        Ok(())
    }

    fn admit(&mut self, sock: StoppableSocket<TcpStream>, address: SocketAddr) {
        log::accepted(address);
        let number = (&*sock).raw() as Number;
        let interest = Event::readable(number);
        let conversation = Conversation::new(self.timing, Instant::now());
        let set_up = sock.set_nonblocking(true).and_then(|()| {
            // SAFETY: `leave` deletes the socket before it is closed.
            unsafe { self.poller.add_with_mode(&*sock, interest, LEVEL) }
        });
        if set_up.is_err() {
            log::ended(address, conversation.outcome(set_up));
            return;
        }
        self.socks.insert(number, sock);
        self.addresses.insert(number, address);
        self.conversations.insert(number, conversation);
    }

    /// Removes a client from the tables.
    fn leave(&mut self, number: Number, result: io::Result<()>) {
        // BEGIN SOLUTION fix
        // Remove it from every table before its socket is closed, at the end
        // of this function: then the number may belong to another client.
        let sock = self.socks.remove(&number);
        let address = self.addresses.remove(&number);
        let conversation = self.conversations.remove(&number);
        self.wants_room.remove(&number);
        if let (Some(sock), Some(address), Some(conversation)) =
            (sock, address, conversation)
        {
            let result = result.and(self.poller.delete(&*sock));
            log::ended(address, conversation.outcome(result));
        }
        // STARTER: if let Some(sock) = self.socks.remove(&number) {
        // STARTER:     let result = result.and(self.poller.delete(&*sock));
        // STARTER:     self.left.push((number, result));
        // STARTER: }
        // END SOLUTION
    }
    // BEGIN SOLUTION fix
    // STARTER:
    // STARTER: /// Removes, at the end of a turn, the clients that have left.
    // STARTER: fn tidy_up(&mut self) {
    // STARTER:     for (number, result) in self.left.drain(..) {
    // STARTER:         if let Some(sock) = self.socks.remove(&number) {
    // STARTER:             self.poller.delete(&*sock).ok();
    // STARTER:         }
    // STARTER:         self.wants_room.remove(&number);
    // STARTER:         let address = self.addresses.remove(&number);
    // STARTER:         let conversation = self.conversations.remove(&number);
    // STARTER:         if let (Some(address), Some(it)) = (address, conversation) {
    // STARTER:             log::ended(address, it.outcome(result));
    // STARTER:         }
    // STARTER:     }
    // STARTER: }
    // END SOLUTION

    fn drop_the_late(&mut self, now: Instant, buffer: &mut [u8]) {
        let mut late = Vec::new();
        for (&number, conversation) in &self.conversations {
            if conversation.is_late(now) {
                late.push(number);
            }
        }
        for number in late {
            // It may have sent something in time: receive that first.
            let result = self.advance(number, buffer);
            let over = self
                .conversations
                .get_mut(&number)
                .is_some_and(|it| it.expire(now) || it.is_over());
            if result.is_err() || over {
                self.leave(number, result);
            }
        }
    }

    /// Does everything for one client that can be done without waiting, as in
    /// `zen-poll`.
    fn advance(&mut self, number: Number, buffer: &mut [u8]) -> io::Result<()> {
        let (Some(sock), Some(conversation)) =
            (self.socks.get_mut(&number), self.conversations.get_mut(&number))
        else {
            return Ok(());
        };
        if conversation.wants() == Wants::Receive {
            match sock.read(buffer) {
                Ok(0) => conversation.end_of_file(),
                Ok(n) => conversation.received(&buffer[..n], Instant::now()),
                Err(err) => ok_if_not_ready(err)?,
            }
        }
        loop {
            match conversation.wants() {
                // There is one thread, so all other clients wait as well.
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
        if wants_room != self.wants_room.contains(&number) {
            let interest = Event::new(number, !wants_room, wants_room);
            self.poller.modify_with_mode(&**sock, interest, LEVEL)?;
            match wants_room {
                true => self.wants_room.insert(number),
                false => self.wants_room.remove(&number),
            };
        }
        Ok(())
    }
}
