//! The process as a whole: where it fails to start, and how it ends.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use zen_harness::ports::free_port;
use zen_harness::system::SIGTERM;

use super::prelude::*;
use crate::server::{expect_status, run_to_its_end};

pub(super) const FUNCTIONS: &[Named] = functions![
    says_that_the_port_is_taken,
    says_in_one_line_that_the_port_is_taken,
    says_that_it_has_no_right_to_the_port,
    accepts_no_client_while_it_ends,
    starts_again_on_a_port_with_open_connections,
    starts_again_on_the_port_of_one_that_was_killed =
        |it| starts_again(it, |server| server.kill_and_free_the_port()),
];

/// Expects that a listing cannot listen, and says so as it must.
fn expect_cannot_listen(subject: &Subject, port: u16, why: &str) -> Verdict {
    let number = port.to_string();
    let command = subject.command(&["127.0.0.1", "-p", &number])?;
    let (status, ended) = run_to_its_end(command)?;
    expect_status(status, 1)?;
    let (output, errors) = (ended.output, ended.errors);
    ensure!(output.is_empty(), "it printed {output:?} on standard output");
    let name = subject.name();
    let expected = format!("{name}: cannot listen on 127.0.0.1:{port}: {why}");
    // The reason is in the words of the system.
    let is_right = |line: &String| match cfg!(unix) {
        true => *line == expected,
        false => line.starts_with(expected.trim_end_matches(why)),
    };
    ensure!(
        errors.len() == 1 && errors.iter().all(is_right),
        "it should print this line on standard error: {expected:?}, and not \
        {errors:?}"
    );
    Ok(())
}

/// Another program listens at this port, and at IPv6 where the machine has that.
fn taken(port: u16) -> Verdict<[Option<TcpListener>; 2]> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    Ok([Some(listener), TcpListener::bind((Ipv6Addr::LOCALHOST, port)).ok()])
}

fn says_that_the_port_is_taken(subject: &Subject) -> Verdict {
    let port = free_port()?;
    let _taken = taken(port)?;
    if subject.is_listing() {
        return expect_cannot_listen(subject, port, "Address already in use");
    }
    expect_no_start(subject, port, "the port was taken")?;
    // Two of the same could agree to share a port (SO_REUSEPORT).
    let server = subject.start(&[])?;
    let when = "a second one was started on the port of the first";
    expect_no_start(subject, server.address.port(), when)
}

/// What is asked of any server: that it ends, and says so by its status.
fn expect_no_start(subject: &Subject, port: u16, when: &str) -> Verdict {
    let ended = run_to_its_end(subject.command_line(&[], port, &[])?);
    let right = ended.and_then(|(status, _)| expect_status(status, 1));
    right.map_err(|fault| fault.after(when))
}

fn says_in_one_line_that_the_port_is_taken(subject: &Subject) -> Verdict {
    let port = free_port()?;
    let _taken = taken(port)?;
    let number = port.to_string();
    let told = ["-p", &number];
    let options = if subject.is_listing() { &told[..] } else { &[] };
    let command = subject.command_line(&[], port, options)?;
    let errors = run_to_its_end(command)?.1.errors;
    let lines = errors.len();
    let first = errors.first().map_or("", String::as_str);
    ensure!(
        lines == 1,
        "it printed {lines} lines on standard error, beginning with {first:?}; \
        one line should say what is wrong, since a backtrace helps no one but \
        the author"
    );
    Ok(())
}

fn says_that_it_has_no_right_to_the_port(subject: &Subject) -> Verdict {
    let name = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let first = std::fs::read_to_string(name).unwrap_or_default();
    if first.trim().parse().unwrap_or(0) <= 1 {
        return Err(Fault::skipped("here every user may use every port"));
    }
    expect_cannot_listen(subject, 1, "Permission denied")
}

fn accepts_no_client_while_it_ends(subject: &Subject) -> Verdict {
    let (mut server, mut client) =
        subject.start_for_one(&["--think", "500"])?;
    client.send(COMPLEX)?;
    server.expect_accepted(client.address)?;
    server.signal(SIGTERM)?;
    server.expect_shutting_down()?;
    // Refused, or reset, or at the end of file; but not answered.
    if let Ok(mut late) = server.connect() {
        late.send(COMPLEX).ok();
        let (bytes, _) = late.rest(PATIENCE)?;
        ensure!(
            bytes.is_empty(),
            "it answered a client that came after the signal"
        );
        let line = format!("Accepted connection from {}", late.address);
        ensure!(
            server.log.count(&line) == 0,
            "it accepted a client that came after the signal"
        );
    }
    client.expect(b"Complex.")?.expect_eof()?;
    server.expect_end()
}

fn starts_again(subject: &Subject, end: fn(&mut Server) -> Verdict) -> Verdict {
    let mut server = subject.start(&[])?;
    server.process()?;
    let mut clients = server.served(subject.at_once(3))?;
    end(&mut server)?;
    let port = Some(server.address.port());
    let how = How { port, ..How::default() };
    let again = Server::start_as(subject, how)?;
    again.connect()?.asks()?.leave()?;
    clients.iter_mut().try_for_each(|client| client.rest(PATIENCE).map(drop))
}

fn starts_again_on_a_port_with_open_connections(subject: &Subject) -> Verdict {
    starts_again(subject, |server| {
        server.signal(SIGTERM)?;
        match server.expect_end() {
            // That it does not end is told elsewhere.
            Err(_) if !server.subject.is_listing() => {
                server.kill_and_free_the_port()
            }
            ended => ended,
        }
    })
}
