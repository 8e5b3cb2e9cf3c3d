//! `deadlines`: a loop that wakes for the next deadline, and for no other.
//!
//! The chapter: listing 7-6, pages 126-128. The listing is `zen-poll`, which
//! looks at every client ten times a second to see whether it is late.
//!
//! ```text
//!            listener readable -> accept()      -> a deadline
//! wait() --> client readable   -> recv()        -> the deadline may have moved
//!            next deadline     -> who is late?  -> disconnect
//! ```
//!
//! ```sh
//! cargo run -p deadlines -- 127.0.0.1 -p 1060 --idle-timeout 5
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

mod client;
mod deadlines;

use std::collections::HashMap;
use std::io;
use std::process::ExitCode;
use std::time::Instant;

use polling::{Event, Events, Poller};

use client::{Client, LEVEL};
use deadlines::Deadlines;
use zen_utils::{
    Listener, Options, RECV_BYTES_MAX, log, pause_after_failed_accept, shutdown,
};

/// Clients' keys count up from here and are never reused.
const LISTENER: usize = 0;

/// The poller may return without an event now and then.
const WOKE_FOR_NOTHING_MAX: usize = 3;

// BEGIN SOLUTION next
// STARTER: /// How often to look for clients that are late.
// STARTER: const TICK: std::time::Duration = std::time::Duration::from_millis(100);
// STARTER:
// END SOLUTION
fn main() -> ExitCode {
    zen_utils::run("event loop with deadlines (7-6, page 126)", serve)
}

fn serve(listener: &Listener, options: &Options) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    let mut clients: HashMap<usize, Box<Client>> = HashMap::new();
    let mut deadlines = Deadlines::default();
    let mut last_key = LISTENER;
    let mut accepting = false;
    let mut accept_after = Instant::now();
    // BEGIN SOLUTION next
    // STARTER: let mut next_look = Instant::now();
    // END SOLUTION
    let mut idle_wakes = 0;
    let mut buffer = [0; RECV_BYTES_MAX];
    // Declared after everything that it watches, so it is dropped first.
    let poller = Poller::new()?;
    let mut events = Events::new();

    while !(shutdown::begun() && clients.is_empty()) {
        // Everything that happens before this instant is in the events.
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
        // BEGIN SOLUTION next
        let accept_again = (accept_after > now).then_some(accept_after);
        let wake_at = deadlines.next().into_iter().chain(accept_again).min();
        let timeout = wake_at.map(|at| at.saturating_duration_since(now));
        // STARTER: let timeout = (!accept || !clients.is_empty()).then_some(TICK);
        // END SOLUTION
        events.clear();
        poller.wait(&mut events, timeout)?;
        let reached = deadlines.next().is_some_and(|at| at <= Instant::now());
        idle_wakes += usize::from(events.is_empty() && accept && !reached);
        for Event { key, .. } in events.iter() {
            if key == LISTENER {
                last_key += 1;
                match Client::admit(listener, &poller, last_key, options.timing)
                {
                    Ok(Some(client)) => {
                        if let Some(deadline) = client.deadline() {
                            deadlines.watch(last_key, deadline);
                        }
                        clients.insert(last_key, client);
                    }
                    Ok(None) => {}
                    Err(err) => {
                        accept_after = now + pause_after_failed_accept(err)?;
                    }
                }
            } else if let Some(client) = clients.get_mut(&key) {
                let result = client.advance(&poller, key, &mut buffer);
                if result.is_err() || client.is_over() {
                    client.disconnect(&poller, result);
                    clients.remove(&key);
                    deadlines.forget(key);
                // BEGIN SOLUTION moved
                } else if let Some(deadline) = client.deadline() {
                    deadlines.watch(key, deadline);
                    // END SOLUTION
                }
            }
        }
        // BEGIN SOLUTION next
        while let Some(key) = deadlines.due(now) {
            let Some(client) = clients.get_mut(&key) else { continue };
            // It may have sent something in time: receive that first.
            let result = client.advance(&poller, key, &mut buffer);
            if result.is_err() || client.is_over() || client.expire(now) {
                client.disconnect(&poller, result);
                clients.remove(&key);
            } else if let Some(deadline) = client.deadline() {
                deadlines.watch(key, deadline);
            }
        }
        // STARTER: if now >= next_look {
        // STARTER:     next_look = now + TICK;
        // STARTER:     clients.retain(|&key, client| {
        // STARTER:         if client.deadline().is_none_or(|at| at > now) {
        // STARTER:             return true;
        // STARTER:         }
        // STARTER:         // It may have sent something in time: receive that first.
        // STARTER:         let result = client.advance(&poller, key, &mut buffer);
        // STARTER:         let over = result.is_err()
        // STARTER:             || client.is_over()
        // STARTER:             || client.expire(now);
        // STARTER:         if over {
        // STARTER:             client.disconnect(&poller, result);
        // STARTER:         }
        // STARTER:         !over
        // STARTER:     });
        // STARTER: }
        // END SOLUTION
    }
    client::log_looks();
    log_wakes(idle_wakes);
    Ok(())
}

/// Logs at the end how often the loop woke and found nothing to do.
fn log_wakes(for_nothing: usize) {
    let verdict = match for_nothing {
        0..=WOKE_FOR_NOTHING_MAX => "that is next to never",
        _ => "something wakes it again and again",
    };
    log::server(format_args!(
        "Woke {for_nothing} times for nothing: {verdict}"
    ));
}
