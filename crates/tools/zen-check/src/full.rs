//! A server that has no room for another client: its descriptors are used up,
//! or it serves the most that it may.

use std::io;
use std::thread;
use std::time::Duration;

use zen_harness::system;

use crate::client::Client;
use crate::contract::COMPLEX;
use crate::process::{self, PATIENCE, wait_until};
use crate::server::Server;
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, ensure};

pub(crate) const CANNOT_ACCEPT: &str = "Cannot accept: ";

/// A server that can open this many more descriptors, and no more.
fn with_room_for(subject: &Subject, clients: usize) -> Verdict<Server<'_>> {
    let server = subject.start(&[])?;
    let mut first = server.connect()?;
    first.asks()?.leave()?;
    server.expect_closed(first.address)?;
    // On a busy machine a thread of it may only be starting, and would take
    // descriptors that are counted for clients.
    process::come_to_rest(server.process()?)?;
    make_room_for(&server, clients)?;
    Ok(server)
}

pub(crate) fn make_room_for(server: &Server, clients: usize) -> Verdict {
    let mut family = process::family(server.process()?)?.into_iter();
    family.try_for_each(|process| limit_to(process, clients))
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

/// A client that has asked.
fn asking(server: &Server) -> Verdict<Client> {
    let mut client = server.connect()?;
    client.send(COMPLEX)?;
    Ok(client)
}

/// A server out of descriptors: those that it serves, and one that waits.
pub(crate) type Crowded<'a> = (Server<'a>, Vec<Client>, Client);

pub(crate) fn crowded(subject: &Subject) -> Verdict<Crowded<'_>> {
    let room = subject.at_once(4) - 1;
    let server = with_room_for(subject, room)?;
    // A thread that waits in accept() already has the descriptor for its next
    // client, so that the limit is felt only by the client after that.
    let mut clients = Vec::new();
    if !subject.is_listing() {
        return crowd_in(server, room);
    }
    // With more clients than this, one of its processes has no room left.
    let most = room * process::family(server.process()?)?.len();
    let mut waiting = None;
    wait_until("out of descriptors, with too many clients", PATIENCE, || {
        if waiting.is_none() {
            if clients.len() > most {
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
        Ok(server.log.count(CANNOT_ACCEPT) > 0)
    })?;
    let error = io::Error::from_raw_os_error(system::EMFILE);
    server.expect_line(&format!(
        "{CANNOT_ACCEPT}{error}; waiting for a client to leave"
    ))?;
    drop((clients, waiting));
    let clients = server.served(room)?;
    let next = asking(&server)?;
    Ok((server, clients, next))
}

/// The same where no log tells that accept() has failed: it has when one who
/// asks is not answered, and there are not more clients than there is room
/// for. Those who come first may get in by a descriptor that was set aside.
fn crowd_in(server: Server<'_>, room: usize) -> Verdict<Crowded<'_>> {
    for _ in 0..4 {
        let mut clients = Vec::new();
        while clients.len() < room + 20 {
            let mut client = asking(&server)?;
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
    Err(Fault::skipped("a client costs it no descriptor: they cannot run out"))
}

/// Several loops may divide `most` among them: a client may then wait for its
/// own loop although another one has room. So clients come until every loop is
/// full, and some more.
fn expect_the_most_of_loops(server: &Server, most: usize) -> Verdict {
    let (mut served, mut waiting) = (Vec::new(), Vec::new());
    wait_until("serving as many clients as allowed", PATIENCE, || {
        waiting.push(asking(server)?);
        for mut client in std::mem::take(&mut waiting) {
            let heard = client.hears(Duration::from_millis(1));
            if heard { &mut served } else { &mut waiting }.push(client);
        }
        Ok(served.len() >= most)
    })?;
    for _ in 0..20 {
        waiting.push(asking(server)?);
    }
    let number = served.len();
    ensure!(number == most, "{number} clients are served, not {most}");
    let moment = Duration::from_millis(10);
    waiting.iter_mut().try_for_each(|client| client.expect_silence(moment))?;
    served.iter_mut().try_for_each(|client| client.asks().map(drop))?;
    served.iter_mut().try_for_each(Client::leave)?;
    // Those that leave make room, until all have been served.
    waiting
        .iter_mut()
        .try_for_each(|client| client.expect(b"Complex.")?.leave())
}

/// Expects that of `most` clients and one more, the last one waits.
pub(crate) fn expect_the_most(server: &Server, most: usize) -> Verdict {
    if server.subject.loops() > 1 {
        return expect_the_most_of_loops(server, most);
    }
    let mut clients = server.served(most)?;
    let mut next = asking(server)?;
    let waits = || {
        let silence = next.expect_silence(Duration::from_millis(300));
        silence.map_err(|fault| {
            fault.after(&format!("with {most} clients served, one more"))
        })
    };
    match process::while_idle(server.process()?, waits) {
        Err(Fault::Skipped(_)) => {}
        verdict => verdict?,
    }
    server.expect_line(&format!(
        "Serving {most} clients, the most allowed; others wait"
    ))?;
    // Those that are served do not suffer.
    clients.iter_mut().try_for_each(|client| client.asks().map(drop))?;
    clients.swap_remove(most / 2).leave()?;
    next.expect(b"Complex.")?.leave()?;
    // And those that leave make room for others.
    server.connect()?.asks()?.leave()
}

/// Expects that this many clients can wait to be accepted, and no more if it is
/// to be `exactly` as many; where each loop has a queue of its own, they are
/// spread by chance.
pub(crate) fn expect_queue(
    server: &Server,
    number: usize,
    exactly: bool,
) -> Verdict {
    let longest = system::longest_queue().unwrap_or(128);
    let number = number.min(usize::try_from(longest).unwrap_or(usize::MAX));
    let most = if exactly { number * server.subject.loops() } else { number };
    let tries = if exactly { most + 4 } else { most };
    server.freeze()?;
    let patience = Duration::from_millis(300);
    let connect = |_| system::connect(server.address, patience).ok();
    let waiting: Vec<_> = (0..tries).map_while(connect).collect();
    server.thaw()?;
    let waiting = waiting.len();
    ensure!(
        (number..=most).contains(&waiting),
        "{waiting} clients can wait to be accepted, and not {number}"
    );
    Ok(())
}
