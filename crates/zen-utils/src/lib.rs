//! What every server of the chapter shares: listing 7-1, pages 117-119.
//!
//! The service is the same everywhere and only the *waiting* differs. So this
//! library holds the service, and no server: the map of clients, the waiting,
//! and every recv(), send() and close() of an architecture stay in its
//! listing. The one exception is the book's own: [`cascade`], the blocking
//! routines of pages 118-119, which four listings run unchanged.
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
    Listener, pause_after_failed_accept, raise_descriptor_limit,
};
pub use shutdown::StoppableSocket;

/// Runs a listing: parses the command line, listens, and calls `serve`.
///
/// `serve` returns when a signal has ended the server and no client is left;
/// an error that it returns is the listener's. What went wrong is printed as
/// one line on standard error. The exit status is 0 or 1; a wrong command line
/// ends the process with status 2.
///
/// `Own` is what the listing adds to the command line: [`NoOptions`],
/// [`MaxClients`], or a struct of its own.
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
