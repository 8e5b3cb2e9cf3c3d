//! Many clients, and more than there is room for.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::{Case, case};
use crate::architecture::Architecture;
use crate::conversation::{COMPLEX, Client, IMPLICIT, UGLY};
use crate::process::{self, PATIENCE, wait_until};
use crate::server::Server;
use crate::subject::Subject;
use crate::system;
use crate::verdict::{Fault, Verdict, ensure};

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
    case!("crowd/4", serves_a_burst_of_200_clients).alone(),
    case!("crowd/4", a_client_that_asks_without_end_leaves_room_for_others)
        .only(|server| !server.is_single(), "it serves one at a time"),
    case!("crowd/5", nothing_is_left_of_clients_that_have_left),
    case!("crowd/6", out_of_descriptors_it_serves_whom_it_has).only(
        |server| !server.is_single(),
        "it never has a client when it accepts",
    ),
    case!("crowd/6", a_client_that_is_gone_before_its_turn_harms_nobody),
    case!("crowd/7", out_of_descriptors_it_says_so_once),
    case!("crowd/8", out_of_descriptors_it_burns_no_processor_time),
    case!("crowd/9", accepts_again_when_a_client_has_left).only(
        |server| !server.is_single(),
        "it never has a client when it accepts",
    ),
    case!("crowd/9", accepts_again_when_it_may_open_more),
];

/// As many silent clients as it serves at once, then one that waits.
fn the_next_one_waits(subject: &Subject, at_once: usize) -> Verdict {
    let server = subject.start(&[])?;
    let mut clients = Vec::new();
    for _ in 0..at_once {
        let client = server.connect()?;
        server.expect_accepted(&client)?;
        clients.push(client);
    }
    let mut next = server.connect()?;
    next.send(COMPLEX)?.expect_silence(Duration::from_millis(400))?;
    let mut leaves = clients.swap_remove(at_once / 2);
    leaves.leave()?;
    next.expect(b"Complex.")?.leave()
}

fn the_second_client_waits_until_the_first_has_left(
    subject: &Subject,
) -> Verdict {
    the_next_one_waits(subject, 1)
}

fn the_client_after_the_last_worker_waits(subject: &Subject) -> Verdict {
    the_next_one_waits(subject, subject.architecture.at_once(usize::MAX))
}

fn no_silent_client_makes_another_wait(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let mut clients = Vec::new();
    for _ in 1..subject.architecture.at_once(50) {
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
fn in_threads(
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

fn serves_a_burst_of_200_clients(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    in_threads(20, |_| {
        let begun = Instant::now();
        let clients: Verdict<Vec<_>> =
            (0..10).map(|_| server.connect()).collect();
        // Where the queue is too short, a connection takes a second more.
        let time = begun.elapsed();
        ensure!(time < Duration::from_millis(900), "to connect took {time:?}");
        clients?.into_iter().try_for_each(|mut client| client.asks()?.leave())
    })
}

fn a_client_that_asks_without_end_leaves_room_for_others(
    subject: &Subject,
) -> Verdict {
    let server = subject.start(&[])?;
    let (asks, mut other) = (server.connect()?, server.connect()?);
    thread::scope(|scope| {
        // Both end when the server is killed, below.
        let (mut to, mut from) = (&asks.sock, &asks.sock);
        scope.spawn(move || while to.write_all(&[b'?'; 5000]).is_ok() {});
        scope.spawn(move || io::copy(&mut from, &mut io::sink()));
        let verdict = (0..50).try_for_each(|_| other.asks().map(drop));
        drop(server);
        verdict
    })
}

/// Descriptors, threads, and processes in its group.
fn left(server: &Server) -> Verdict<[usize; 3]> {
    let process = server.process();
    Ok([
        process::descriptors(process)?.len(),
        process::threads(process)?,
        process::group(process)?.len(),
    ])
}

fn nothing_is_left_of_clients_that_have_left(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    // A runtime may start what it needs with its first client, and a thread of
    // a pool may start late.
    for mut first in server.served(subject.architecture.at_once(4))? {
        first.leave()?;
        server.expect_closed(&first)?;
    }
    if subject.architecture.is_process_per_client() {
        wait_until("alone again", PATIENCE, || Ok(left(&server)?[2] == 1))?;
    }
    if subject.architecture.is_thread_per_client() {
        wait_until(
            "one thread again",
            PATIENCE,
            || Ok(left(&server)?[1] == 1),
        )?;
    }
    let before = left(&server)?;
    in_threads(10, |n| {
        for turn in 0..30 {
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
    })?;
    let mut after = before;
    wait_until("rid of its clients", PATIENCE, || {
        after = left(&server)?;
        Ok((0..3).all(|kind| after[kind] <= before[kind]))
    })
    .map_err(|_| {
        let what = "descriptors, threads, processes";
        Fault::Server(format!("{what}: {before:?} before, {after:?} after"))
    })
}

/// A server that has room for so many more descriptors, and no more.
fn with_room_for(subject: &Subject, clients: usize) -> Verdict<Server<'_>> {
    let server = subject.start(&[])?;
    let mut first = server.connect()?;
    first.asks()?.leave()?;
    server.expect_closed(&first)?;
    make_room_for(&server, clients)?;
    Ok(server)
}

fn make_room_for(server: &Server, clients: usize) -> Verdict {
    let process = server.process();
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
    system::limit_descriptors(process, limit)
}

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
    let room = subject.architecture.at_once(4) - 1;
    let server = with_room_for(subject, room)?;
    // A thread that waits in accept() already has the descriptor for its next
    // client, so that the limit is felt only by the client after that.
    let mut clients = Vec::new();
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

fn out_of_descriptors_it_serves_whom_it_has(subject: &Subject) -> Verdict {
    let (_server, clients, _next) = crowded(subject)?;
    for mut client in clients {
        client.asks()?.asks()?;
    }
    Ok(())
}

fn a_client_that_is_gone_before_its_turn_harms_nobody(
    subject: &Subject,
) -> Verdict {
    let server = subject.start(&[])?;
    server.freeze()?;
    for _ in 0..5 {
        server.connect()?.reset()?;
        drop(server.connect()?);
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
    ensure!(lines == 1, "said so {lines} times in 2 s");
    Ok(())
}

fn out_of_descriptors_it_burns_no_processor_time(subject: &Subject) -> Verdict {
    let (server, _clients, _next) = crowded(subject)?;
    process::while_idle(server.process(), || {
        thread::sleep(Duration::from_millis(1000));
        Ok(())
    })
}

fn accepts_again_when_a_client_has_left(subject: &Subject) -> Verdict {
    let (_server, mut clients, mut next) = crowded(subject)?;
    next.expect_silence(Duration::from_millis(200))?;
    if let Some(mut client) = clients.pop() {
        client.leave()?;
    }
    next.expect(b"Complex.")?.leave()
}

fn accepts_again_when_it_may_open_more(subject: &Subject) -> Verdict {
    let (server, _clients, mut next) = crowded(subject)?;
    make_room_for(&server, 2)?;
    next.expect(b"Complex.")?.leave()
}
