//! `zen-poll`: one thread, one loop around a poller, no call that can block.
//!
//! The text: listing 7-6, pages 126-128. Same names where Rust allows.
//!
//! ```text
//!            listener readable -> accept()         -> clients
//! wait() --> client readable   -> recv()           -> conversation
//!            client writable   -> bytes to send    -> send()
//!            100 ms gone by    -> who is late?     -> disconnect
//! ```
//!
//! Read `serve`: every decision the server takes is in its one loop.
//! Left out: more than one core.
//!
//! ```sh
//! cargo run -p zen-poll -- 127.0.0.1 -p 1060
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use polling::{Event, Events, PollMode, Poller};

use zen_utils::{
    Conversation, Listener, MaxClients, Options, RECV_BYTES_MAX,
    StoppableSocket, Timing, Wants, log, ok_if_not_ready,
    pause_after_failed_accept, shutdown, sleep_until,
};

/// The keys of clients count up from here; none is used twice. So no event can
/// reach the wrong client, as it can in the text, whose key is the descriptor.
const LISTENER: usize = 0;

/// How often to look for clients that are late.
const TICK: Duration = Duration::from_millis(100);

/// Say again at each wait what is still ready: nothing to arm anew.
const LEVEL: PollMode = PollMode::Level;

fn main() -> ExitCode {
    zen_utils::run("low-level async server (7-6, page 126)", serve)
}

// ANCHOR: client
/// What the text keeps in four dictionaries, and how it is watched.
struct Client {
    sock: StoppableSocket<TcpStream>,
    address: SocketAddr,
    /// Bytes received, bytes to send: filled and emptied by `advance`.
    conversation: Conversation,
    /// The poller watches for room to send; if not, for bytes.
    wants_room: bool,
}
// ANCHOR_END: client

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<MaxClients>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    let mut clients: HashMap<usize, Box<Client>> = HashMap::new();
    let mut last_key = LISTENER;
    let mut accepting = false;
    let mut accept_after = Instant::now();
    let mut next_look = Instant::now();
    let mut buffer = [0; RECV_BYTES_MAX];
    // Declared after all that it watches, and so dropped before it.
    let poller = Poller::new()?;
    let mut events = Events::new();

    while !(shutdown::begun() && clients.is_empty()) {
        // Whatever happens before this instant is among the events.
        let now = Instant::now();
        let full = clients.len() >= options.own.max_clients;
        let accept = !full && now >= accept_after && !shutdown::begun();
        if accept && !accepting {
            let interest = Event::readable(LISTENER);
            // SAFETY: the listener outlives the poller.
            unsafe { poller.add_with_mode(&**listener, interest, LEVEL)? };
        } else if accepting && !accept {
            // Ready, and never accepted from, it would not let us sleep.
            poller.delete(&**listener)?;
            if full {
                log::serving_the_most(clients.len());
            }
        }
        accepting = accept;
        let timeout = (!accept || !clients.is_empty()).then_some(TICK);
        events.clear();
        poller.wait(&mut events, timeout)?;
        for Event { key, .. } in events.iter() {
            if key == LISTENER {
                // One at a time: while others wait, it stays readable.
                last_key += 1;
                match admit(listener, &poller, last_key, options.timing) {
                    Ok(client) => clients.extend([(last_key, client)]),
                    Err(err) => {
                        accept_after = now + pause_after_failed_accept(err)?;
                    }
                }
            } else if let Some(client) = clients.get_mut(&key) {
                let result = client.advance(&poller, key, &mut buffer);
                if result.is_err() || client.conversation.is_over() {
                    disconnect(&poller, client, result);
                    clients.remove(&key);
                }
            }
        }
        // With more events than fit, somebody may have been in time unseen.
        if now >= next_look && events.len() < events.capacity().get() {
            next_look = now + TICK;
            clients.retain(|_, client| {
                let late = client.conversation.expire(now);
                if late {
                    disconnect(&poller, client, Ok(()));
                }
                !late
            });
        }
    }
    Ok(())
}
// ANCHOR_END: serve

// ANCHOR: admit
fn admit(
    listener: &Listener,
    poller: &Poller,
    key: usize,
    timing: Timing,
) -> io::Result<Box<Client>> {
    let (sock, address) = listener.accept()?;
    log::accepted(address);
    sock.set_nonblocking(true)?;
    // SAFETY: `disconnect` deletes the socket before it is closed.
    unsafe { poller.add_with_mode(&*sock, Event::readable(key), LEVEL)? };
    let conversation = Conversation::new(timing, Instant::now());
    Ok(Box::new(Client { sock, address, conversation, wants_room: false }))
}
// ANCHOR_END: admit

// ANCHOR: disconnect
/// The text closes the socket and cleans up later. Here the poller forgets a
/// client first; its descriptor is closed when its entry is removed.
fn disconnect(poller: &Poller, client: &Client, result: io::Result<()>) {
    let result = result.and(poller.delete(&*client.sock));
    log::ended(client.address, client.conversation.outcome(result));
}
// ANCHOR_END: disconnect

impl Client {
    // ANCHOR: advance
    /// Does what can be done at once: one recv(), and send() until the socket
    /// is full. Questions that arrive together are answered together.
    fn advance(
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
                Err(err) => return ok_if_not_ready(err),
            }
        }
        loop {
            match conversation.wants() {
                // Everybody else waits as well: there is one thread.
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
}
