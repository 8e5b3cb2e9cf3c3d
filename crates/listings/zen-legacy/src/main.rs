//! `zen-legacy`: the crowd of clients decides how many threads there are.
//!
//! The chapter: listing 7-5, pages 124-125. Same names where Rust allows.
//!
//! ```text
//!                           +- thread: recv(), send(), recv() ... ends
//! poll() -> accept() -> a --+- thread: recv(), send(), recv() ...
//!   ^                       +- thread: recv(), send() ...
//!   +----- "I have ended" -----+
//! ```
//!
//! Read `ZenServer`: a server pattern, a mix-in, and a handler pattern make a
//! server. `zen-fork` is this program with another mix-in.
//! Left out: a limit, unless `--max-clients` sets one (see `zen-threaded`).
//!
//! ```sh
//! cargo run -p zen-legacy -- 127.0.0.1 -p 1060
//! ```

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;

use zen_legacy::socketserver::{BaseRequestHandler, TcpServer, ThreadingMixIn};
use zen_utils::{Listener, MaxClients, Options, StoppableSocket, Timing};

fn main() -> ExitCode {
    zen_utils::run("legacy \"SocketServer\" server (7-5, page 124)", serve)
}

// ANCHOR: serve
type ZenServer<'a> = TcpServer<'a, ThreadingMixIn, ZenHandler>;

fn serve(listener: &Listener, options: &Options<MaxClients>) -> io::Result<()> {
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
