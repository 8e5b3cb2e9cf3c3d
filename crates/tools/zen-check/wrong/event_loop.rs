//! One thread that waits for all clients at once, with poll(2).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use libc::{POLLIN, pollfd};

use crate::faults::faulty;
use crate::process::Stop;
use crate::system::{self, Accepted, watch};
use crate::talk::{Next, Talk, clock};

/// A burst of clients may not keep those waiting who are served already.
const ACCEPTED_AT_ONCE_MAX: usize = 64;

/// The pause before another try when out of descriptors, unless a client
/// leaves.
const FULL_TIME_MAX: Duration = Duration::from_secs(1);

/// As many events as others take from their poller at once.
const EVENTS_AT_ONCE_MAX: usize = 1024;

/// How often a server looks at its clients that does so for nothing.
const TICK: Duration = Duration::from_millis(100);

pub(crate) fn serve(listener: TcpListener, stop: &Stop) -> io::Result<()> {
    let edge = match faulty("accepts-one-per-edge") {
        true => Some(system::edge(&listener)?),
        false => None,
    };
    let mut server = Server {
        listener: Some(listener),
        edge,
        stopping: false,
        parting: false,
        full_until: None,
        socks: BTreeMap::new(),
        talks: HashMap::new(),
        left: Vec::new(),
        lost: HashSet::new(),
        timers: BTreeSet::new(),
    };
    while !server.stopping || !server.socks.is_empty() {
        let mut events = server.interests(stop);
        system::wait(&mut events, server.deadline())?;
        if events[0].revents != 0 {
            server.stop();
        }
        if faulty("drops-before-looking") {
            server.drop_the_late();
        }
        let mut ready = 0;
        for event in &events[2..] {
            ready += usize::from(event.revents != 0);
            if faulty("loses-events") && ready > EVENTS_AT_ONCE_MAX {
                server.lost.extend((event.revents != 0).then_some(event.fd));
            } else if event.revents != 0 || server.parting {
                server.turn(event)?;
            }
        }
        if events[1].revents != 0 {
            server.accept()?;
        }
        if !faulty("flood-stops-the-clock") || ready < EVENTS_AT_ONCE_MAX {
            server.drop_the_late();
        }
        // Clients that have left in the meantime are taken off the tables.
        for fd in server.left.drain(..) {
            server.talks.remove(&fd);
        }
    }
    Ok(())
}

struct Server {
    /// Dropped by the stop.
    listener: Option<TcpListener>,
    edge: Option<OwnedFd>,
    /// No more clients are accepted, and the server ends with its last client.
    stopping: bool,
    /// Clients are parted with, and not only when they leave.
    parting: bool,
    /// Set when there is no room for another client; until then the
    /// loop does not wait for the next one.
    full_until: Option<Instant>,
    /// Both filled by `accept` and emptied by `leave`.
    socks: BTreeMap<RawFd, TcpStream>,
    talks: HashMap<RawFd, Talk>,
    /// Clients that have left and are still on a table.
    left: Vec<RawFd>,
    /// Clients of which the server has lost an event, and will hear no more.
    lost: HashSet<RawFd>,
    /// Filled by `accept`; whatever empties it is missing.
    timers: BTreeSet<(Instant, RawFd)>,
}

impl Server {
    /// For what to wait: the stop, the next client, and each client.
    fn interests(&self, stop: &Stop) -> Vec<pollfd> {
        let mut listener = self.listener.as_ref().map(AsRawFd::as_raw_fd);
        if let Some(edge) = &self.edge {
            listener = Some(edge.as_raw_fd());
        }
        let mut events = vec![
            watch((!self.stopping).then_some(stop.as_raw_fd()), POLLIN),
            watch(listener.filter(|_| self.full_until.is_none()), POLLIN),
        ];
        for &fd in self.socks.keys() {
            let mut wants = self.talks.get(&fd).map_or(POLLIN, Talk::wants);
            if faulty("drops-half-closed") {
                wants |= system::POLLRDHUP;
            }
            let waits = wants != 0 && !self.lost.contains(&fd);
            events.push(watch(waits.then_some(fd), wants));
        }
        events
    }

    fn deadline(&self) -> Option<Instant> {
        let mut talks = self.talks.values();
        if self.parting && talks.any(Talk::owes_a_look) {
            return Some(clock());
        }
        if faulty("spins") {
            return Some(clock());
        }
        let deadlines = self.talks.values().filter_map(Talk::deadline);
        let tick = clock().checked_add(TICK);
        let tick = tick.filter(|_| faulty("ticks"));
        deadlines.chain(self.full_until).chain(tick).min()
    }

    fn stop(&mut self) {
        self.stopping = true;
        self.parting = !faulty("slow-stop");
        self.listener = None;
        self.edge = None;
        self.full_until = None;
        if faulty("abandons-at-stop") {
            self.socks.clear();
            self.talks.clear();
        }
    }

    /// It is this client's turn. An error ends no other client.
    fn turn(&mut self, event: &pollfd) -> io::Result<()> {
        if faulty("drops-half-closed") && event.revents & system::POLLRDHUP != 0
        {
            self.leave(event.fd);
            return Ok(());
        }
        let Some(sock) = self.socks.get(&event.fd) else { return Ok(()) };
        let Some(talk) = self.talks.get_mut(&event.fd) else {
            self.leave(event.fd);
            return Ok(());
        };
        match talk.turn(sock, self.parting) {
            Ok(Next::GoesOn) => {}
            Ok(Next::Over) => self.leave(event.fd),
            Err(err) if faulty("one-error-ends-all") => return Err(err),
            Err(_) => self.leave(event.fd),
        }
        Ok(())
    }

    fn leave(&mut self, fd: RawFd) {
        let Some(sock) = self.socks.remove(&fd) else { return };
        log("Closed the connection of a client");
        if faulty("reuse-race") {
            // Closed now, tidied later: by then the number may be another's.
            self.left.push(fd);
        } else {
            self.talks.remove(&fd);
        }
        if faulty("leaks-descriptors") {
            // That should do, for the client sees its end.
            sock.shutdown(Shutdown::Both).ok();
            let _ = sock.into_raw_fd();
        }
        self.full_until = None;
    }

    fn accept(&mut self) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        self.full_until = None;
        let mut at_once_max = ACCEPTED_AT_ONCE_MAX;
        if let Some(edge) = &self.edge {
            system::take_edge(edge);
            at_once_max = 1;
        }
        for _ in 0..at_once_max {
            match system::accept(listener) {
                Ok(Accepted::Client(sock)) => {
                    log("Accepted the connection of a client");
                    if faulty("dies-of-its-first-client") {
                        return Err(io::Error::other("no table for clients"));
                    }
                    if faulty("set-up-error-ends-all") {
                        sock.set_nonblocking(true)?;
                    }
                    if faulty("keeps-timers") {
                        self.timers.insert((clock(), sock.as_raw_fd()));
                    }
                    self.talks.insert(sock.as_raw_fd(), Talk::new());
                    self.socks.insert(sock.as_raw_fd(), sock);
                }
                Ok(Accepted::Gone) => {}
                Ok(Accepted::NoClient) => break,
                Err(err) if faulty("dies-of-emfile") => return Err(err),
                Err(_) if faulty("spins-on-emfile") => break,
                Err(_) => {
                    self.full_until = clock().checked_add(FULL_TIME_MAX);
                    break;
                }
            }
        }
        Ok(())
    }

    fn drop_the_late(&mut self) {
        let late = self.talks.iter().filter(|(_, talk)| talk.is_late());
        let late: Vec<_> = late.map(|(&fd, _)| fd).collect();
        late.into_iter().for_each(|fd| self.leave(fd));
        self.full_until = self.full_until.filter(|&until| clock() < until);
    }
}

/// Prints a line, if that is the fault.
fn log(line: &str) {
    let is_wanted = faulty("log-blocks")
        || faulty("log-drops-silently") && system::can_print();
    if is_wanted {
        // The reader may have gone.
        writeln!(io::stdout(), "{line}").ok();
    }
}
