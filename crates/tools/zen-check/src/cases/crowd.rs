//! Many clients, and more than there is room for.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use zen_harness::system;

use crate::architecture::Architecture;
use crate::case::{Case, case};
use crate::client::Client;
use crate::contract::{COMPLEX, IMPLICIT, UGLY, answer};
use crate::process::{self, PATIENCE, wait_until};
use crate::server::Server;
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, ensure, ensure_in_time};

pub(super) const CASES: &[Case] = &[
    case!("crowd/1", the_second_client_waits_until_the_first_has_left)
        .only(Architecture::is_single, "it serves several at once"),
    case!("crowd/2", the_client_after_the_last_worker_waits)
        .only(Architecture::is_pool, "it is no pool"),
    case!("crowd/3", no_silent_client_makes_another_wait).only(
        Architecture::grows_with_its_clients,
        "there they do: crowd/1, 2",
    ),
    case!("crowd/4", serves_64_conversations_at_once),
    case!("crowd/4", keeps_the_begun_questions_of_its_clients_apart).for_two(),
    case!("crowd/4", serves_a_burst_of_200_clients).alone(),
    case!("crowd/4", serves_200_clients_that_stay).alone(),
    case!("crowd/4", a_client_that_never_stops_asking_leaves_room_for_others)
        .for_two(),
    case!("crowd/5", nothing_is_left_of_clients_that_have_left),
    case!("crowd/5", nothing_is_left_of_a_crowd_that_leaves_at_once),
    case!("crowd/6", out_of_descriptors_it_serves_connected_clients).for_two(),
    case!("crowd/6", a_client_that_is_gone_before_its_turn_harms_no_other),
    case!("crowd/7", out_of_descriptors_it_says_so_once),
    case!("crowd/8", out_of_descriptors_it_burns_no_processor_time),
    case!("crowd/9", accepts_again_when_a_client_has_left).for_two(),
    case!("crowd/9", accepts_again_when_it_may_open_more),
];

/// As many silent clients as it serves at once, then one that waits.
fn the_next_one_waits(subject: &Subject, at_once: usize) -> Verdict {
    let server = subject.start(&[])?;
    let mut clients = server.accepted(at_once)?;
    let mut next = server.connect()?;
    next.send(COMPLEX)?;
    if next.hears(Duration::from_millis(400)) {
        return Err(next.fault(&format!(
            "this client was answered while {at_once} others were silent: it \
            serves more than {at_once} at a time"
        )));
    }
    clients.swap_remove(at_once / 2).leave()?;
    next.expect(b"Complex.")?.leave()
}

fn the_second_client_waits_until_the_first_has_left(
    subject: &Subject,
) -> Verdict {
    the_next_one_waits(subject, 1)
}

fn the_client_after_the_last_worker_waits(subject: &Subject) -> Verdict {
    the_next_one_waits(subject, subject.at_once(usize::MAX))
}

fn no_silent_client_makes_another_wait(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let mut clients = Vec::new();
    for _ in 1..subject.at_once(50) {
        let mut client = server.connect()?;
        client.send(b"Simple is")?;
        clients.push(client);
    }
    server.connect()?.asks()?.leave()?;
    for mut client in clients {
        client.send(b" better than?")?.expect(b"Complex.")?.leave()?;
    }
    Ok(())
}

/// Runs the same in several threads, and returns the first fault.
pub(super) fn in_threads(
    threads: usize,
    work: impl Fn(usize) -> Verdict + Sync,
) -> Verdict {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..threads).map(|n| scope.spawn(move || work(n))).collect();
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

fn keeps_the_begun_questions_of_its_clients_apart(
    subject: &Subject,
) -> Verdict {
    let server = subject.start(&[])?;
    let questions = [UGLY, IMPLICIT, COMPLEX, b"Who are you?"];
    let mut clients = VecDeque::new();
    for n in 0..subject.at_once(20) {
        let mut client = server.connect()?;
        let question = questions[n % 4];
        let (begun, rest) = question.split_at(3 + n % 8);
        client.send(begun)?;
        clients.push_back((client, question, rest));
    }
    // The last one ends its question, then the first, and so on: if a table
    // closes the gaps behind clients that leave, other clients move in it.
    while let Some((mut client, question, rest)) = clients.pop_back() {
        client.send(rest)?.expect(answer(question))?.leave()?;
        let Some((mut client, question, rest)) = clients.pop_front() else {
            break;
        };
        client.send(rest)?.expect(answer(question))?.leave()?;
    }
    Ok(())
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
            "to connect took {time:.2?}: the queue of listen() is too short"
        );
        clients?.into_iter().try_for_each(|mut client| client.asks()?.leave())
    })
}

fn serves_200_clients_that_stay(subject: &Subject) -> Verdict {
    if subject.at_once(200) < 200 {
        return Err(Fault::skipped("it serves fewer at once"));
    }
    let server = subject.start(&[])?;
    let clients: Verdict<Vec<_>> = (0..200).map(|_| server.connect()).collect();
    let mut clients = clients?;
    clients.iter_mut().try_for_each(|client| client.asks().map(drop))?;
    clients.iter_mut().try_for_each(Client::leave)
}

fn a_client_that_never_stops_asking_leaves_room_for_others(
    subject: &Subject,
) -> Verdict {
    let server = subject.start(&[])?;
    let (asks, mut other) = (server.connect()?, server.connect()?);
    thread::scope(|scope| {
        // Both end with their connection, below.
        let (mut to, mut from) = (&asks.sock, &asks.sock);
        let many = subject.dialect.said(&[b'?'; 5000]).into_owned();
        scope.spawn(move || while to.write_all(&many).is_ok() {});
        scope.spawn(move || io::copy(&mut from, &mut io::sink()));
        let begun = Instant::now();
        // Few, so that none is blamed for a turn that is slow, but comes.
        let verdict = (0..5).try_for_each(|turn| {
            other.asks()?;
            ensure_in_time!(
                begun.elapsed(),
                PATIENCE,
                "while one client asks without end, another one has got only \
                {turn} of 5 answers in {} s",
                PATIENCE.as_secs()
            );
            Ok(())
        });
        asks.sock.shutdown(std::net::Shutdown::Both).ok();
        drop(server);
        verdict
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
        server.expect_closed(&first)?;
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
            something of them; now it has {}",
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

/// A server that can open this many more descriptors, and no more.
fn with_room_for(subject: &Subject, clients: usize) -> Verdict<Server<'_>> {
    let server = subject.start(&[])?;
    let mut first = server.connect()?;
    first.asks()?.leave()?;
    server.expect_closed(&first)?;
    make_room_for(&server, clients)?;
    Ok(server)
}

fn make_room_for(server: &Server, clients: usize) -> Verdict {
    process::family(server.process()?)?
        .into_iter()
        .try_for_each(|process| limit_to(process, clients))
}

/// Lets a process open this many more descriptors, and no more.
fn limit_to(process: u32, clients: usize) -> Verdict {
    let mut open = Vec::new();
    // The first client's descriptor may be open for a moment yet.
    wait_until("rid of its first client", PATIENCE, || {
        let before =
            std::mem::replace(&mut open, process::descriptors(process)?);
        thread::sleep(Duration::from_millis(20));
        Ok(open == before)
    })?;
    let mut limit = 0;
    let mut free = 0;
    while free < clients || open.contains(&limit) {
        free += usize::from(!open.contains(&limit));
        limit += 1;
    }
    Ok(system::limit_descriptors(process, limit)?)
}

/// Clients that come and go.
const CHURN: usize = 300;

const CANNOT_ACCEPT: &str = "Cannot accept: ";

fn expect_cannot_accept(server: &Server) -> Verdict {
    let error = std::io::Error::from_raw_os_error(system::EMFILE);
    server.expect_line(&format!(
        "{CANNOT_ACCEPT}{error}; waiting for a client to leave"
    ))
}

/// A server out of descriptors: those that it serves, and one that waits.
pub(super) type Crowded<'a> = (Server<'a>, Vec<Client>, Client);

pub(super) fn crowded(subject: &Subject) -> Verdict<Crowded<'_>> {
    let room = subject.at_once(4) - 1;
    let server = with_room_for(subject, room)?;
    // A thread that waits in accept() already has the descriptor for its next
    // client, so that the limit is felt only by the client after that.
    let mut clients = Vec::new();
    if !subject.is_listing() {
        return crowd_in(server, room);
    }
    let mut waiting = None;
    while server.log.count(CANNOT_ACCEPT) == 0 {
        if waiting.is_none() {
            if clients.len() > room {
                clients.clear();
            }
            waiting = Some(server.connect()?);
        }
        if let Some(client) = &mut waiting {
            // Asked again and again: it costs nothing, and needs no memory.
            client.send(b"?")?;
            if client.read_some(1)? > 0 {
                clients.extend(waiting.take());
            }
        }
    }
    expect_cannot_accept(&server)?;
    drop((clients, waiting));
    let clients = server.served(room)?;
    let mut next = server.connect()?;
    next.send(COMPLEX)?;
    Ok((server, clients, next))
}

/// The same where no log tells that accept() has failed: it has when one who
/// asks is not answered, and there are not more clients than there is room
/// for. Those who come first may get in by a descriptor that was set aside.
fn crowd_in(server: Server<'_>, room: usize) -> Verdict<Crowded<'_>> {
    for _ in 0..4 {
        let mut clients = Vec::new();
        while clients.len() < room + 20 {
            let mut client = server.connect()?;
            client.send(COMPLEX)?;
            let patience = Duration::from_millis(300);
            if client.hears(patience) || server.is_slow(&mut client) {
                clients.push(client);
            } else if clients.len() <= room {
                return Ok((server, clients, client));
            } else {
                break;
            }
        }
    }
    Err(Fault::skipped("a client costs it no descriptor that could be lacking"))
}

fn out_of_descriptors_it_serves_connected_clients(
    subject: &Subject,
) -> Verdict {
    let (_server, clients, _next) = crowded(subject)?;
    for mut client in clients {
        client.asks()?.asks()?;
    }
    Ok(())
}

fn a_client_that_is_gone_before_its_turn_harms_no_other(
    subject: &Subject,
) -> Verdict {
    let server = subject.start(&[])?;
    server.freeze()?;
    for _ in 0..5 {
        server.queue_up()?.map(Client::reset).transpose()?;
        drop(server.queue_up()?);
    }
    server.thaw()?;
    server.connect()?.asks()?.leave()
}

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
    ensure!((1..=most).contains(&lines), "said so {lines} times in 2 s");
    Ok(())
}

fn out_of_descriptors_it_burns_no_processor_time(subject: &Subject) -> Verdict {
    let (server, _clients, _next) = crowded(subject)?;
    process::while_idle(server.process()?, || {
        thread::sleep(Duration::from_millis(1000));
        Ok(())
    })
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
    accepts_again(&server, &mut next)
}

/// The client that waited is served; or at least the next one, by a runtime
/// that drops clients for which it has no descriptor.
fn accepts_again(server: &Server, waited: &mut Client) -> Verdict {
    if server.subject.is_listing() || server.holds(waited) {
        return waited.expect(b"Complex.")?.leave();
    }
    server.connect()?.asks()?.leave()
}

fn accepts_again_when_it_may_open_more(subject: &Subject) -> Verdict {
    let (server, _clients, mut next) = crowded(subject)?;
    make_room_for(&server, 2)?;
    accepts_again(&server, &mut next)
}
