//! The command line, and the environment.

use zen_harness::ports::free_port;

use super::prelude::*;
use crate::client::LAST_BATCH;
use crate::server::{expect_status, run_to_its_end};

pub(super) const FUNCTIONS: &[Named] = functions![
    listens_at_every_interface,
    listens_at_the_port_it_is_given,
    says_which_port_the_system_has_picked,
    a_partial_send_does_not_start_the_clock_again,
    thinks_for_several_clients_at_once,
    prints_its_version,
];

fn listens_at_every_interface(subject: &Subject) -> Verdict {
    let server = subject.start(&[""])?;
    let port = server.address.port();
    server.expect_line(&format!("Listening at 0.0.0.0:{port}"))?;
    server.connect()?.asks()?.leave()?;
    if cfg!(target_os = "linux") {
        let other = ([127, 0, 0, 2], port).into();
        Client::connect(other, &subject.speech)?.asks()?.leave()?;
    }
    Ok(())
}

fn listens_at_the_port_it_is_given(subject: &Subject) -> Verdict {
    // A port that was free a moment ago.
    let free = free_port()?.to_string();
    for option in ["-p", "--port"] {
        let (options, environment) = (&[option, &*free][..], Some(&[][..]));
        let how = How { options, environment, ..How::default() };
        let mut server = Server::start_as(subject, how)?;
        server.expect_line(&format!("Listening at 127.0.0.1:{free}"))?;
        server.kill_and_free_the_port()?;
    }
    Ok(())
}

fn says_which_port_the_system_has_picked(subject: &Subject) -> Verdict {
    let (first, second) = (subject.start(&[])?, subject.start(&[])?);
    let ports = [first.address.port(), second.address.port()];
    ensure!(
        ports[0] != ports[1] && !ports.contains(&0),
        "two servers with --port 0 listen at {ports:?}"
    );
    first.connect()?.asks()?.leave()?;
    second.connect()?.asks()?.leave()
}

fn a_partial_send_does_not_start_the_clock_again(subject: &Subject) -> Verdict {
    let server = subject.start(&["--idle-timeout", "1"])?;
    let mut client = server.connect_narrow()?;
    client.send(&b"?".repeat(20 * LAST_BATCH))?;
    let (since, mut read) = (Instant::now(), 0);
    // 40 KB a second. Several times a second there is room for a part of the
    // answers, but those to one receive take a second and a half, unless they
    // are the first ones, which the buffers have taken already.
    // To look for the server's end takes a while, in which nothing is read.
    let mut look = since;
    loop {
        if Instant::now() >= look {
            if server.has_dropped(client.address)? {
                break;
            }
            look = Instant::now() + Duration::from_millis(250);
        }
        let time = since.elapsed();
        ensure!(
            time < Duration::from_secs(4),
            "not dropped in {time:.2?} by --idle-timeout 1: the client has \
            sent {} questions at once, and reads 40 kB of the answers a second",
            20 * LAST_BATCH
        );
        let due = time.as_millis() as usize * 40;
        if due > read {
            read += client.read_some(due - read)?;
        }
        thread::sleep(Duration::from_millis(5));
    }
    server.expect_error(client.address, "no question for 1 seconds")
}

fn thinks_for_several_clients_at_once(subject: &Subject) -> Verdict {
    const THINK: Duration = Duration::from_millis(600);
    let server = subject.start(&["--think", "600"])?;
    let mut clients = Vec::new();
    for _ in 0..subject.at_once(4) {
        let client = server.connect()?;
        server.expect_accepted(client.address)?;
        clients.push(client);
    }
    let asked = Instant::now();
    for client in &mut clients {
        client.send(COMPLEX)?;
    }
    for client in &mut clients {
        client.expect(b"Complex.")?;
    }
    let (time, number) = (asked.elapsed(), clients.len());
    // A server that thinks for one after another needs this time on any
    // machine, and any other needs it only on a very busy one.
    let one_by_one = THINK * number as u32;
    if time < one_by_one {
        return Ok(());
    }
    let what = format!(
        "with --think 600, the answers to {number} clients that asked at once \
        took {time:.1?}: it thinks for one after another"
    );
    Err(Fault::late(time - THINK, what))
}

fn prints_its_version(subject: &Subject) -> Verdict {
    for option in ["-V", "--version"] {
        let (status, ended) = run_to_its_end(subject.command(&[option])?)?;
        expect_status(status, 0)?;
        let lines = ended.output;
        let version = lines.first().and_then(|line| line.split_once(' '));
        let ok = version.is_some_and(|(name, number)| {
            name == subject.name() && number.split('.').count() == 3
        });
        ensure!(
            ok && lines.len() == 1,
            "{option} should print its name and its version: {lines:?}"
        );
    }
    Ok(())
}
