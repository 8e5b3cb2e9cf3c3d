//! The lines that the server prints.

use std::net::SocketAddr;

use zen_harness::system;

use super::prelude::*;
use crate::full::expect_the_most;

pub(super) const FUNCTIONS: &[Named] = functions![
    a_reader_that_goes_away_does_not_hurt,
    says_what_the_system_says,
    a_thread_that_cannot_start_costs_one_client_only,
    says_that_it_serves_the_most_once,
    a_reader_that_stops_reading_stops_no_client =
        |it| unread(&it.start(&[])?).map(drop),
    says_how_many_lines_it_has_dropped,
];

fn a_reader_that_goes_away_does_not_hurt(subject: &Subject) -> Verdict {
    let how = How { lines_max: Some(1), ..How::default() };
    let mut server = Server::start_as(subject, how)?;
    if subject.is_listing() {
        server.log.wait_for_end(PATIENCE)?;
    }
    for _ in 0..3 {
        server.connect()?.asks()?.leave()?;
        server.connect()?.send(b"Simp")?.leave()?;
    }
    let mut client = server.connect()?;
    client.asks()?;
    if !subject.is_listing() {
        return client.leave();
    }
    server.signal(system::SIGTERM)?;
    client.expect_eof()?;
    server.expect_exit_0()
}

fn says_what_the_system_says(subject: &Subject) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    client.asks()?;
    let address = client.address;
    client.reset()?;
    let reset = std::io::Error::from_raw_os_error(system::ECONNRESET);
    server.expect_line(&format!("Client {address} error: {reset}"))
}

fn a_thread_that_cannot_start_costs_one_client_only(
    subject: &Subject,
) -> Verdict {
    let server = subject.start(&[])?;
    let mut clients = server.served(2)?;
    // A thread needs address space for its stack, and now there is none.
    system::limit_memory(server.process()?, 1 << 20)?;
    let mut unlucky = server.connect()?;
    let (bytes, _) = unlucky.rest(PATIENCE)?;
    ensure!(bytes.is_empty(), "it sent {} bytes without a thread", bytes.len());
    let error = std::io::Error::from_raw_os_error(system::EAGAIN);
    let error = format!("cannot start a thread: {error}");
    server.expect_error(unlucky.address, &error)?;
    for client in &mut clients {
        client.asks()?;
    }
    system::limit_memory(server.process()?, 1 << 40)?;
    server.connect()?.asks()?.leave()
}

fn says_that_it_serves_the_most_once(subject: &Subject) -> Verdict {
    // Each of several loops may say it for its own part of the clients.
    let loops = subject.loops();
    let most = 2 * loops;
    let server = subject.start(&["--max-clients", &most.to_string()])?;
    for _ in 0..3 {
        expect_the_most(&server, most)?;
    }
    let lines = server.log.count("Serving ");
    let ok = (1..=loops).contains(&lines);
    ensure!(ok, "in a moment it printed this {lines} times, and not {loops}");
    Ok(())
}

/// Many clients come and go while the reader of the log does not read. Returns
/// their addresses, and whether the pipe to the reader is full.
fn unread(server: &Server) -> Verdict<(Vec<SocketAddr>, bool)> {
    if cfg!(windows) {
        let why = "on Windows a server cannot ask whether its log has room";
        return Err(Fault::skipped(why));
    }
    let process = server.process()?;
    server.log.pause();
    system::shrink_pipe(process);
    // Two lines for each, of some 45 bytes. A pipe that was made small holds
    // 8 KiB, and others 64; the reader may take 8 KiB with one look.
    let clients = if cfg!(target_os = "linux") { 400 } else { 2000 };
    let mut addresses = Vec::new();
    for turn in 0..clients {
        let mut client = server.connect()?;
        addresses.push(client.address);
        let left = client.asks().and_then(Client::leave);
        left.map_err(|fault| {
            fault.after(&format!(
                "after {turn} clients, and with a log that is not read"
            ))
        })?;
    }
    Ok((addresses, system::pipe_is_full(process)))
}

fn says_how_many_lines_it_has_dropped(subject: &Subject) -> Verdict {
    let mut server = subject.start(&[])?;
    let (mut addresses, is_full) = unread(&server)?;
    if !subject.is_listing() && !is_full {
        return Err(Fault::skipped("it does not print enough to fill a pipe"));
    }
    server.log.resume();
    // There is room again: with the next line it says so.
    wait_until("said how many lines it has dropped", PATIENCE, || {
        let mut next = server.connect()?;
        addresses.push(next.address);
        next.asks()?.leave()?;
        Ok(server.log.count("Dropped ") > 0)
    })?;
    if !subject.is_listing() {
        return Ok(());
    }
    // A process that has ended cannot count any more.
    let several = process::family(server.process()?)?.len() > 1
        || subject.is(Architecture::is_process_per_client);
    // At its end no thread is late with a line.
    server.signal(system::SIGTERM)?;
    server.expect_exit_0()?;
    let (missing, dropped) = account(&server.whole_log()?, &addresses)?;
    ensure!(
        dropped == missing || several && dropped > 0 && dropped <= missing,
        "{missing} lines are missing, and it says that it dropped {dropped}"
    );
    Ok(())
}

/// How many lines are missing, and how many the server says it has dropped. All
/// others must be whole.
fn account(log: &[String], clients: &[SocketAddr]) -> Verdict<(usize, usize)> {
    // Two clients may have had the same port, one after the other.
    let mut expected: Vec<_> = clients
        .iter()
        .flat_map(|client| {
            [
                format!("Accepted connection from {client}"),
                format!("Client socket to {client} has closed"),
            ]
        })
        .collect();
    expected.push("Shutting down".to_owned());
    let mut dropped = 0;
    for line in &log[1..] {
        let number = line
            .strip_prefix("Dropped ")
            .and_then(|rest| rest.strip_suffix(" log lines"));
        match number.and_then(|number| number.parse::<usize>().ok()) {
            Some(number) => dropped += number,
            None => {
                let at = expected.iter().position(|expected| expected == line);
                let found = at.map(|at| expected.swap_remove(at));
                ensure!(
                    found.is_some(),
                    "this line is cut, or was printed twice: {line:?}"
                );
            }
        }
    }
    Ok((expected.len(), dropped))
}
