//! `zen-hybrid`: the best of both worlds, an event loop for each core.
//!
//! The chapter: page 133. The loop is the one of listing 7-6.
//!
//! ```text
//! --share reuseport        --share listener         --share processes
//!
//! queue --> loop           queue -+-> loop          queue -+-> process, loop
//! queue --> loop                  +-> loop                 +-> process, loop
//! queue --> loop                  +-> loop                 +-> process, loop
//! ```
//!
//! Read `serve`: three ways to distribute clients over the loops.
//! Left out: moving a client to a loop that has less to do.
//!
//! ```sh
//! cargo run -p zen-hybrid -- 127.0.0.1 -p 1060 --loops 2
//! ```

mod event_loop;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod queues;

use std::io;
use std::num::NonZero;
use std::process::{self, ExitCode};
use std::thread;

use clap::{Args, ValueEnum};

use zen_utils::{Listener, MaxClients, Options, log};

/// Only Linux distributes clients over several listeners.
const DEFAULT_SHARE: &str =
    if cfg!(target_os = "linux") { "reuseport" } else { "listener" };

fn main() -> ExitCode {
    zen_utils::run("low-level async server, 7-6 on each core (page 133)", serve)
}

// ANCHOR: options
/// What the administrator decides.
#[derive(Args, Clone, Copy, Debug)]
struct Hybrid {
    /// Number of event loops, among which --max-clients is divided [default:
    /// one for each core]
    #[arg(
        long, value_name = "N", hide_default_value = true,
        default_value_t = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
    )]
    loops: NonZero<usize>,

    /// How the loops get their clients
    #[arg(long, value_enum, default_value = DEFAULT_SHARE)]
    share: Share,

    /// Log at the end how many clients each loop has accepted
    #[arg(long)]
    spread: bool,

    #[command(flatten)]
    clients: MaxClients,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Share {
    /// Each loop has a listener and a queue of its own; clients in the queue
    /// of a full loop wait, even if another loop has room
    #[cfg(target_os = "linux")]
    Reuseport,
    /// All loops accept from one listener; a full loop does not
    Listener,
    /// The same, but each loop is a process
    #[cfg(target_os = "linux")]
    Processes,
}
// ANCHOR_END: options

// ANCHOR: divide
impl Hybrid {
    /// Every loop may serve at least one client, or the clients in its queue
    /// would wait forever.
    fn loops(&self) -> usize {
        self.loops.get().min(self.clients.max_clients)
    }

    /// This loop's part of `--max-clients`.
    fn max_clients_of(&self, number: usize) -> usize {
        let (max_clients, loops) = (self.clients.max_clients, self.loops());
        let one_more = number < max_clients % loops;
        max_clients / loops + usize::from(one_more)
    }

    /// For `--spread`.
    fn report(&self, number: usize, accepted: usize) {
        if self.spread {
            let line = format!("Loop {number} accepted {accepted} clients");
            log::server(line);
        }
    }
}
// ANCHOR_END: divide

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<Hybrid>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    let loops = options.own.loops();
    match options.own.share {
        #[cfg(target_os = "linux")]
        Share::Reuseport => {
            let others = queues::create(listener, options.backlog, loops - 1)?;
            let mut listeners = vec![listener];
            listeners.extend(&others);
            start_threads(&listeners, options);
        }
        Share::Listener => start_threads(&vec![listener; loops], options),
        #[cfg(target_os = "linux")]
        Share::Processes => processes::start(listener, options)?,
    }
    Ok(())
}
// ANCHOR_END: serve

// ANCHOR: start_threads
/// Runs a loop for each listener. The main thread is the first loop.
fn start_threads(listeners: &[&Listener], options: &Options<Hybrid>) {
    let run = |number: usize| {
        event_loop::serve(number, listeners[number], None, options)
            .unwrap_or_else(|err| fail("a loop has failed", &err));
    };
    thread::scope(|scope| {
        for number in 1..listeners.len() {
            let thread = thread::Builder::new().name(format!("loop {number}"));
            if let Err(err) = thread.spawn_scoped(scope, move || run(number)) {
                fail("cannot start a thread", &err);
            }
        }
        run(0);
    });
}

/// Ends the server. The other loops sleep, and no one could tell them to stop.
fn fail(what: &str, err: &io::Error) -> ! {
    // If several fail at once, only the first says why: the others wait here.
    let _first = io::stderr().lock();
    log::complain(format_args!("{what}: {err}"));
    process::exit(1)
}
// ANCHOR_END: start_threads
