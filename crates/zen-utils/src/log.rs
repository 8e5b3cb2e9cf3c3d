//! The lines that a server prints (page 116: to the screen, and flushed).
//!
//! The log never ends or stops a server. `println!` would panic when the reader
//! of standard output has gone (`zen-poll | head -1`), and any write blocks
//! when the reader is still there but no longer reads. So a line that does not
//! fit is dropped and counted, and the count is printed when there is room.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::conversation::ClientError;

/// A line about a state that lasts is printed at most this often.
const REPEATED_AFTER: Duration = Duration::from_secs(10);

static QUIET: AtomicBool = AtomicBool::new(false);

/// How many lines were not printed since the last line that was.
static LINES_DROPPED: AtomicUsize = AtomicUsize::new(0);

/// Turns lines about single clients off or on (`--quiet`).
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Logs that a client has been accepted.
pub fn accepted(address: SocketAddr) {
    client(format_args!("Accepted connection from {address}"));
}

/// Logs how a conversation has ended; see [`Conversation::outcome`].
///
/// [`Conversation::outcome`]: crate::Conversation::outcome
pub fn ended(address: SocketAddr, outcome: Result<(), ClientError>) {
    match outcome {
        Ok(()) => client(format_args!("Client socket to {address} has closed")),
        Err(error) => client_error(address, error),
    }
}

/// Logs an error of one client, which ends no conversation but its own.
pub fn client_error(address: SocketAddr, error: impl Display) {
    client(format_args!("Client {address} error: {error}"));
}

/// Logs that no more clients are accepted because of `--max-clients`.
pub fn serving_the_most(clients: usize) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    seldom(&LAST, || {
        server(format_args!(
            "Serving {clients} clients, the most allowed; others wait"
        ));
    });
}

/// Logs that accept() failed because descriptors or memory ran out.
pub fn cannot_accept(error: &io::Error) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    seldom(&LAST, || {
        server(format_args!(
            "Cannot accept: {error}; waiting for a client to leave"
        ));
    });
}

// ANCHOR: server
/// Logs a line about the server itself, which `--quiet` does not silence.
pub fn server(line: impl Display) {
    report_dropped_lines();
    if !print(line) {
        LINES_DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Logs how many lines were dropped, if any were and there is room again.
pub fn report_dropped_lines() {
    // Taken first: two threads must not both report the same lines.
    let dropped = LINES_DROPPED.swap(0, Ordering::Relaxed);
    if dropped > 0 && !print(format_args!("Dropped {dropped} log lines")) {
        LINES_DROPPED.fetch_add(dropped, Ordering::Relaxed);
    }
}

/// Starts to count at zero, in a process that was just forked: its parent
/// reports the lines that the parent has dropped.
pub fn forget_dropped_lines() {
    LINES_DROPPED.store(0, Ordering::Relaxed);
}

fn print(line: impl Display) -> bool {
    // No other thread can take the room between the two calls.
    let mut stdout = io::stdout().lock();
    // One write for each line, so the lines of several processes do not mix.
    has_room() && stdout.write_all(format!("{line}\n").as_bytes()).is_ok()
}

/// Whether a write to standard output would succeed at once. A pipe has room if
/// it can take 4 KiB (`PIPE_BUF`), much more than a line. Elsewhere we cannot
/// tell, and a write may block.
#[cfg(unix)]
#[expect(unsafe_code, reason = "poll() is called from a signal handler, too")]
pub(crate) fn has_room() -> bool {
    let (fd, events) = (libc::STDOUT_FILENO, libc::POLLOUT);
    let mut stdout = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: async-signal-safe, and given one entry, as it says.
    unsafe { libc::poll(&raw mut stdout, 1, 0) > 0 }
}
// ANCHOR_END: server

#[cfg(not(unix))]
fn has_room() -> bool {
    true
}

/// Prints one line on standard error, which names this program.
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
