//! What a server *is*, from what the kernel tells of it while clients are
//! silent. Its code is not looked at.

use std::time::{Duration, Instant};

use zen_harness::proc::{self, End};
use zen_harness::{strace, system};

use crate::client::Client;
use crate::contract::COMPLEX;
use crate::outcome::{Crowd, Observation};
use crate::process;
use crate::server::{How, Server};
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict};

/// How many clients are silent, one crowd after another.
const CROWDS: [usize; 4] = [0, 1, 5, 50];

/// A client that is not answered in this time waits for a silent one. It is
/// long enough to start a process on a busy machine.
const ANSWER_TIME_MAX: Duration = Duration::from_millis(1000);

/// Looks once, and remembers; None where nothing can be seen.
pub(crate) fn observation(subject: &Subject) -> Option<&Observation> {
    let look = || crowds(subject).ok();
    subject.known.observation.get_or_init(look).as_ref()
}

/// Looks beforehand, while cases run, at what does not depend on them.
pub(crate) fn look_ahead(subject: &Subject) {
    observation(subject);
    stalls(subject);
}

/// The same in words, with what else there is to say.
pub(crate) fn describe(subject: &Subject) -> Option<Observation> {
    let mut observation = observation(subject)?.clone();
    observation.notes = notes(subject, &observation.crowds);
    observation.verdict = verdict(subject, &observation.crowds);
    Some(observation)
}

fn crowds(subject: &Subject) -> Verdict<Observation> {
    let server = subject.start(&[])?;
    let mut observation = Observation::default();
    let mut silent: Vec<Client> = Vec::new();
    for clients in CROWDS {
        while silent.len() < clients {
            let client = server.connect()?;
            wait_for_accept(&server, &client);
            silent.push(client);
        }
        let next_is_answered = Some(next_is_answered(&server)?);
        let parts = server.process().and_then(process::parts_at_rest).ok();
        // A case that takes too long on a busy machine is killed.
        if parts.is_some_and(|parts| parts.processes == 0) {
            return Err(Fault::Checker("there is no server any more".into()));
        }
        observation.crowds.push(Crowd {
            clients,
            threads: parts.map(|parts| parts.threads),
            processes: parts.map(|parts| parts.processes),
            descriptors: parts.map(|parts| parts.descriptors),
            memory_bytes: parts.map(|parts| parts.memory_bytes),
            next_is_answered,
        });
    }
    Ok(observation)
}

/// A client that is not accepted soon may never be.
fn wait_for_accept(server: &Server, client: &Client) {
    let deadline = Instant::now() + Duration::from_millis(20);
    while Instant::now() < deadline
        && proc::server_end(server.address, client.address) == Some(End::Queued)
    {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether one more client gets an answer. It leaves again.
fn next_is_answered(server: &Server) -> Verdict<bool> {
    let mut next = server.connect()?;
    next.send(COMPLEX)?;
    let answered = next.hears(ANSWER_TIME_MAX);
    if answered {
        next.stop_sending()?.rest(ANSWER_TIME_MAX).ok();
    }
    Ok(answered)
}

/// How a number grows from the crowd of one to the crowd of fifty.
pub(crate) fn growth(
    crowds: &[Crowd],
    number: fn(&Crowd) -> Option<usize>,
) -> Option<usize> {
    let (first, last) = (number(crowds.get(1)?)?, number(crowds.last()?)?);
    Some(last.saturating_sub(first))
}

/// More than every fifth client has one of its own.
pub(crate) fn grows(
    crowds: &[Crowd],
    number: fn(&Crowd) -> Option<usize>,
) -> bool {
    growth(crowds, number).is_some_and(|more| more >= 10)
}

fn count(number: Option<usize>, one: &str, many: &str) -> String {
    match number.unwrap_or(0) {
        1 => format!("one {one}"),
        number => format!("{number} {many}"),
    }
}

fn verdict(subject: &Subject, crowds: &[Crowd]) -> String {
    let at_once = subject.served_at_once();
    let last = crowds.last().cloned().unwrap_or_default();
    let what = if crowds.iter().all(|crowd| crowd.threads.is_none()) {
        "its threads and processes cannot be seen here".into()
    } else if grows(crowds, |crowd| crowd.processes) {
        "it is a process for each client".into()
    } else if grows(crowds, |crowd| crowd.threads) {
        "it is a thread for each client".into()
    } else {
        match at_once {
            Some(1) => "it is a server for one client at a time".into(),
            Some(n) => format!("it is a pool that serves {n} at a time"),
            None => format!(
                "it is an event loop, with {} in {} however many clients are \
                silent",
                count(last.threads, "thread", "threads"),
                count(last.processes, "process", "processes"),
            ),
        }
    };
    let who = match at_once {
        None => "no silent client makes another one wait".into(),
        Some(1) => "a single silent client makes all others wait".into(),
        Some(n) => format!("{n} silent clients make all others wait"),
    };
    format!("As the kernel sees it, {what}; {who}.")
}

fn notes(subject: &Subject, crowds: &[Crowd]) -> Vec<String> {
    let stalls = stalls(subject).map(|stalls| {
        let others = match stalls {
            true => "all other clients wait",
            false => "others are answered",
        };
        format!("While one answer is worked out (--think), {others}.")
    });
    let memory = |crowd: Option<&Crowd>| crowd?.memory_bytes;
    let first = memory(crowds.get(1));
    let memory = first.zip(memory(crowds.last())).map(|(first, last)| {
        let each = match last.saturating_sub(first) / 49 / 1024 {
            0 => "less than 1 KiB".to_string(),
            each => format!("about {each} KiB"),
        };
        format!("Each silent client costs it {each} of its own memory.")
    });
    let calls = calls_an_answer(subject).map(|calls| {
        format!(
            "It makes {calls:.1} system calls for each answer to one client \
            that asks alone."
        )
    });
    [stalls, memory, calls].into_iter().flatten().collect()
}

/// How long an answer is made to take: long enough that a busy machine does not
/// delay one by as much.
const THINK: Duration = Duration::from_millis(500);

/// Whether one slow answer makes another client wait, if it can have two. Looks
/// once, and remembers.
fn stalls(subject: &Subject) -> Option<bool> {
    *subject.known.stalls.get_or_init(|| thinks_in_turn(subject).ok())
}

fn thinks_in_turn(subject: &Subject) -> Verdict<bool> {
    if subject.at_once(2) < 2 {
        return Err(Fault::skipped("it serves one client at a time"));
    }
    let think = THINK.as_millis().to_string();
    let server = subject.start(&["--think", &think])?;
    let mut clients = [server.connect()?, server.connect()?];
    for client in &clients {
        server.expect_accepted(client.address)?;
    }
    let asked = Instant::now();
    for client in &mut clients {
        client.send(COMPLEX)?;
    }
    for client in &mut clients {
        client.expect(b"Complex.")?;
    }
    Ok(asked.elapsed() >= 2 * THINK - Duration::from_millis(10))
}

/// Answers in the longer one of two runs; there are none in the other.
const ANSWERS: usize = 200;

/// How many system calls a server makes for each answer to a client that asks
/// one question at a time, or None where they cannot be counted.
fn calls_an_answer(subject: &Subject) -> Option<f64> {
    strace::version().ok()?;
    let without = calls(subject, 0).ok()?;
    let with = calls(subject, ANSWERS).ok()?.checked_sub(without)?;
    (without > 0).then_some(with as f64 / ANSWERS as f64)
}

/// The calls of a whole run, from its start to its end.
fn calls(subject: &Subject, answers: usize) -> Verdict<u64> {
    // A file would stay behind if this process were ended.
    let runner = strace::counting("/dev/stderr");
    let mut server =
        Server::start_as(subject, How { runner: &runner, ..How::default() })?;
    let mut client = server.connect()?;
    client.asks()?;
    for _ in 0..answers {
        client.asks()?;
        // A traced server is slow: without this pause, the next question would
        // arrive before the server waits for it.
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(client);
    // strace, which is in another group, writes down what it has counted when
    // the server has ended.
    server.signal_all(system::SIGKILL)?;
    let errors = server.take_errors()?.join("\n");
    Ok(strace::counts(&errors).unwrap_or_default().values().sum())
}
