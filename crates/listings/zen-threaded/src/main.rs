//! `zen-threaded`: a fixed number of threads share one listener.
//!
//! The chapter: listing 7-4, pages 123-124. Same names where Rust allows.
//!
//! ```text
//! --dispatch accept                 --dispatch queue
//!
//!            +- accept(), recv()               queue   +- recv()
//! listener --+- accept(), recv()    accept() --------->+- recv()
//!            +- accept(), recv()                       +- recv()
//! ```
//!
//! Read `start_threads`: each thread runs the unchanged code of `zen-single`.
//! Left out: as many threads as there are clients (see `zen-legacy`).
//!
//! ```sh
//! cargo run -p zen-threaded -- 127.0.0.1 -p 1060 --workers 4
//! ```

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::{self, ExitCode};
use std::thread::{self, Scope};

use clap::{Args, ValueEnum};
use crossbeam::channel;

use zen_utils::{
    Listener, Options, StoppableSocket, Timing, accept_connections_forever,
    handle_conversation, log, pause_after_failed_accept, shutdown,
};

fn main() -> ExitCode {
    zen_utils::run("multi-threaded server (7-4, page 123)", serve)
}

// ANCHOR: options
/// What the administrator decides.
#[derive(Args, Clone, Debug)]
struct Pool {
    /// How many threads serve clients, each one client at a time
    #[arg(
        long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=10_000)
    )]
    workers: u16,

    /// How a client comes to its thread
    #[arg(long, value_enum, default_value = "accept")]
    dispatch: Dispatch,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dispatch {
    /// Every thread waits in accept(), as in the text
    Accept,
    /// One more thread accepts, and hands clients over through a queue
    Queue,
}
// ANCHOR_END: options

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<Pool>) -> io::Result<()> {
    let workers = options.own.workers;
    match options.own.dispatch {
        Dispatch::Accept => start_threads(listener, options.timing, workers),
        Dispatch::Queue => fill_queue(listener, options.timing, workers),
    }
}
// ANCHOR_END: serve

// ANCHOR: start_threads
/// The main thread is one of the workers. The system wakes one of those that
/// wait in accept() for each client.
fn start_threads(
    listener: &Listener,
    timing: Timing,
    workers: u16,
) -> io::Result<()> {
    let work = || accept_connections_forever(listener, timing);
    thread::scope(|scope| {
        for _ in 1..workers {
            start_thread(scope, work);
        }
        work()
    })
}
// ANCHOR_END: start_threads

// ANCHOR: fill_queue
type Accepted = (StoppableSocket<TcpStream>, SocketAddr);

/// The main thread accepts, and stands still while the queue is full: the
/// clients behind it wait in the system's own queue, the backlog.
fn fill_queue(
    listener: &Listener,
    timing: Timing,
    workers: u16,
) -> io::Result<()> {
    // As many again as are being served: enough to keep each thread busy.
    let (queue, clients) = channel::bounded::<Accepted>(workers.into());
    let work = || {
        for (sock, address) in &clients {
            handle_conversation(sock, address, timing);
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            start_thread(scope, work);
        }
        // Dropped at the end of this scope, or at an error: the workers
        // empty the queue and return.
        let queue = queue;
        while !shutdown::begun() {
            match listener.accept() {
                Ok((sock, address)) => {
                    log::accepted(address);
                    if queue.send((sock, address)).is_err() {
                        break;
                    }
                }
                Err(err) => thread::sleep(pause_after_failed_accept(err)?),
            }
        }
        Ok(())
    })
}
// ANCHOR_END: fill_queue

/// Fewer threads than the administrator has chosen are no server; and those
/// that have started already wait in accept(), where nothing can tell them.
fn start_thread<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) {
    if let Err(err) = thread::Builder::new().spawn_scoped(scope, work) {
        log::complain(format_args!("cannot start a thread: {err}"));
        process::exit(1);
    }
}
