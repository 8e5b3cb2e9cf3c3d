//! Many clients that are ready at the same moment, and many that have left:
//! neither may change what becomes of the others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use zen_harness::{proc, system};

use super::crowd::in_threads;
use super::prelude::*;
use crate::client::{connected, is_timeout};
use crate::observe::{grows, observation};

pub(super) const FUNCTIONS: &[Named] = functions![
    answers_thousands_that_ask_at_the_same_moment,
    a_flood_does_not_stop_the_idle_clock,
    a_flood_delays_no_thought,
    silent_clients_do_not_wake_it,
    clients_that_have_left_cost_no_memory,
];

/// Clients of a flood: more than the 1,024 events that a loop usually takes
/// from its poller at once.
const FLOOD: usize = 1400;

/// Clients that ask at the same moment: more than any queue of completions or
/// events is likely to hold.
const ASKERS: usize = 6000;

/// Of these the machine, not the server, has to bear the price of each.
const THREADS_MAX: usize = 200;
const PROCESSES_MAX: usize = 39;

/// Descriptors that this process and a server need beside their clients.
const OTHER_DESCRIPTORS: u64 = 300;

/// A flood ends after this time and this many bytes at the latest.
const FLOOD_TIME_MAX: Duration = Duration::from_secs(12);
const FLOOD_BYTES_MAX: usize = 8 << 30;

/// Long enough for a busy machine to connect them all before the first is late.
const IDLE_OPTION: [&str; 2] = ["--idle-timeout", "1.5"];

/// So all clients of a flood are late after this time, and have to be gone
/// after the other.
const LATE_TIME: Duration = Duration::from_millis(2500);
const DROP_TIME_MAX: Duration = Duration::from_millis(3500);

/// A server that has used this much processor time and has done nothing of what
/// was due has had many turns to do it in, however busy the machine is.
const CPU_TIME_MAX: Duration = Duration::from_secs(1);

/// How many clients to bring: fewer where each costs a thread or a process. Of
/// a server of which nothing is known, that is seen.
fn crowd_for(subject: &Subject, most: usize) -> Verdict<usize> {
    let each = match subject.architecture {
        Some(Architecture::ThreadPerClient) => THREADS_MAX,
        Some(it) if it.is_process_per_client() => PROCESSES_MAX,
        // Each loop has its share of them.
        Some(it) => (it.loops().min(2) * most).min(ASKERS),
        None => match observation(subject).map(|it| &*it.crowds) {
            Some(crowds) if grows(crowds, |it| it.processes) => PROCESSES_MAX,
            Some(crowds) if grows(crowds, |it| it.threads) => THREADS_MAX,
            _ => most,
        },
    };
    let clients = subject.at_once(each);
    system::raise_own_descriptor_limit(clients as u64 + OTHER_DESCRIPTORS)?;
    Ok(clients)
}

/// Waits until no client is left in the queue of the listener.
fn expect_all_accepted(server: &Server) -> Verdict {
    let port = server.address.port();
    wait_until("accepted all its clients", PATIENCE, || {
        Ok(proc::queued(port) == 0)
    })
}

/// Clients that send white space over and over. That completes no question, so
/// an idle timeout drops them, and until then they are always ready.
struct Flood {
    socks: Vec<TcpStream>,
    begun: Instant,
    stop: AtomicBool,
}

impl Flood {
    fn connect(server: &Server, clients: usize) -> Verdict<Self> {
        let to = server.address;
        let connect = |_| connected(to, system::connect_to_flood(to));
        let socks = (0..clients).map(connect).collect::<Verdict<_>>()?;
        expect_all_accepted(server)?;
        Ok(Self { socks, begun: Instant::now(), stop: false.into() })
    }

    /// Sends in a thread of its own while `watch` looks on: a watcher that
    /// sleeps most of the time is not starved by what it watches.
    fn while_it_lasts<T>(&self, watch: impl FnOnce() -> T) -> Verdict<T> {
        thread::scope(|scope| {
            thread::Builder::new().spawn_scoped(scope, || self.send())?;
            let result = watch();
            self.stop.store(true, Ordering::Relaxed);
            Ok(result)
        })
    }

    fn send(&self) {
        let spaces = [b' '; 1 << 14];
        let mut socks: Vec<_> = self.socks.iter().collect();
        let mut bytes = 0;
        while !self.stop.load(Ordering::Relaxed)
            && self.begun.elapsed() < FLOOD_TIME_MAX
            && bytes < FLOOD_BYTES_MAX
        {
            // Each sends as much as it can at once. One that the server has
            // dropped meets an error.
            socks.retain_mut(|sock| match sock.write(&spaces) {
                Ok(n) => {
                    bytes += n;
                    true
                }
                Err(err) => is_timeout(err.kind()),
            });
            // They have sent more than the server receives in this time, and
            // it needs a processor.
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// How many are still connected, as their sockets say: on a busy machine
    /// the sender needs seconds to go through all of them.
    fn left(&self) -> usize {
        let is_connected = |mut sock: &TcpStream| match sock.read(&mut [0; 64])
        {
            Ok(n) => n > 0,
            Err(err) => is_timeout(err.kind()),
        };
        self.socks.iter().filter(|sock| is_connected(sock)).count()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        // Else thousands of connections would linger in the system's tables.
        self.socks.iter().for_each(reset);
    }
}

fn reset(sock: &TcpStream) {
    system::reset_on_close(sock).ok();
}

fn a_flood_does_not_stop_the_idle_clock(subject: &Subject) -> Verdict {
    let clients = crowd_for(subject, FLOOD)?;
    let server = subject.start(&IDLE_OPTION)?;
    let mut silent: Vec<_> = (1..clients.min(2))
        .map(|_| server.connect())
        .collect::<Verdict<_>>()?;
    let flood = Flood::connect(&server, clients - silent.len())?;
    flood.while_it_lasts(|| expect_all_dropped(&server, &flood))??;
    silent.iter_mut().try_for_each(|client| client.rest(PATIENCE).map(drop))
}

/// What a server has used since some moment, if that can be seen.
fn used(server: &Server, before: Option<Duration>) -> Option<Duration> {
    let before = before?;
    process::cpu_time(server.process().ok()?).ok()?.checked_sub(before)
}

/// Late by this, unless it had the processor and did something else with it.
fn blamed(used: Option<Duration>, late: Duration, what: String) -> Fault {
    match used {
        Some(used) if used >= CPU_TIME_MAX => Fault::certain(what),
        _ => Fault::late(late, what),
    }
}

fn expect_all_dropped(server: &Server, flood: &Flood) -> Verdict {
    let mut at_late = None;
    loop {
        thread::sleep(Duration::from_millis(10));
        let (time, left) = (flood.begun.elapsed(), flood.left());
        if left == 0 {
            return Ok(());
        }
        if at_late.is_none() && time >= LATE_TIME {
            at_late = used(server, Some(Duration::ZERO));
        }
        let used = used(server, at_late);
        let is_certain = used.is_some_and(|used| used >= CPU_TIME_MAX);
        if time >= FLOOD_TIME_MAX || time >= DROP_TIME_MAX && is_certain {
            let what = format!(
                "{} clients send white space and ask nothing: with \
                --idle-timeout 1.5, {left} of them are still connected after \
                {time:.1?}",
                flood.socks.len()
            );
            return Err(blamed(used, time - DROP_TIME_MAX, what));
        }
    }
}

fn a_flood_delays_no_thought(subject: &Subject) -> Verdict {
    let clients = crowd_for(subject, FLOOD)?;
    let server = subject.start(&["--think", "50"])?;
    let mut asks = server.connect()?;
    asks.asks()?;
    let flood = Flood::connect(&server, clients - 1)?;
    let (answered, used) = flood.while_it_lasts(|| {
        // Until every client of the flood is ready all the time.
        thread::sleep(Duration::from_millis(100));
        let before = used(&server, Some(Duration::ZERO));
        let left = FLOOD_TIME_MAX.saturating_sub(flood.begun.elapsed());
        let answered = asks.send(COMPLEX).is_ok() && asks.hears(left * 9 / 10);
        (answered, used(&server, before))
    })?;
    let what = format!(
        "while {} other clients send white space, a question is not answered \
        with --think 50",
        clients - 1
    );
    match answered {
        true => Ok(()),
        false => Err(blamed(used, FLOOD_TIME_MAX / 2, what)),
    }
}

fn answers_thousands_that_ask_at_the_same_moment(subject: &Subject) -> Verdict {
    let count = crowd_for(subject, ASKERS)?;
    let server = subject.start(&[])?;
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..count {
        clients.push(server.connect()?);
    }
    expect_all_accepted(&server)?;
    server.freeze()?;
    for client in &mut clients {
        client.send(COMPLEX)?;
    }
    server.thaw()?;
    let all = clients.iter_mut();
    let answered = all.map(|client| client.expect(b"Complex.").map(drop));
    let verdict = answered.collect::<Verdict<()>>().map_err(|fault| {
        fault.after(&format!("one of {count} clients that asked at once"))
    });
    let sleeps = verdict.is_err() && is_asleep(&server).unwrap_or(false);
    clients.iter().for_each(|client| reset(&client.sock));
    match verdict {
        // It is not slow: it does not know that there is something to do.
        Err(fault) if sleeps => Err(fault.for_certain()),
        verdict => verdict,
    }
}

fn is_asleep(server: &Server) -> Verdict<bool> {
    let threads = process::threads(server.process()?)?;
    Ok(threads.values().all(|thread| !thread.awake))
}

fn silent_clients_do_not_wake_it(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let process = server.process()?;
    let _silent = server.served(subject.at_once(2))?;
    process::come_to_rest(process)?;
    // Twice is allowed.
    let asleep = process::stays_asleep(process, Duration::from_secs(4), 3);
    asleep.map_err(|fault| {
        fault.after("with silent clients, and without --idle-timeout")
    })
}

fn clients_that_have_left_cost_no_memory(subject: &Subject) -> Verdict {
    /// In each round; less than a timer, or an entry in a table, takes.
    const BYTES_MAX: u64 = 16;
    const ROUNDS: usize = 12;
    let server = subject.start(&["--idle-timeout", "3600"])?;
    let process = server.process()?;
    let by_process = subject.is(Architecture::is_process_per_client);
    let clients = if by_process { 400 } else { 2000 };
    let mut before = None;
    let mut each = 0;
    // Memory is taken in large pieces, and what a server needs at first is not
    // known: a pool of four threads may take more in each of six rounds. So one
    // round without growth is enough.
    for _ in 0..ROUNDS {
        come_and_go(&server, clients)?;
        let after = process::parts_at_rest(process)?.memory_bytes;
        if let Some(before) = before.replace(after) {
            each = after.saturating_sub(before) / clients as u64;
            if each <= BYTES_MAX {
                return Ok(());
            }
        }
    }
    Err(Fault::server(format!(
        "{clients} clients came and went, {ROUNDS} times, and each time its \
        memory grew: in the last round by {each} bytes for each of them"
    )))
}

/// This many clients, four at a time; most leave with a reset, which leaves
/// nothing in the system's tables.
fn come_and_go(server: &Server, clients: usize) -> Verdict {
    in_threads(4, |_| {
        for turn in 0..clients / 4 {
            let mut client = server.connect()?;
            client.asks()?;
            match turn % 8 {
                0 => client.leave()?,
                _ => client.reset()?,
            }
        }
        Ok(())
    })
}
