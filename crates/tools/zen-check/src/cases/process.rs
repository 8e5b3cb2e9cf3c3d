//! The process as a whole: where it fails to start, and how it ends.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use zen_harness::ports::free_port;
use zen_harness::system::SIGTERM;

use crate::case::{Named, functions};
use crate::contract::COMPLEX;
use crate::process::PATIENCE;
use crate::server::{Ended, How, Server, how_it_ended};
use crate::subject::Subject;
use crate::verdict::{Verdict, ensure};

pub(super) const FUNCTIONS: &[Named] = functions![
    says_that_the_port_is_taken,
    says_in_one_line_that_the_port_is_taken,
    says_that_it_has_no_right_to_the_port,
    accepts_no_client_while_it_ends,
    starts_again_on_a_port_with_open_connections,
    starts_again_on_the_port_of_one_that_was_killed,
];

/// Expects that it cannot listen, and says so as it must; returns the reason.
fn cannot_listen(subject: &Subject, host: &str, port: u16) -> Verdict<String> {
    let port = port.to_string();
    let ended = Ended::run(subject.command(&[host, "-p", &port])?)?;
    let status = ended.status;
    ensure!(status.code() == Some(1), "the exit status should be 1: {status}");
    let (output, errors) = (ended.output, ended.errors);
    ensure!(output.is_empty(), "it printed {output:?} on standard output");
    ensure!(
        errors.len() == 1,
        "it should print one line on standard error: {errors:?}"
    );
    let name = subject.name();
    let beginning = format!("{name}: cannot listen on {host}:{port}: ");
    let reason = errors[0].strip_prefix(&beginning).unwrap_or_default();
    ensure!(
        !reason.is_empty(),
        "the line should begin with {beginning:?}: {:?}",
        errors[0]
    );
    Ok(reason.to_string())
}

fn says_that_the_port_is_taken(subject: &Subject) -> Verdict {
    if !subject.is_listing() {
        return does_not_start_where_another_listens(subject);
    }
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let reason =
        cannot_listen(subject, "127.0.0.1", taken.local_addr()?.port())?;
    let expected = "Address already in use";
    let ok = !cfg!(unix) || reason == expected;
    ensure!(ok, "the reason should be {expected:?}, not {reason:?}");
    Ok(())
}

/// Another program listens at this port, and at IPv6 where the machine has that.
fn taken(port: u16) -> Verdict<[Option<TcpListener>; 2]> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    Ok([Some(listener), TcpListener::bind((Ipv6Addr::LOCALHOST, port)).ok()])
}

/// What is asked of any server: that it ends, and says so by its status.
fn does_not_start_where_another_listens(subject: &Subject) -> Verdict {
    let port = free_port()?;
    let _taken = taken(port)?;
    let ended = Ended::run(subject.command_line(&[], port, &[])?)?;
    let how = how_it_ended(ended.status);
    ensure!(
        ended.status.code() == Some(1),
        "the port was taken, so it should end with exit status 1: it {how}"
    );
    // Two of the same could agree to share a port (SO_REUSEPORT).
    let server = subject.start(&[])?;
    let port = server.address.port();
    let again = Ended::run(subject.command_line(&[], port, &[])?);
    let ended = again.map_err(|fault| {
        fault.after("a second one was started on the port of the first")
    })?;
    let how = how_it_ended(ended.status);
    ensure!(
        ended.status.code() == Some(1),
        "a second one on the port of the first should end with exit status 1: \
        it {how}"
    );
    Ok(())
}

fn says_in_one_line_that_the_port_is_taken(subject: &Subject) -> Verdict {
    let port = free_port()?;
    let _taken = taken(port)?;
    let number = port.to_string();
    let told = ["-p", &number];
    let options = if subject.is_listing() { &told[..] } else { &[] };
    let errors = Ended::run(subject.command_line(&[], port, options)?)?.errors;
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
    use crate::verdict::Fault::Skipped;
    let name = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let first = std::fs::read_to_string(name).unwrap_or_default();
    if first.trim().parse().unwrap_or(0) <= 1 {
        let reason = "here every user may use every port";
        return Err(Skipped(reason.into()));
    }
    let reason = cannot_listen(subject, "127.0.0.1", 1)?;
    let expected = "Permission denied";
    ensure!(
        reason == expected,
        "the reason should be {expected:?}, not {reason:?}"
    );
    Ok(())
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

fn starts_again_on_the_port_of_one_that_was_killed(
    subject: &Subject,
) -> Verdict {
    starts_again(subject, |server| server.kill_and_free_the_port())
}
