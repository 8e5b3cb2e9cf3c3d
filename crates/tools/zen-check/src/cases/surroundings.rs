//! What a server is started in, and what the system refuses it: blocked
//! signals, a container, a network without loopback, system calls that fail.

use zen_harness::strace::{self, Failing};

use super::prelude::*;
use crate::server::how_it_ended;

pub(super) const FUNCTIONS: &[Named] = functions![
    a_client_that_cannot_be_set_up_harms_no_other,
    an_error_that_no_waiting_cures_ends_it,
    without_a_thread_it_ends_with_one_line,
];

/// Starts a program in which these system calls fail, in this way.
fn with_failing<T>(
    calls: &str,
    start: impl FnOnce(&[&str]) -> Verdict<T>,
) -> Verdict<T> {
    strace::version().map_err(Fault::skipped)?;
    let words = strace::failing(calls);
    start(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn without_a_thread_it_ends_with_one_line(subject: &Subject) -> Verdict {
    let mut server = with_failing("clone,clone3:error=EAGAIN", |runner| {
        let command = subject.command_line(runner, 0, &["--port", "0"])?;
        Server::begin(subject, command, usize::MAX)
    })?;
    if server.expect_listening().is_ok() {
        let client = server.connect();
        let answered = client.is_ok_and(|mut client| {
            client.send(COMPLEX).ok();
            client.hears(PATIENCE)
        });
        // A server in one thread has noticed nothing, and one that starts a
        // thread for each client has an error for each client. Any other is
        // about to end, if it has not ended yet.
        let patience = match answered {
            true => Duration::ZERO,
            false => Duration::from_millis(500),
        };
        let complains = || Ok(server.has_complained());
        if wait_until("complaining", patience, complains).is_err() {
            return Ok(());
        }
    }
    expect_end_with_one_line(&mut server, "Resource temporarily unavailable")
}

/// Expects that it ends with status 1, and says why in a line.
fn expect_end_with_one_line(server: &mut Server, reason: &str) -> Verdict {
    let status = server.wait(PATIENCE)?;
    let errors = server.take_errors()?;
    let ended = how_it_ended(status);
    // Several loops may be several processes, and each speaks for itself, and
    // its parent for it.
    let loops = server.subject.loops();
    let lines_max = if loops > 1 { 2 * loops + 1 } else { 1 };
    ensure!(
        status.code() == Some(1) && (1..=lines_max).contains(&errors.len()),
        "it should end with exit status 1 and one line on standard error: it \
        {ended}, and printed {errors:?}"
    );
    let beginning = format!("{}: ", server.subject.name());
    ensure!(
        errors.iter().all(|line| line.starts_with(&beginning))
            && errors[0].contains(reason),
        "not {beginning:?} and {reason:?}, but {errors:?}"
    );
    Ok(())
}

fn an_error_that_no_waiting_cures_ends_it(subject: &Subject) -> Verdict {
    let mut server = with_failing("accept,accept4:error=EBADF", |runner| {
        Server::start_as(subject, How { runner, ..How::default() })
    })?;
    // It may have ended already: one that blocks does not wait for a client.
    if let Ok(mut client) = server.connect() {
        client.send(COMPLEX).ok();
        if client.hears(Duration::from_millis(1000)) {
            let reason = "it accepts by a call that cannot be made to fail";
            return Err(Fault::skipped(reason));
        }
    }
    expect_end_with_one_line(&mut server, "Bad file descriptor")
}

fn a_client_that_cannot_be_set_up_harms_no_other(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let mut first = server.connect()?;
    first.asks()?.leave()?;
    // By these calls a socket is told not to block.
    let processes = process::family(server.process()?)?;
    strace::version().map_err(Fault::skipped)?;
    let failing = Failing::attach(&processes, "ioctl,fcntl:error=EIO:when=1")?;
    let mut unlucky = server.connect()?;
    unlucky.send(COMPLEX).ok();
    if unlucky.hears(Duration::from_millis(1000)) {
        let reason = "it sets no client up by a call that can be made to fail";
        return Err(Fault::skipped(reason));
    }
    let rest = unlucky.rest(PATIENCE).map_err(|fault| {
        fault.after("a client whose socket could not be told not to block")
    });
    // A runtime that forgets this socket, as asyncio does since Python 3.12, is
    // not the author's.
    if subject.is_listing() {
        rest?;
    }
    drop(failing);
    // What is printed for the next client comes after that.
    let mut next = server.connect()?;
    next.asks()?.leave()?;
    server.expect_closed(next.address)?;
    if !subject.is_listing() {
        return Ok(());
    }
    let lines = server.log.count("Cannot accept");
    ensure!(
        lines == 0,
        "it printed `Cannot accept` for a client that it had accepted"
    );
    // Some libraries do both at once: then there is no line about this client.
    let address = unlucky.address;
    let begun = format!("Accepted connection from {address}");
    let ended = format!("Client {address} error: ");
    let what = "printed how the client that could not be set up has ended";
    wait_until(what, PATIENCE, || {
        Ok(server.log.count(&begun) == server.log.count(&ended))
    })
}
