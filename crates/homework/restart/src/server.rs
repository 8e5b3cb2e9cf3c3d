//! The loop of `zen-poll`, which one process begins and the next one continues.
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::collections::HashMap;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::process;
use std::time::{Duration, Instant};

use polling::{Event, Events, Poller};
use signal_hook::consts::SIGHUP;
use signal_hook::low_level::pipe;

use zen_utils::{
    Listener, Options, RECV_BYTES_MAX, log, ok_if_not_ready,
    pause_after_failed_accept, shutdown,
};

use crate::Restart;
use crate::client::{Client, LEVEL};
use crate::handed;
use crate::next::Next;
// BEGIN SOLUTION ready
use crate::next::Standing;
// END SOLUTION

/// Keys in the poller. Clients' keys count up from the last of these.
const LISTENER: usize = 0;
const HANG_UP: usize = 1;
const NEXT: usize = 2;

/// How often to look for what no socket reports.
const TICK: Duration = Duration::from_millis(100);

struct Server<'a> {
    /// Declared before everything that it watches, so it is dropped first.
    poller: Poller,
    options: &'a Options<Restart>,
    /// None after it is handed over.
    listener: Option<Listener>,
    /// Has something to read when SIGHUP has come.
    hang_ups: UnixStream,
    // BEGIN SOLUTION ready
    /// Set at SIGHUP, taken out when the next process is ready or given up.
    next: Option<Next>,
    // END SOLUTION
    // BEGIN SOLUTION finish
    /// When the grace period of the remaining clients is over. Set when the
    /// listener is handed over.
    cut_off_at: Option<Instant>,
    // END SOLUTION
    clients: HashMap<usize, Box<Client>>,
    last_key: usize,
    accepting: bool,
    accept_after: Instant,
    next_look: Instant,
}

pub(crate) fn serve(
    listener: Listener,
    options: &Options<Restart>,
) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    let (hang_ups, hang_up) = UnixStream::pair()?;
    hang_ups.set_nonblocking(true)?;
    pipe::register(SIGHUP, hang_up)?;
    let poller = Poller::new()?;
    // SAFETY: `Server` drops the poller first.
    unsafe {
        poller.add_with_mode(&hang_ups, Event::readable(HANG_UP), LEVEL)?;
    }
    let mut server = Server {
        poller,
        options,
        listener: Some(listener),
        hang_ups,
        // BEGIN SOLUTION ready
        next: None,
        // END SOLUTION
        // BEGIN SOLUTION finish
        cut_off_at: None,
        // END SOLUTION
        clients: HashMap::new(),
        last_key: NEXT,
        accepting: false,
        accept_after: Instant::now(),
        next_look: Instant::now(),
    };
    handed::say_ready()?;
    server.run()
}

impl Server<'_> {
    fn run(&mut self) -> io::Result<()> {
        let mut buffer = [0; RECV_BYTES_MAX];
        let mut events = Events::new();
        while !self.is_done() {
            // Everything that happens before this instant is in the events.
            let now = Instant::now();
            self.watch_listener(now)?;
            events.clear();
            self.poller.wait(&mut events, self.timeout())?;
            for Event { key, .. } in events.iter() {
                match key {
                    LISTENER => self.admit(now)?,
                    HANG_UP => self.hang_up()?,
                    key => self.advance(key, &mut buffer),
                }
            }
            if now >= self.next_look {
                self.next_look = now + TICK;
                self.drop_the_late(now, &mut buffer);
            }
            // BEGIN SOLUTION ready
            self.look_at_next(now)?;
            // END SOLUTION
            // BEGIN SOLUTION finish
            if self.cut_off_at.is_some_and(|at| now >= at) {
                self.cut_off_at = None;
                // The server already handles SIGTERM as the contract asks.
                signal_hook::low_level::raise(signal_hook::consts::SIGTERM)?;
            }
            // END SOLUTION
        }
        Ok(())
    }

    /// Whether this process has nothing left to do.
    fn is_done(&self) -> bool {
        // BEGIN SOLUTION ready
        if self.next.is_some() {
            return false;
        }
        // END SOLUTION
        // BEGIN SOLUTION hand
        let accepts = self.listener.is_some() && !shutdown::begun();
        // STARTER: let accepts = !shutdown::begun();
        // END SOLUTION
        !accepts && self.clients.is_empty()
    }

    /// How long it may sleep if nothing happens. None means forever.
    fn timeout(&self) -> Option<Duration> {
        let sleeps = self.accepting && self.clients.is_empty();
        // BEGIN SOLUTION ready
        let sleeps = sleeps && self.next.is_none();
        // END SOLUTION
        (!sleeps).then_some(TICK)
    }

    fn watch_listener(&mut self, now: Instant) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        let accept = now >= self.accept_after && !shutdown::begun();
        if accept && !self.accepting {
            let interest = Event::readable(LISTENER);
            // SAFETY: code that takes the listener out deletes it from the
            // poller first.
            unsafe {
                self.poller.add_with_mode(&**listener, interest, LEVEL)?;
            }
        } else if self.accepting && !accept {
            self.poller.delete(&**listener)?;
        }
        self.accepting = accept;
        Ok(())
    }

    fn admit(&mut self, now: Instant) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        let timing = self.options.timing;
        self.last_key += 1;
        match Client::admit(listener, &self.poller, self.last_key, timing) {
            Ok(Some(client)) => {
                self.clients.insert(self.last_key, client);
            }
            Ok(None) => {}
            Err(err) => {
                self.accept_after = now + pause_after_failed_accept(err)?;
            }
        }
        Ok(())
    }

    fn advance(&mut self, key: usize, buffer: &mut [u8]) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        let result = client.advance(&self.poller, key, buffer);
        if result.is_err() || client.is_over() {
            client.disconnect(&self.poller, result);
            self.clients.remove(&key);
        }
    }

    fn drop_the_late(&mut self, now: Instant, buffer: &mut [u8]) {
        let poller = &self.poller;
        self.clients.retain(|&key, client| {
            if !client.is_late(now) {
                return true;
            }
            // It may have sent something in time: receive that first.
            let result = client.advance(poller, key, buffer);
            let over =
                result.is_err() || client.is_over() || client.expire(now);
            if over {
                client.disconnect(poller, result);
            }
            !over
        });
    }

    /// SIGHUP has come, perhaps several times.
    fn hang_up(&mut self) -> io::Result<()> {
        if let Err(err) = self.hang_ups.read(&mut [0; 64]) {
            ok_if_not_ready(err)?;
        }
        let Some(listener) = &self.listener else { return Ok(()) };
        // BEGIN SOLUTION ready
        // Start only one at a time, and none if this process is about to end.
        if self.next.is_some() || shutdown::begun() {
            return Ok(());
        }
        // END SOLUTION
        match Next::start(listener, &self.options.own) {
            Ok(next) => {
                log::server(format_args!(
                    "Process {} is started to follow process {}",
                    next.id(),
                    process::id()
                ));
                // BEGIN SOLUTION ready
                let interest = Event::readable(NEXT);
                // SAFETY: `look_at_next` deletes it before it is closed.
                unsafe {
                    self.poller.add_with_mode(&next.says, interest, LEVEL)?;
                }
                self.next = Some(next);
                // END SOLUTION
            }
            Err(err) => Self::log_failure(&err.to_string()),
        }
        Ok(())
    }

    fn log_failure(why: &str) {
        log::server(format_args!(
            "The next process is not ready: {why}; process {} goes on",
            process::id()
        ));
    }
    // BEGIN SOLUTION ready

    fn look_at_next(&mut self, now: Instant) -> io::Result<()> {
        let Some(mut next) = self.next.take() else { return Ok(()) };
        let why = match next.look(now) {
            Standing::Starting if !shutdown::begun() => {
                self.next = Some(next);
                return Ok(());
            }
            Standing::Ready => None,
            // Our stop has shut down the listener, which both processes share.
            Standing::Starting => Some("this process is stopping".into()),
            Standing::Failed(why) => Some(why),
        };
        self.poller.delete(&next.says)?;
        match why {
            None => self.hand_over(),
            Some(why) => {
                Self::log_failure(&why);
                // An error of the next process must not end this one.
                next.end().or_else(|err| {
                    log::complain(err);
                    Ok(())
                })
            }
        }
    }
    // END SOLUTION
    // BEGIN SOLUTION hand

    /// Accepts no more clients. The listener is closed and not shut down: it
    /// stays open in the next process, with the clients in its backlog.
    fn hand_over(&mut self) -> io::Result<()> {
        let Some(listener) = self.listener.take() else { return Ok(()) };
        if self.accepting {
            self.poller.delete(&*listener)?;
            self.accepting = false;
        }
        log::server(format_args!(
            "Process {} accepts no more; clients still here: {}",
            process::id(),
            self.clients.len()
        ));
        // END SOLUTION
        // BEGIN SOLUTION finish
        self.cut_off_at = Instant::now().checked_add(self.options.own.grace);
        // END SOLUTION
        // BEGIN SOLUTION hand
        Ok(())
    }
    // END SOLUTION
}
