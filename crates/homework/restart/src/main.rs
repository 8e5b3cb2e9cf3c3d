//! `restart`: a process ends, the next one begins, and no client notices.
//!
//! The chapter: listing 7-6, pages 126-128, and what pages 115-117 say about
//! failures that clients must not notice. The listings are `zen-poll`, and
//! `zen-inetd`, which another program hands a listener (page 134).
//!
//! ```text
//! SIGHUP --> old: start, go on serving ------------> close, finish -> end
//!                   |                         ^
//!                   | the listener            | "ready"
//!                   v                         |
//!            new:   warm up, take it ---------+----> accept() -> ...
//! ```
//!
//! ```sh
//! cargo run -p restart -- 127.0.0.1 -p 1060
//! kill -HUP $(pidof restart)
//! ```

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod handed;
#[cfg(unix)]
mod next;
#[cfg_attr(not(unix), path = "no_server.rs")]
mod server;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Args;

use zen_utils::command_line::{
    parse_command_line, parse_milliseconds, parse_seconds,
};
use zen_utils::listener::{create_srv_socket, without_number};
use zen_utils::{Listener, Options, log};

/// What the administrator decides.
#[derive(Args, Clone, Debug)]
struct Restart {
    /// Program to start at SIGHUP [default: this program]
    #[arg(long, value_name = "PROGRAM")]
    next: Option<PathBuf>,

    /// How long the next process may take to become ready
    #[arg(
        long, value_name = "SECONDS", default_value = "10",
        value_parser = parse_seconds
    )]
    ready_within: Duration,

    /// How long a process takes to become ready, in place of everything that a
    /// real server reads before its first answer
    #[arg(
        long, value_name = "MILLISECONDS", default_value = "0",
        value_parser = parse_milliseconds
    )]
    warm_up: Duration,

    /// How long clients may stay with a process that no longer accepts
    #[arg(
        long, value_name = "SECONDS", default_value = "30",
        value_parser = parse_seconds
    )]
    grace: Duration,
}

fn main() -> ExitCode {
    let options: Options<Restart> =
        parse_command_line("event loop that is replaced (7-6, page 126)");
    log::set_quiet(options.quiet);
    thread::sleep(options.own.warm_up);
    let served = listen(&options).and_then(|listener| {
        server::serve(listener, &options).map_err(|err| err.to_string())
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            log::complain(message);
            ExitCode::FAILURE
        }
    }
}

/// The listener of the previous process; a new one if there was none.
fn listen(options: &Options<Restart>) -> Result<Listener, String> {
    let address = &options.address;
    inherited()
        .and_then(|inherited| match inherited {
            Some(listener) => Ok(listener),
            None => create_srv_socket(address, options.backlog),
        })
        .map_err(|err| {
            let why = without_number(&err);
            format!("cannot listen on {address}: {why}")
        })
}

#[cfg(unix)]
fn inherited() -> io::Result<Option<Listener>> {
    handed::listener()?.map(Listener::new).transpose()
}

#[cfg(not(unix))]
fn inherited() -> io::Result<Option<Listener>> {
    Ok(None)
}
