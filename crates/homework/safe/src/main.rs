//! `safe`: the legacy server, with a limit for each client address.
//!
//! The chapter: listing 7-5, pages 124-125. The listing is `zen-legacy`, where
//! the clients decide how many threads there are, and one client can open as
//! many connections as it likes.
//!
//! ```text
//! poll() -> accept() -> verify_request() -> a seat -> thread: recv(), send()
//!                             |                       ... ends: the seat too
//!                             +-> no seat: closed
//! ```
//!
//! There is nothing to change here: your work is in `limit.rs`.
//!
//! ```sh
//! cargo run -p safe -- 127.0.0.1 -p 1060 --max-per-address 2
//! ```

mod limit;
mod socketserver;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;

use clap::Args;

use limit::AddressLimit;
use socketserver::{BaseRequestHandler, TcpServer, VerifyRequest};
use zen_utils::{Listener, MaxClients, Options, StoppableSocket, Timing, log};

fn main() -> ExitCode {
    zen_utils::run("\"SocketServer\" with a limit (7-5, page 124)", serve)
}

/// What the administrator decides.
#[derive(Args, Clone, Debug)]
struct Crowd {
    #[command(flatten)]
    in_all: MaxClients,

    /// Serve at most N clients of one address at once; close the others
    #[arg(
        long, value_name = "N", default_value_t = u32::MAX,
        hide_default_value = true,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    max_per_address: u32,
}

type ZenServer<'a> = TcpServer<'a, ZenHandler, AddressLimit>;

fn serve(listener: &Listener, options: &Options<Crowd>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    let Crowd { in_all, max_per_address } = &options.own;
    let handler = ZenHandler { timing: options.timing };
    let limit = AddressLimit::new(*max_per_address as usize);
    let verify = limit.clone();
    ZenServer::new(listener, handler, verify, in_all.max_clients)?
        .serve_forever()?;
    let at_the_end = limit.addresses();
    // The table is empty by now, so count with a client in it as well.
    let seat = limit.verify_request(listener.local_addr()?);
    let with_one = limit.addresses();
    drop(seat);
    log::server(format_args!(
        "Addresses at the end: {at_the_end}, and with one more {with_one}"
    ));
    Ok(())
}

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
