//! Threads and processes, each of which waits for one client.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use libc::POLLIN;
use nix::unistd::{ForkResult, Pid};

use crate::faults::faulty;
use crate::process::{self, Stop};
use crate::system::{self, Accepted, watch};
use crate::talk::{Next, Talk, clock};

/// The pause before another try when out of descriptors.
const FULL_TIME: Duration = Duration::from_millis(100);

/// The pause between two looks at which children have ended.
const KEPT_TIME: Duration = Duration::from_millis(5);

/// More than any test needs at once, and less than hurts the machine, even
/// with children that are never reaped.
const CHILDREN_MAX: usize = 200;

/// A fixed number of threads, each with one client at a time.
pub(crate) fn pool(
    listener: &TcpListener,
    stop: &Stop,
    mut workers: usize,
) -> io::Result<()> {
    if faulty("one-thread-too-few") {
        workers -= 1;
    }
    if faulty("one-thread-too-many") {
        workers += 1;
    }
    thread::scope(|scope| {
        for _ in 0..workers {
            let work = || work(listener, stop);
            thread::Builder::new().spawn_scoped(scope, work)?;
        }
        system::wait(&mut [watch(Some(stop.as_raw_fd()), POLLIN)], None)?;
        system::stop_listening(listener);
        Ok(())
    })
}

fn work(listener: &TcpListener, stop: &Stop) {
    while let Some(sock) = next_client(listener, stop) {
        let verdict = converse(&sock, stop);
        if faulty("workers-die") && verdict.is_err() {
            return;
        }
    }
}

/// A thread for each client.
pub(crate) fn threads(listener: &TcpListener, stop: &Stop) -> io::Result<()> {
    thread::scope(|scope| {
        while let Some(sock) = next_client(listener, stop) {
            let talk = move || converse(&sock, stop).unwrap_or_default();
            // Without a thread, the client alone has to go.
            thread::Builder::new().spawn_scoped(scope, talk).ok();
        }
        system::stop_listening(listener);
        Ok(())
    })
}

/// A process for each client.
pub(crate) fn processes(listener: TcpListener, stop: &Stop) -> io::Result<()> {
    if !faulty("leaves-zombies") {
        process::reap_children()?;
    }
    let mut kept = Vec::new();
    loop {
        let client = next_client_or_signal(&listener, stop, &mut kept)?;
        let Some(sock) = client else { break };
        match process::fork_for(sock.as_raw_fd()) {
            Ok(ForkResult::Child) => {
                drop((listener, kept));
                // No one waits for the result.
                converse(&sock, stop).ok();
                std::process::exit(0);
            }
            Ok(ForkResult::Parent { child })
                if faulty("parent-keeps-socket") =>
            {
                kept.push((child, sock));
            }
            _ => {}
        }
    }
    drop(kept);
    drop(listener);
    process::wait_for_children();
    Ok(())
}

/// The next client, or None when it is time to stop.
fn next_client(listener: &TcpListener, stop: &Stop) -> Option<TcpStream> {
    next_client_or_signal(listener, stop, &mut Vec::new()).unwrap_or_default()
}

/// A child, and the parent's copy of its client's socket.
type Kept = (Pid, TcpStream);

fn next_client_or_signal(
    listener: &TcpListener,
    stop: &Stop,
    kept: &mut Vec<Kept>,
) -> io::Result<Option<TcpStream>> {
    let mut full_until: Option<Instant> = None;
    loop {
        kept.retain(|(child, _)| process::is_there(*child));
        let look_again = clock().checked_add(KEPT_TIME);
        let look_again = look_again.filter(|_| !kept.is_empty());
        if process::children() >= CHILDREN_MAX {
            full_until = clock().checked_add(FULL_TIME);
        }
        let who = full_until.is_none().then_some(listener.as_raw_fd());
        let mut events =
            [watch(Some(stop.as_raw_fd()), POLLIN), watch(who, POLLIN)];
        system::wait(&mut events, full_until.or(look_again))?;
        if events[0].revents != 0 {
            return Ok(None);
        }
        if full_until.take().is_some() {
            continue;
        }
        match system::accept(listener) {
            Ok(Accepted::Client(sock)) => return Ok(Some(sock)),
            Ok(Accepted::Gone | Accepted::NoClient) => {}
            Err(_) => full_until = clock().checked_add(FULL_TIME),
        }
    }
}

/// The whole conversation with one client.
fn converse(sock: &TcpStream, stop: &Stop) -> io::Result<()> {
    let mut talk = Talk::new();
    let mut stopping = false;
    while !talk.is_late() {
        let wants = talk.wants();
        let mut events = [
            watch((!stopping).then_some(stop.as_raw_fd()), POLLIN),
            watch((wants != 0).then_some(sock.as_raw_fd()), wants),
        ];
        let until = match stopping && talk.owes_a_look() {
            true => Some(clock()),
            false => talk.deadline(),
        };
        system::wait(&mut events, until)?;
        stopping |= events[0].revents != 0;
        if (events[1].revents != 0 || stopping)
            && talk.turn(sock, stopping)? == Next::Over
        {
            break;
        }
    }
    Ok(())
}
