//! `zen-uring`: the kernel does the recv() and the send(), and then tells.
//!
//! The chapter: listing 7-6, pages 126-128, with completions instead of poll().
//!
//! ```text
//!            accepted -> insert        -> recv()
//! wait() --> received -> conversation  -> send()
//!            sent     -> conversation  -> recv()
//!            100 ms gone by -> who is late?
//! ```
//!
//! Read `serve`: it never asks whether a socket is ready.
//! Left out: how the kernel is spoken to (see `ring.rs`).
//!
//! ```sh
//! cargo run -p zen-uring -- 127.0.0.1 -p 1060
//! ```

#[cfg_attr(not(target_os = "linux"), path = "no_ring.rs")]
mod ring;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ring::{Completion, Done, Ring};
use zen_utils::{
    Conversation, Listener, MaxClients, Options, StoppableSocket, Timing,
    Wants, log, pause_after_failed_accept, shutdown, sleep_until,
};

/// How often to look for clients that are late.
const TICK: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    zen_utils::run("server on completions, by io_uring (7-6, page 126)", serve)
}

/// What the text keeps in four dictionaries; the socket is the ring's.
struct Client {
    address: SocketAddr,
    /// Bytes received, bytes to send: filled and emptied by `advance`.
    conversation: Conversation,
}

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<MaxClients>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    let max_clients = options.own.max_clients;
    let mut clients: HashMap<usize, Box<Client>> = HashMap::new();
    let mut accept_after = Instant::now();
    let mut next_look = Instant::now();
    let mut ring = Ring::new(listener)?;

    while !(shutdown::begun() && clients.is_empty()) {
        // Whatever is done before this instant is among the completions.
        let now = Instant::now();
        let full = clients.len() >= max_clients;
        let accept = !full && now >= accept_after && !shutdown::begun();
        if accept {
            // The kernel does not count: where there is a limit, one by one.
            ring.accept(max_clients == usize::MAX)?;
        }
        ring.wait((!accept || !clients.is_empty()).then_some(TICK))?;
        while let Some(completion) = ring.next()? {
            match completion {
                Completion::Accepted(Ok(_)) if shutdown::begun() => {}
                Completion::Accepted(Ok((sock, address))) => {
                    log::accepted(address);
                    let key = ring.insert(StoppableSocket::new(sock));
                    ring.recv(key)?;
                    let client = Client::new(address, options.timing);
                    clients.insert(key, Box::new(client));
                    if clients.len() >= max_clients {
                        log::serving_the_most(max_clients);
                    }
                }
                Completion::Accepted(Err(err)) => {
                    accept_after = now + pause_after_failed_accept(err)?;
                }
                Completion::Done(key, result) => {
                    let Some(client) = clients.get_mut(&key) else { continue };
                    let result = result
                        .map(|done| client.take(done))
                        .and_then(|()| client.advance(&mut ring, key));
                    if result.is_err() || client.conversation.is_over() {
                        client.close(&mut ring, key, result);
                        clients.remove(&key);
                    }
                }
            }
        }
        if now >= next_look {
            next_look = now + TICK;
            ring.renew_accept()?;
            clients.retain(|&key, client| {
                let late = client.conversation.expire(now);
                if late {
                    client.close(&mut ring, key, Ok(()));
                }
                !late
            });
        }
    }
    Ok(())
}
// ANCHOR_END: serve

impl Client {
    fn new(address: SocketAddr, timing: Timing) -> Self {
        let conversation = Conversation::new(timing, Instant::now());
        Self { address, conversation }
    }

    // ANCHOR: close
    /// The ring closes the socket, at once or when the kernel lets go of it.
    fn close(&self, ring: &mut Ring, key: usize, result: io::Result<()>) {
        ring.close(key);
        log::ended(self.address, self.conversation.outcome(result));
    }
    // ANCHOR_END: close

    // ANCHOR: advance
    /// Takes note of what the kernel has done.
    fn take(&mut self, done: Done) {
        let conversation = &mut self.conversation;
        match done {
            Done::Received(bytes) => {
                conversation.received(&bytes, Instant::now());
            }
            Done::EndOfFile => conversation.end_of_file(),
            Done::Sent(n) => conversation.sent(n, Instant::now()),
        }
    }

    /// Asks the kernel for what is wanted next. While answers wait, that is
    /// no recv().
    fn advance(&mut self, ring: &mut Ring, key: usize) -> io::Result<()> {
        let conversation = &mut self.conversation;
        loop {
            match conversation.wants() {
                Wants::Receive => return ring.recv(key),
                // Everybody else waits as well: there is one thread.
                Wants::Think(until) => {
                    sleep_until(until);
                    conversation.finished_thinking();
                }
                Wants::Send => return ring.send(key, conversation.to_send()),
                Wants::StopSending => {
                    ring.stop_sending(key)?;
                    conversation.stopped_sending(Instant::now());
                }
                Wants::Close => return Ok(()),
            }
        }
    }
    // ANCHOR_END: advance
}
