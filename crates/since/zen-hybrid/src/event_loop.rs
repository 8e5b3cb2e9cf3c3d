//! One event loop. It is the one of `zen-poll`, and `diff` shows what it takes
//! to be one of several:
//!
//! ```sh
//! diff crates/listings/zen-poll/src/main.rs \
//!     crates/since/zen-hybrid/src/event_loop.rs
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use polling::{Event, Events, Poller};
use socket2::Socket;

use zen_poll::{Client, LEVEL};
use zen_utils::{
    Listener, Options, RECV_BYTES_MAX, log, pause_after_failed_accept, shutdown,
};

use crate::Hybrid;

/// The listener's key.
const LISTENER: usize = 0;

/// The key of the socket that wakes a loop which is a process. The keys of
/// clients count up from here and are never reused.
const STOP: usize = 1;

/// How often to look for late clients, while any client has a deadline.
const TICK: Duration = Duration::from_millis(100);

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
    options.own.report(number, last_key - STOP);
    Ok(())
}
// ANCHOR_END: serve
