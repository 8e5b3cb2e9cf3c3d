//! `zen-single`: one thread serves one client at a time; all others wait.
//!
//! The chapter: listing 7-3, pages 120-121. Same names where Rust allows.
//!
//! ```text
//! accept() -> recv() -> send() -> recv() -> ... -> close -> accept()
//! ```
//!
//! Read `accept_connections_forever` in `zen-utils`: all the waiting of this
//! server is in the routines that it calls, each inside the other.
//! Left out: a second client at the same time (see `zen-threaded`).
//!
//! ```sh
//! cargo run -p zen-single -- 127.0.0.1 -p 1060
//! ```

use std::io;
use std::process::ExitCode;

use zen_utils::{Listener, Options, accept_connections_forever};

// ANCHOR: main
fn main() -> ExitCode {
    zen_utils::run("simple single-threaded server (7-3, page 120)", serve)
}
// ANCHOR_END: main

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options) -> io::Result<()> {
    accept_connections_forever(listener, options.timing)
}
// ANCHOR_END: serve
