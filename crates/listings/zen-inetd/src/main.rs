//! `zen-inetd`: it listens nowhere; inetd or systemd hands it a socket.
//!
//! The chapter: listings 7-10 and 7-11, pages 133-135. Same names where Rust
//! allows.
//!
//! ```text
//! nowait: inetd: accept() -> start -> recv() -> send() -> ... -> end
//! wait:   inetd: poll()   -> start -> accept() -> recv() -> send() -> ...
//!                                     accept() -> ... no one for 8 s -> end
//! ```
//!
//! Read `serve`: the socket itself says which of the two is meant.
//! Left out: where to listen, which is in the configuration of inetd.
//!
//! ```sh
//! cargo run -p zen-inetd -- --help
//! ```

#[cfg_attr(not(unix), path = "no_inetd.rs")]
mod inetd;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;

use inetd::Handed;
use zen_utils::command_line::{parse_command_line, parse_seconds};
use zen_utils::{
    StoppableSocket, Timing, handle_conversation, log,
    pause_after_failed_accept, shutdown,
};

// ANCHOR: main
fn main() -> ExitCode {
    // First of all: before this, whatever is printed reaches the client.
    let handed = inetd::take_over();
    let options = parse_command_line(
        "server for the use of inetd (7-10 and 7-11, page 133)",
    );
    match serve(handed, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            log::complain(err);
            ExitCode::FAILURE
        }
    }
}
// ANCHOR_END: main

// ANCHOR: options
/// No host and no port: another program listens.
#[derive(Args, Clone, Debug)]
struct Options {
    /// Append the log and standard error to this file
    #[arg(long, value_name = "FILE", env = "ZEN_LOG")]
    log: Option<PathBuf>,

    /// Exit if no client has come for this long (with inetd's wait)
    #[arg(
        long, value_name = "SECONDS", default_value = "8", env = "ZEN_LINGER",
        value_parser = parse_seconds
    )]
    linger: Duration,

    #[command(flatten)]
    timing: Timing,

    /// Do not log single clients
    #[arg(
        short, long, env = "ZEN_QUIET",
        value_parser = FalseyValueParser::new()
    )]
    quiet: bool,
}
// ANCHOR_END: options

// ANCHOR: serve
fn serve(handed: io::Result<Handed>, options: &Options) -> io::Result<()> {
    log::set_quiet(options.quiet);
    if let Some(path) = &options.log {
        inetd::log_to(path)?;
    }
    shutdown::on_signals(None)?;
    match handed? {
        Handed::Client(sock) => serve_client(sock, options.timing),
        Handed::Listener(listener) => accept_connections(&listener, options)?,
    }
    Ok(())
}
// ANCHOR_END: serve

// ANCHOR: serve_client
/// Listing 7-10.
fn serve_client(sock: TcpStream, timing: Timing) {
    match sock.peer_addr() {
        Ok(address) => converse(sock, address, timing),
        Err(err) => {
            // It left before this program ran: its address is unknown.
            let unknown = (Ipv4Addr::UNSPECIFIED, 0).into();
            log::client_error(unknown, err);
        }
    }
}
// ANCHOR_END: serve_client

// ANCHOR: accept_connections
/// Listing 7-11. The listener is also inetd's, so it is neither changed nor
/// shut down.
fn accept_connections(
    listener: &TcpListener,
    options: &Options,
) -> io::Result<()> {
    while inetd::wait_for_client(listener, options.linger)? {
        match listener.accept() {
            Ok((sock, address)) => converse(sock, address, options.timing),
            Err(err) => thread::sleep(pause_after_failed_accept(err)?),
        }
    }
    if !shutdown::begun() {
        log::server(format_args!(
            "Waited {} seconds with no further connections; shutting down",
            options.linger.as_secs_f64()
        ));
    }
    Ok(())
}
// ANCHOR_END: accept_connections

// ANCHOR: converse
/// Serves one client, for both listings.
fn converse(sock: TcpStream, address: SocketAddr, timing: Timing) {
    log::accepted(address);
    // Our other servers set the first on their listener. The second is what
    // the accepted socket inherits from inetd's on some systems.
    match sock.set_nodelay(true).and_then(|()| sock.set_nonblocking(false)) {
        Ok(()) => {
            handle_conversation(StoppableSocket::new(sock), address, timing)
        }
        Err(err) => log::client_error(address, err),
    }
}
// ANCHOR_END: converse
