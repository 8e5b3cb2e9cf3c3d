//! The lines that a server prints (page 116: to the screen, and flushed).
//!
//! Not with `println!`, which panics when the reader of standard output has
//! gone (`zen-poll | head -1`): a log that nobody reads harms no client.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::conversation::ClientError;

/// A line about a state that lasts is printed once in so long, at most.
const REPEATED_AFTER: Duration = Duration::from_secs(10);

static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on, no line about a single client (`--quiet`).
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// A client has been accepted.
pub fn accepted(address: SocketAddr) {
    client(format_args!("Accepted connection from {address}"));
}

/// A conversation has ended; see [`Conversation::outcome`].
///
/// [`Conversation::outcome`]: crate::Conversation::outcome
pub fn ended(address: SocketAddr, outcome: Result<(), ClientError>) {
    match outcome {
        Ok(()) => client(format_args!("Client socket to {address} has closed")),
        Err(error) => client_error(address, error),
    }
}

/// One client's error, which ends that client's conversation and no other.
pub fn client_error(address: SocketAddr, error: impl Display) {
    client(format_args!("Client {address} error: {error}"));
}

/// As many clients as are allowed are being served.
pub fn serving_the_most(clients: usize) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    seldom(&LAST, || {
        server(format_args!(
            "Serving {clients} clients, the most allowed; others wait"
        ));
    });
}

/// accept() failed for want of descriptors or memory.
pub fn cannot_accept(error: &io::Error) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    seldom(&LAST, || {
        server(format_args!(
            "Cannot accept: {error}; waiting for a client to leave"
        ));
    });
}

// ANCHOR: server
/// A line about the server itself, which `--quiet` does not silence.
pub fn server(line: impl Display) {
    // One write for a whole line: those of several threads or processes do
    // not mix. A reader that has gone is no reason to fail.
    io::stdout().lock().write_all(format!("{line}\n").as_bytes()).ok();
}
// ANCHOR_END: server

/// One line on standard error, which names this program.
pub fn complain(message: impl Display) {
    let name = crate::command_line::program_name();
    io::stderr().write_all(format!("{name}: {message}\n").as_bytes()).ok();
}

fn client(line: impl Display) {
    if !QUIET.load(Ordering::Relaxed) {
        server(line);
    }
}

fn seldom(last: &Mutex<Option<Instant>>, print: impl FnOnce()) {
    let Ok(mut last) = last.lock() else { return };
    if last.is_none_or(|at| at.elapsed() >= REPEATED_AFTER) {
        *last = Some(Instant::now());
        print();
    }
}
