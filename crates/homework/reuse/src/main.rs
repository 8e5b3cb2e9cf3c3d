//! `reuse`: a poll loop that now and then tears down the wrong client.
//!
//! The text: listing 7-6, pages 126-128: a dictionary for the sockets, one for
//! the addresses, and so on, and the number of the descriptor is the key of
//! all. The listing: `zen-poll`, which does not do so.
//!
//! ```text
//!            listener readable -> accept() -> a new number in each table
//! wait() --> client readable   -> recv()   -> conversation -> send()
//!            client has left   -> out of each table
//! ```
//!
//! There is one fault in it. No client that is alone will ever meet it.
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

/// The listener's key: no descriptor's number is so high.
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

/// What the text keeps in dictionaries, by the number of the descriptor: all
/// filled by `admit`.
struct Server {
    timing: Timing,
    socks: HashMap<Number, StoppableSocket<TcpStream>>,
    addresses: HashMap<Number, SocketAddr>,
    conversations: HashMap<Number, Conversation>,
    /// Those who are watched for room to send; the others, for bytes.
    wants_room: HashSet<Number>,
    // BEGIN SOLUTION mend
    // STARTER: /// Those who have left in this turn, and how.
    // STARTER: left: Vec<(Number, io::Result<()>)>,
    // END SOLUTION
    // Declared after all that it watches.
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
        // BEGIN SOLUTION mend
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
            // BEGIN SOLUTION mend
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

    /// Takes a client off the tables.
    fn leave(&mut self, number: Number, result: io::Result<()>) {
        // BEGIN SOLUTION mend
        // Off all of them before the socket is closed, which it is at the end
        // of this function: from then on the number may be another client's.
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
    // BEGIN SOLUTION mend
    // STARTER:
    // STARTER: /// Clears away, at the end of a turn, what those who left have left behind.
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
            // It may have sent something in time: look there first.
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

    /// Does what can be done at once for one client, as in `zen-poll`.
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
