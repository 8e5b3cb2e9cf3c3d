//! `zen-poll`: one thread, one loop around a poller, no call that can block.
//!
//! The chapter: listing 7-6, pages 126-128. Same names where Rust allows.
//!
//! ```text
//!            listener readable -> accept()         -> clients
//! wait() --> client readable   -> recv()           -> conversation
//!            client writable   -> bytes to send    -> send()
//!            100 ms have gone  -> is anyone late?  -> disconnect
//! ```
//!
//! Read `serve`: its one loop makes every decision of this server. What it does
//! with one client is in `lib.rs`.
//! Left out: more than one core (see `zen-hybrid`).
//!
//! ```sh
//! cargo run -p zen-poll -- 127.0.0.1 -p 1060
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::collections::HashMap;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use polling::{Event, Events, Poller};

use zen_poll::{Client, LEVEL};
use zen_utils::{
    Listener, MaxClients, Options, RECV_BYTES_MAX, log,
    pause_after_failed_accept, shutdown,
};

/// The listener's key. The keys of clients count up from here and are never
/// reused, so no event can reach the wrong client. In the chapter it can: there
/// the key is the descriptor, which the system does reuse.
const LISTENER: usize = 0;

/// How often to look for late clients, while any client has a deadline.
const TICK: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    zen_utils::run("low-level async server (7-6, page 126)", serve)
}

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<MaxClients>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    let mut clients: HashMap<usize, Box<Client>> = HashMap::new();
    let mut last_key = LISTENER;
    let mut accepting = false;
    let mut accept_after = Instant::now();
    // Whether any client can become late. If none can, the server sleeps.
    let mut deadlines = false;
    let mut next_tick = Instant::now();
    let mut buffer = [0; RECV_BYTES_MAX];
    // Declared after the sockets that it watches, so it is dropped before them.
    let poller = Poller::new()?;
    let mut events = Events::new();

    while !(shutdown::begun() && clients.is_empty()) {
        let now = Instant::now();
        let full = clients.len() >= options.own.max_clients;
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
        for Event { key, .. } in events.iter() {
            if key == LISTENER {
                // One client at a time: while others wait, it stays readable.
                match listener.accept() {
                    Ok((sock, address)) => {
                        last_key += 1;
                        let timing = options.timing;
                        if let Some(client) = Client::admit(
                            sock, address, timing, &poller, last_key,
                        ) {
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
    Ok(())
}
// ANCHOR_END: serve
