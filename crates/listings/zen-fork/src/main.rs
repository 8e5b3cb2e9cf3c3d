//! `zen-fork`: the crowd of clients decides how many processes there are.
//!
//! The chapter: listing 7-5 with `ForkingMixIn`, page 125. Same names where Rust
//! allows.
//!
//! ```text
//!                           +- process: recv(), send(), recv() ... ends
//! poll() -> accept() -> a --+- process: recv(), send(), recv() ...
//!   ^                       +- process: recv(), send() ...
//!   +-------- SIGCHLD ---------+
//! ```
//!
//! Read `ZenServer`: one word differs from `zen-legacy`, the mix-in.
//! Left out: Windows, which has no fork().
//!
//! ```sh
//! cargo run -p zen-fork -- 127.0.0.1 -p 1060
//! ```

#[cfg(unix)]
mod forking_mixin;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;

#[cfg(unix)]
use forking_mixin::ForkingMixIn;
#[cfg(not(unix))]
use zen_legacy::socketserver::ThreadingMixIn as ForkingMixIn;
use zen_legacy::socketserver::{BaseRequestHandler, TcpServer};
use zen_utils::{Listener, MaxClients, Options, StoppableSocket, Timing};

fn main() -> ExitCode {
    let description = "legacy \"SocketServer\" server (7-5, page 125)";
    zen_utils::run_if(probe, description, serve)
}

/// Fails on Windows, where this listing compiles but does not run.
fn probe() -> io::Result<()> {
    match cfg!(unix) {
        true => Ok(()),
        false => Err(io::Error::other("no fork() here: run zen-legacy")),
    }
}

// ANCHOR: serve
type ZenServer<'a> = TcpServer<'a, ForkingMixIn, ZenHandler>;

fn serve(
    listener: &Listener,
    options: &Options<MaxClients<40>>,
) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    let handler = ZenHandler { timing: options.timing };
    ZenServer::new(listener, handler, options.own.max_clients)?.serve_forever()
}
// ANCHOR_END: serve

// ANCHOR: handler
#[derive(Clone)]
struct ZenHandler {
    timing: Timing,
}

impl BaseRequestHandler for ZenHandler {
    fn handle(
        self,
        request: StoppableSocket<TcpStream>,
        client_address: SocketAddr,
    ) {
        zen_utils::handle_conversation(request, client_address, self.timing);
    }
}
// ANCHOR_END: handler
