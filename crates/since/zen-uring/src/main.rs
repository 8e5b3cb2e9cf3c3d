//! `zen-uring`: the kernel does the recv() and the send(), then reports it.
//!
//! The chapter: listing 7-6, pages 126-128, with completions instead of poll().
//!
//! ```text
//!            accepted        -> insert          -> recv()
//! wait() --> received        -> conversation    -> send()
//!            sent            -> conversation    -> recv()
//!            100 ms are over -> is anyone late? -> cancel
//! ```
//!
//! Read `serve`: it never asks whether a socket is ready.
//! Left out: how to talk to the kernel (see `ring.rs`).
//!
//! ```sh
//! cargo run -p zen-uring -- 127.0.0.1 -p 1060
//! ```

#[cfg_attr(
    not(all(target_os = "linux", target_pointer_width = "64")),
    path = "no_ring.rs"
)]
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

/// How often to look for late clients, while any client has a deadline.
const TICK: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let description = "server on completions, by io_uring (7-6, page 126)";
    zen_utils::run_if(ring::probe, description, serve)
}

/// What the chapter keeps in four dictionaries; the ring has the socket.
struct Client {
    address: SocketAddr,
    /// Bytes received and bytes to send: filled and emptied by `advance`.
    conversation: Conversation,
}

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<MaxClients>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    let max_clients = options.own.max_clients;
    let mut clients: HashMap<usize, Box<Client>> = HashMap::new();
    let mut accept_after = Instant::now();
    // Whether any client can become late. If none can, the server sleeps.
    let mut deadlines = false;
    let mut next_tick = Instant::now();
    let mut ring = Ring::new(listener)?;

    while !(shutdown::begun() && clients.is_empty()) {
        let now = Instant::now();
        let full = clients.len() >= max_clients;
        if !full && now >= accept_after && !shutdown::begun() {
            ring.accept()?;
        }
        ring.wait((deadlines || now < accept_after).then_some(TICK))?;
        while let Some(completion) = ring.next()? {
            match completion {
                Completion::Accepted(Ok(_)) if shutdown::begun() => {}
                Completion::Accepted(Ok((sock, address))) => {
                    log::accepted(address);
                    let key = ring.insert(StoppableSocket::new(sock));
                    ring.recv(key)?;
                    let client = Client::new(address, options.timing);
                    clients.insert(key, Box::new(client));
                    deadlines |= options.timing.idle_timeout.is_some();
                    if clients.len() >= max_clients {
                        log::serving_the_most(max_clients);
                    }
                }
                Completion::Accepted(Err(err)) => {
                    accept_after = now + pause_after_failed_accept(err)?;
                }
                Completion::Done(key, result) => {
                    let Some(client) = clients.get_mut(&key) else { continue };
                    let result = result.and_then(|done| {
                        client.advance(done, now, &mut ring, key)
                    });
                    if result.is_err() || client.conversation.is_over() {
                        ring.close(key)?;
                        let outcome = client.conversation.outcome(result);
                        log::ended(client.address, outcome);
                        clients.remove(&key);
                    } else {
                        deadlines |= client.conversation.deadline().is_some();
                    }
                }
            }
        }
        if deadlines && now >= next_tick {
            next_tick = now + TICK;
            deadlines = false;
            for (&key, client) in &clients {
                deadlines |= client.conversation.deadline().is_some();
                if client.conversation.is_late(now) {
                    // It gets one last completion, and `advance` judges it.
                    ring.cancel(key)?;
                }
            }
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

    // ANCHOR: advance
    /// Takes note of what the kernel has done, and asks it for what is wanted
    /// next. While answers wait, that is no recv().
    fn advance(
        &mut self,
        done: Done,
        now: Instant,
        ring: &mut Ring,
        key: usize,
    ) -> io::Result<()> {
        let conversation = &mut self.conversation;
        match done {
            Done::Received(bytes) => {
                conversation.received(&bytes, Instant::now());
            }
            Done::EndOfFile => conversation.end_of_file(),
            Done::Sent(n) => conversation.sent(n, Instant::now()),
            Done::Nothing => {}
        }
        // Only now: what the client sent in time may have been received above.
        conversation.expire(now);
        loop {
            match conversation.wants() {
                Wants::Receive => return ring.recv(key),
                // There is one thread, so all other clients wait as well.
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
