//! What all servers of the chapter share: listing 7-1, pages 117-119.
//!
//! The service is the same everywhere; only the *waiting* differs. So this
//! library contains the service but no server: the map of clients, the waiting,
//! and every recv(), send() and close() of an architecture are in its listing.
//! The one exception is the chapter's own: [`cascade`], the blocking routines
//! of pages 118-119, which four listings run unchanged.
//!
//! Read the modules in this order:
//!
//! 1. [`aphorisms`]: the questions and their answers;
//! 2. [`framing`] and [`conversation`]: the protocol, without any I/O;
//! 3. [`command_line`] and [`listener`]: where a server starts;
//! 4. [`cascade`]: accept, conversation, request, receive-until;
//! 5. [`log`]: the lines that a server prints;
//! 6. [`shutdown`]: how one signal ends a server in any architecture.

use std::io;
use std::process::ExitCode;

use clap::Args;

pub mod aphorisms;
pub mod cascade;
pub mod command_line;
pub mod conversation;
#[cfg(feature = "count-allocations")]
mod counting_allocator;
pub mod framing;
pub mod listener;
pub mod log;
pub mod shutdown;

pub use aphorisms::get_answer;
pub use cascade::{
    accept_connections_forever, handle_conversation, ok_if_not_ready,
    sleep_until,
};
pub use command_line::{MaxClients, NoOptions, Options, Timing};
pub use conversation::{ClientError, Conversation, RECV_BYTES_MAX, Wants};
pub use listener::{
    Listener, can_start_threads, pause_after_failed_accept,
    raise_descriptor_limit,
};
pub use shutdown::StoppableSocket;

/// As [`run`], for a listing that not every system can run: `probe` fails with
/// what is missing, and then nothing listens.
pub fn run_if<Own: Args>(
    probe: fn() -> io::Result<()>,
    description: &'static str,
    serve: fn(&Listener, &Options<Own>) -> io::Result<()>,
) -> ExitCode {
    // `run` does this again; here it lets `--help` work on every system.
    let _: Options<Own> = command_line::parse_command_line(description);
    if let Err(err) = probe() {
        log::complain(err);
        return ExitCode::FAILURE;
    }
    run(description, serve)
}

/// Runs a listing: parses the command line, listens, and calls `serve`.
///
/// `serve` returns when a signal has ended the server and no client is left, or
/// with an error of the listener. The error is printed as one line on standard
/// error. The exit status is 0, 1 after an error, or 2 if the command line is
/// wrong.
///
/// `Own` holds the options that only this listing has: [`NoOptions`],
/// [`MaxClients`], or a struct of the listing.
// ANCHOR: run
pub fn run<Own: Args>(
    description: &'static str,
    serve: fn(&Listener, &Options<Own>) -> io::Result<()>,
) -> ExitCode {
    let options: Options<Own> = command_line::parse_command_line(description);
    log::set_quiet(options.quiet);
    let address = &options.address;
    let served = listener::create_srv_socket(address, options.backlog)
        .map_err(|err| {
            let why = listener::without_number(&err);
            format!("cannot listen on {address}: {why}")
        })
        .and_then(|listener| {
            serve(&listener, &options).map_err(|err| err.to_string())
        });
    log::report_dropped_lines();
    #[cfg(feature = "count-allocations")]
    log::complain(format_args!(
        "{} allocations",
        counting_allocator::allocations()
    ));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            log::complain(&message);
            ExitCode::FAILURE
        }
    }
}
// ANCHOR_END: run
