//! `slow`: a loop that does not wait for slow answers.
//!
//! The chapter: listing 7-6, pages 126-128, and what page 130 says about an
//! answer that needs a database. The listing is `zen-poll --think`, where all
//! clients wait while one answer is worked out.
//!
//! ```text
//!            client readable -> recv() -> conversation --> jobs --> worker
//! wait() --> worker is done  -> send() <-- conversation <-- done <----+
//!    ^                                                                |
//!    +------------------------- notify() -----------------------------+
//! ```
//!
//! ```sh
//! cargo run -p slow -- 127.0.0.1 -p 1060 --think 500 --workers 4
//! ```
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

mod workers;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use polling::{Event, Events, PollMode, Poller};

use workers::Workers;
use zen_utils::{
    Conversation, Listener, Options, RECV_BYTES_MAX, StoppableSocket, Timing,
    Wants, log, ok_if_not_ready, pause_after_failed_accept, shutdown,
};

/// Clients' keys count up from here and are never reused.
const LISTENER: usize = 0;

/// How often to look for clients that are late.
const TICK: Duration = Duration::from_millis(100);

/// Level-triggered: a socket that is still ready is reported again at the next
/// wait, so nothing needs re-arming.
const LEVEL: PollMode = PollMode::Level;

fn main() -> ExitCode {
    zen_utils::run("event loop with workers (7-6, page 126)", serve)
}

/// What the administrator decides.
#[derive(Args, Clone, Debug)]
struct Pool {
    /// How many threads work out answers, each one at a time
    #[arg(
        long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=10_000)
    )]
    workers: u16,
}

/// As in `zen-poll`, and whether a worker has its next answer.
struct Client {
    key: usize,
    sock: StoppableSocket<TcpStream>,
    address: SocketAddr,
    conversation: Conversation,
    /// Its next answer is with the workers. Set when the answer is handed over,
    /// cleared when it is done.
    thinking: bool,
    /// What the poller watches this client for, if it does.
    watched: Option<Event>,
}

type Clients = HashMap<usize, Box<Client>>;

fn serve(listener: &Listener, options: &Options<Pool>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    let mut clients = Clients::new();
    // Declared after everything that it watches, so it is dropped first.
    let poller = Poller::new()?;
    thread::scope(|scope| {
        let (number, think) = (options.own.workers, options.timing.think);
        let workers = Workers::start(scope, &poller, number, think);
        run_loop(listener, options.timing, &poller, &workers, &mut clients)
    })
}

fn run_loop(
    listener: &Listener,
    timing: Timing,
    poller: &Poller,
    workers: &Workers,
    clients: &mut Clients,
) -> io::Result<()> {
    let mut last_key = LISTENER;
    let mut accepting = false;
    let mut accept_after = Instant::now();
    let mut next_look = Instant::now();
    let mut buffer = [0; RECV_BYTES_MAX];
    let mut events = Events::new();
    let mut ready = Vec::new();

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
        events.clear();
        poller.wait(&mut events, timeout)?;
        ready.extend(events.iter().map(|event| event.key));
        for key in workers.done() {
            // BEGIN SOLUTION hand
            // The client may have left. Keys are never reused, so its key
            // cannot find another client.
            if let Some(client) = clients.get_mut(&key) {
                client.thinking = false;
                client.conversation.finished_thinking();
                ready.push(key);
            }
            // STARTER: let _ = key;
            // END SOLUTION
        }
        // A late client may have sent something in time: receive that first.
        let tick = now >= next_look;
        if tick {
            next_look = now + TICK;
            let late = |client: &Client| client.conversation.is_late(now);
            ready.extend(
                clients.values().filter(|it| late(it)).map(|it| it.key),
            );
        }
        for key in ready.drain(..) {
            if key == LISTENER {
                last_key += 1;
                match admit(listener, poller, last_key, timing) {
                    Ok(Some(client)) => _ = clients.insert(last_key, client),
                    // This client could not be set up, and the log says so.
                    Ok(None) => {}
                    Err(err) => {
                        accept_after = now + pause_after_failed_accept(err)?;
                    }
                }
            } else if let Some(client) = clients.get_mut(&key) {
                let result = client.advance(poller, workers, &mut buffer);
                if result.is_err() || client.conversation.is_over() {
                    disconnect(poller, client, result);
                    clients.remove(&key);
                }
            }
        }
        if tick {
            clients.retain(|_, client| {
                // BEGIN SOLUTION calm
                // The timeout stands still while the client waits for a worker.
                let late = !client.thinking && client.conversation.expire(now);
                // STARTER: let late = client.conversation.expire(now);
                // END SOLUTION
                if late {
                    disconnect(poller, client, Ok(()));
                }
                !late
            });
        }
    }
    Ok(())
}

fn admit(
    listener: &Listener,
    poller: &Poller,
    key: usize,
    timing: Timing,
) -> io::Result<Option<Box<Client>>> {
    let (sock, address) = listener.accept()?;
    log::accepted(address);
    let mut client = Box::new(Client {
        key,
        sock,
        address,
        conversation: Conversation::new(timing, Instant::now()),
        thinking: false,
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
    /// Does everything that can be done without waiting, and hands slow answers
    /// over to the workers.
    fn advance(
        &mut self,
        poller: &Poller,
        workers: &Workers,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        if self.conversation.wants() == Wants::Receive {
            let now = Instant::now();
            match self.sock.read(buffer) {
                Ok(0) => self.conversation.end_of_file(),
                Ok(n) => self.conversation.received(&buffer[..n], now),
                Err(err) => ok_if_not_ready(err)?,
            }
        }
        loop {
            match self.conversation.wants() {
                // BEGIN SOLUTION hand
                Wants::Think(_) => {
                    if !self.thinking {
                        self.thinking = true;
                        workers.work_out(self.key);
                    }
                    break;
                }
                // STARTER: // All other clients wait as well.
                // STARTER: Wants::Think(until) => {
                // STARTER:     self.thinking = true;
                // STARTER:     workers.work_out(self.key);
                // STARTER:     zen_utils::sleep_until(until);
                // STARTER:     self.thinking = false;
                // STARTER:     self.conversation.finished_thinking();
                // STARTER: }
                // END SOLUTION
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
                Wants::Receive | Wants::Close => break,
            }
        }
        let wants_room = self.conversation.wants() == Wants::Send;
        let event = Event::new(self.key, !wants_room, wants_room);
        // BEGIN SOLUTION calm
        // A socket that is ready but not read from would wake us again and
        // again. Event::none is not enough: a reset is always reported.
        self.watch(poller, (!self.thinking).then_some(event))
        // STARTER: self.watch(poller, Some(event))
        // END SOLUTION
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
