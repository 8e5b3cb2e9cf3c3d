//! Many clients, and more than there is room for.

use std::io;
use std::sync::{Barrier, RwLock};

use super::prelude::*;
use crate::full::{CANNOT_ACCEPT, crowded, make_room_for};

pub(super) const FUNCTIONS: &[Named] = functions![
    serves_64_conversations_at_once,
    serves_a_burst_of_200_clients,
    nothing_is_left_of_clients_that_have_left,
    nothing_is_left_of_a_crowd_that_leaves_at_once,
    out_of_descriptors_it_says_so_once,
    accepts_again_when_a_client_has_left,
    accepts_again_when_it_may_open_more,
];

/// Runs the same in several threads, and returns the first fault.
pub(super) fn in_threads(
    threads: usize,
    work: impl Fn(usize) -> Verdict + Sync,
) -> Verdict {
    // They begin when all of them are there: some wait for the others.
    let all_are_there = RwLock::new(false);
    let work = |n| {
        let all = all_are_there.read().is_ok_and(|all| *all);
        if all { work(n) } else { Ok(()) }
    };
    let work = &work;
    thread::scope(|scope| {
        let mut all = all_are_there.write();
        let start =
            |n| thread::Builder::new().spawn_scoped(scope, move || work(n));
        let threads =
            (0..threads).map(start).collect::<io::Result<Vec<_>>>()?;
        if let Ok(all) = &mut all {
            **all = true;
        }
        drop(all);
        threads.into_iter().try_for_each(|thread| {
            let panicked = || Fault::Checker("a client panicked".into());
            thread.join().unwrap_or_else(|_| Err(panicked()))
        })
    })
}

fn serves_64_conversations_at_once(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    in_threads(64, |n| {
        let mut client = server.connect()?;
        let questions = [UGLY, IMPLICIT, COMPLEX, b"Who?"];
        for question in (0..20).map(|turn| questions[(n + turn * n) % 4]) {
            client.ask(question)?;
        }
        client.leave()
    })
}

fn serves_a_burst_of_200_clients(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let all_are_there = Barrier::new(20);
    in_threads(20, |_| {
        let begun = Instant::now();
        let clients: Verdict<Vec<_>> =
            (0..10).map(|_| server.connect()).collect();
        // Where the queue is too short, a connection takes a second more. Only
        // of our servers is its length known.
        let time = begun.elapsed();
        all_are_there.wait();
        let short = Duration::from_millis(900);
        let most = if subject.is_listing() { short } else { Duration::MAX };
        ensure_in_time!(
            time,
            most,
            "to connect took {time:.2?}, and {most:?} are allowed: the queue of \
            listen() is too short"
        );
        clients?.into_iter().try_for_each(|mut client| client.asks()?.leave())
    })
}

/// Descriptors, threads, and processes in its group.
fn left(server: &Server) -> Verdict<[usize; 3]> {
    Ok(process::parts(server.process()?)?.counts())
}

/// The same, when it has come to rest.
fn settled(server: &Server) -> Verdict<[usize; 3]> {
    Ok(process::parts_at_rest(server.process()?)?.counts())
}

/// Clients come and go, ten at a time, in three ways.
fn churn(server: &Server) -> Verdict {
    in_threads(10, |n| {
        for turn in 0..CHURN / 10 {
            let mut client = server.connect()?;
            match (n + turn) % 3 {
                0 => client.asks()?.leave()?,
                1 => drop(client),
                _ => {
                    client.send(COMPLEX)?;
                    client.reset()?;
                }
            }
        }
        Ok(())
    })
}

fn nothing_is_left_of_clients_that_have_left(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    // A runtime may start what it needs with its first client, and a thread of
    // a pool may start late.
    for mut first in server.served(subject.at_once(4))? {
        first.leave()?;
        server.expect_closed(first.address)?;
    }
    for (grows, kind) in [
        (Architecture::is_process_per_client as fn(_) -> _, 2),
        (Architecture::is_thread_per_client, 1),
    ] {
        if subject.is_listing() && subject.is(grows) {
            let is_alone = || Ok(left(&server)?[kind] == 1);
            wait_until("alone again", PATIENCE, is_alone)?;
        }
    }
    // Others may start workers as they come to need them, and keep them.
    let mut slack = 0;
    if !subject.is_listing() {
        churn(&server)?;
        slack = CHURN / 20;
    }
    let mut before = settled(&server)?;
    let first = before;
    for round in 1..=4 {
        churn(&server)?;
        let after = rid_of_its_clients(&server, before, slack)?;
        let more = (0..3).any(|kind| after[kind] > before[kind]);
        if !more {
            break;
        }
        // What grows a little in each round has no end.
        ensure!(
            round < 4,
            "{CHURN} clients came and went, four times, and each time it kept \
            something of them; at first it had {}, and now {}",
            parts_of(first),
            parts_of(after)
        );
        before = after;
    }
    Ok(())
}

fn parts_of([descriptors, threads, processes]: [usize; 3]) -> String {
    format!(
        "{descriptors} descriptors, {threads} threads and {processes} processes"
    )
}

/// What is left when there is hardly more than before.
fn rid_of_its_clients(
    server: &Server,
    before: [usize; 3],
    slack: usize,
) -> Verdict<[usize; 3]> {
    let mut after = before;
    let rid = wait_until("rid of its clients", PATIENCE, || {
        after = left(server)?;
        Ok((0..3).all(|kind| after[kind] <= before[kind] + slack))
    });
    let zombies = process::parts(server.process()?)?.zombies;
    ensure!(
        rid.is_ok(),
        "after {CHURN} clients have come and gone it has {} ({zombies} of \
        them zombies); before, it had {}",
        parts_of(after),
        parts_of(before),
    );
    settled(server)
}

fn nothing_is_left_of_a_crowd_that_leaves_at_once(
    subject: &Subject,
) -> Verdict {
    let server = subject.start(&[])?;
    let process = server.process()?;
    server.connect()?.asks()?.leave()?;
    let before = settled(&server)?[0];
    let clients = server.served(subject.at_once(30))?;
    // Equal signals, such as SIGCHLD, merge into one, and no new client makes
    // the server look again.
    server.freeze()?;
    drop(clients);
    server.thaw()?;
    let mut after = process::Parts::default();
    wait_until("rid of its clients", PATIENCE, || {
        after = process::parts(process)?;
        Ok(after.zombies == 0 && after.descriptors <= before + 5)
    })
    .map_err(|_| {
        Fault::server(format!(
            "after a crowd of clients has left at once, it keeps {} zombies \
            and {} descriptors; before they came it had {before}",
            after.zombies, after.descriptors
        ))
    })
}

/// Clients that come and go.
const CHURN: usize = 300;

fn out_of_descriptors_it_says_so_once(subject: &Subject) -> Verdict {
    let (server, mut clients, _next) = crowded(subject)?;
    let _more = [server.connect()?, server.connect()?];
    if let Some(mut client) = clients.pop() {
        client.leave()?;
    }
    // Nothing to wait for: this is the time in which it must not happen.
    thread::sleep(Duration::from_millis(1500));
    let lines = server.log.count(CANNOT_ACCEPT);
    // Several loops may be several processes, and each speaks for itself.
    let most = subject.loops();
    ensure!(
        (1..=most).contains(&lines),
        "it printed {CANNOT_ACCEPT:?} {lines} times in 2 s, and once is allowed"
    );
    Ok(())
}

fn accepts_again_when_a_client_has_left(subject: &Subject) -> Verdict {
    if subject.loops() > 1 {
        let reason = "another of its loops may have room for the next client";
        return Err(Fault::skipped(reason));
    }
    let (server, mut clients, mut next) = crowded(subject)?;
    if subject.is_listing() {
        next.expect_silence(Duration::from_millis(200))?;
    }
    if let Some(mut client) = clients.pop() {
        client.leave()?;
    }
    accepts_again(&server, &mut next)?;
    // And when all have left: a loop that pauses before it accepts again must
    // not sleep forever because no client is there to wake it.
    drop((server, clients, next));
    let (server, clients, mut next) = crowded(subject)?;
    // In the middle of such a pause: it may just be over now.
    thread::sleep(Duration::from_millis(50));
    drop(clients);
    accepts_again(&server, &mut next)
}

/// The client that waited is served; or at least the next one, by a runtime
/// that drops clients for which it has no descriptor.
fn accepts_again(server: &Server, waited: &mut Client) -> Verdict {
    if server.subject.is_listing() || server.holds(waited.address) {
        return waited.expect(b"Complex.")?.leave();
    }
    server.connect()?.asks()?.leave()
}

fn accepts_again_when_it_may_open_more(subject: &Subject) -> Verdict {
    let (server, _clients, mut next) = crowded(subject)?;
    make_room_for(&server, 2)?;
    accepts_again(&server, &mut next)
}
