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
//! Left out: a thread for each client (see `zen-legacy`).
//!
//! ```sh
//! cargo run -p zen-threaded -- 127.0.0.1 -p 1060 --workers 4
//! ```

use std::fmt::Display;
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

    /// How a thread gets its clients
    #[arg(long, value_enum, default_value = "accept")]
    dispatch: Dispatch,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dispatch {
    /// Every thread waits in accept(), as in the chapter
    Accept,
    /// One more thread accepts, and a queue hands clients to the others
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
    Ok(())
}
// ANCHOR_END: serve

// ANCHOR: start_threads
/// The main thread is one of the workers. For each client, the system wakes one
/// of the threads that wait in accept().
fn start_threads(listener: &Listener, timing: Timing, workers: u16) {
    let work = || {
        accept_connections_forever(listener, timing)
            .unwrap_or_else(|err| exit(err));
    };
    thread::scope(|scope| {
        for _ in 1..workers {
            start_thread(scope, work);
        }
        work();
    });
}
// ANCHOR_END: start_threads

// ANCHOR: fill_queue
type Accepted = (StoppableSocket<TcpStream>, SocketAddr);

/// The main thread accepts, and waits while the queue is full. The clients
/// behind it wait in the system's own queue, the backlog.
fn fill_queue(listener: &Listener, timing: Timing, workers: u16) {
    // As many clients as are being served: enough to keep each thread busy.
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
        // Dropped at the end of this scope: the workers empty the queue and
        // return.
        let queue = queue;
        while !shutdown::begun() {
            match listener.accept() {
                Ok((sock, address)) => {
                    log::accepted(address);
                    if queue.send((sock, address)).is_err() {
                        break;
                    }
                }
                Err(err) => {
                    let pause = pause_after_failed_accept(err);
                    thread::sleep(pause.unwrap_or_else(|err| exit(err)));
                }
            }
        }
    });
}
// ANCHOR_END: fill_queue

// ANCHOR: exit
fn start_thread<'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() + Send + 'scope,
) {
    if let Err(err) = thread::Builder::new().spawn_scoped(scope, work) {
        exit(format_args!("cannot start a thread: {err}"));
    }
}

/// Exit if a worker cannot start or fails: those that are blocked in accept()
/// or with a silent client cannot be woken.
fn exit(why: impl Display) -> ! {
    // If several fail at once, only the first says why: the others wait here.
    let _first = io::stderr().lock();
    log::complain(why);
    process::exit(1)
}
// ANCHOR_END: exit
