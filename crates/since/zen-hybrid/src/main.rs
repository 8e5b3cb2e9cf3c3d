//! `zen-hybrid`: the best of both worlds, an event loop for each core.
//!
//! The chapter: page 133. The loop is that of listing 7-6.
//!
//! ```text
//! --share reuseport        --share listener         --share processes
//!
//! queue --> loop           queue -+-> loop          queue -+-> process, loop
//! queue --> loop                  +-> loop                 +-> process, loop
//! queue --> loop                  +-> loop                 +-> process, loop
//! ```
//!
//! Read `serve`: three ways for loops to come by their clients.
//! Left out: a client that moves to a loop with less to do.
//!
//! ```sh
//! cargo run -p zen-hybrid -- 127.0.0.1 -p 1060 --loops 2
//! ```

mod crowd;
mod event_loop;
#[cfg_attr(not(target_os = "linux"), path = "no_processes.rs")]
mod processes;
mod queues;

use std::io;
use std::process::{self, ExitCode};
use std::thread;

use clap::{Args, ValueEnum};

use crowd::{Crowd, LOOPS_MAX};
use event_loop::{EventLoop, ThisLoop};
use zen_utils::{Listener, MaxClients, Options, log};

/// Dealt out by the system, clients are spread evenly; only Linux does so.
const DEFAULT_SHARE: &str =
    if cfg!(target_os = "linux") { "reuseport" } else { "listener" };

fn main() -> ExitCode {
    zen_utils::run("low-level async server, 7-6 on each core (page 133)", serve)
}

// ANCHOR: options
/// What the administrator decides.
#[derive(Args, Clone, Copy, Debug)]
struct Hybrid {
    /// How many event loops there are [default: one for each core]
    #[arg(
        long, value_name = "N", default_value_t = cores(),
        hide_default_value = true,
        value_parser = clap::value_parser!(u16).range(1..=LOOPS_MAX as i64)
    )]
    loops: u16,

    /// How the loops come by their clients
    #[arg(long, value_enum, default_value = DEFAULT_SHARE)]
    share: Share,

    /// Say at the end how many clients each loop has served
    #[arg(long)]
    spread: bool,

    #[command(flatten)]
    clients: MaxClients,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Share {
    /// Each loop has a listener and a queue of its own (Linux)
    Reuseport,
    /// All loops accept from one listener
    Listener,
    /// The same, but each loop is a process (Linux)
    Processes,
}
// ANCHOR_END: options

fn cores() -> u16 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores.min(LOOPS_MAX) as u16
}

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<Hybrid>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    let Hybrid { share, spread, clients, .. } = options.own;
    let loops = usize::from(options.own.loops);
    let crowd = &Crowd::new(clients.max_clients, processes::shared_counts()?);
    let new = |number: usize, listener| {
        let timing = options.timing;
        EventLoop::new(ThisLoop { number, listener, crowd, timing })
    };
    match share {
        Share::Reuseport => {
            let queues = queues::create(listener, options.backlog, loops)?;
            let queue = |number: usize| match number.checked_sub(1) {
                Some(other) => &queues[other],
                None => &**listener,
            };
            start_threads(loops, |number| new(number, queue(number)))?;
        }
        Share::Listener => {
            start_threads(loops, |number| new(number, listener))?;
        }
        Share::Processes => {
            let work = |number| new(number, listener)?.run();
            processes::start(loops, crowd, work)?;
        }
    }
    if spread {
        log::server(crowd.spread(loops));
    }
    Ok(())
}
// ANCHOR_END: serve

// ANCHOR: start_threads
/// The main thread is one of the loops.
fn start_threads<'a>(
    loops: usize,
    new: impl Fn(usize) -> io::Result<EventLoop<'a>>,
) -> io::Result<()> {
    let loops: Vec<_> = (0..loops).map(new).collect::<Result<_, _>>()?;
    // Fewer loops than the administrator has chosen are no server, and nobody
    // can tell the others, who wait.
    let end = |err: io::Error| {
        log::complain(format_args!("a loop has failed: {err}"));
        process::exit(1)
    };
    let run = move |it: EventLoop| it.run().unwrap_or_else(end);
    thread::scope(|scope| {
        let mut loops = loops.into_iter();
        let first = loops.next();
        for (it, number) in loops.zip(1..) {
            let thread = thread::Builder::new().name(format!("loop {number}"));
            let started = thread.spawn_scoped(scope, move || run(it));
            started.map(drop).unwrap_or_else(end);
        }
        first.into_iter().for_each(run);
    });
    Ok(())
}
// ANCHOR_END: start_threads
