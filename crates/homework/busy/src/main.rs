//! `busy`: a pool of threads that says when it is full.
//!
//! The chapter: listing 7-4, pages 123-124. The listing is `zen-threaded
//! --dispatch queue`. When its queue is full it accepts no more, and clients
//! wait without being told.
//!
//! ```text
//!                 room        queue   +- recv(), send()
//! accept() ---?-------------->--------+- recv(), send()
//!             |
//!             +-> no room: "Error: busy."
//! ```
//!
//! ```sh
//! cargo run -p busy -- 127.0.0.1 -p 1060 --workers 1 --queue 1
//! ```

// BEGIN SOLUTION say
// STARTER: #[expect(dead_code, reason = "no client is refused yet")]
// END SOLUTION
mod door;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::{self, ExitCode};
// BEGIN SOLUTION room
use std::sync::atomic::{AtomicUsize, Ordering};
// END SOLUTION
use std::thread::{self, Scope};

use clap::Args;
use crossbeam::channel;

use zen_utils::{
    Listener, Options, StoppableSocket, handle_conversation, log,
    pause_after_failed_accept, shutdown,
};

fn main() -> ExitCode {
    zen_utils::run("pool that says when it is full (7-4, page 123)", serve)
}

/// What the administrator decides.
#[derive(Args, Clone, Debug)]
struct Pool {
    /// How many threads serve clients, each one client at a time
    #[arg(
        long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=10_000)
    )]
    workers: u16,

    /// How many clients may wait for a thread
    #[arg(
        long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=10_000)
    )]
    queue: u16,
}

/// A client, and where it comes from.
type Accepted = (StoppableSocket<TcpStream>, SocketAddr);

fn serve(listener: &Listener, options: &Options<Pool>) -> io::Result<()> {
    let Pool { workers, queue } = options.own;
    // BEGIN SOLUTION room
    let room = usize::from(workers) + usize::from(queue);
    let (queue, clients) = channel::bounded(room);
    // Incremented here for each client that is let in, decremented by a worker
    // when the client has left.
    let inside = AtomicUsize::new(0);
    // STARTER: let (queue, clients) = channel::bounded(queue.into());
    // END SOLUTION
    // BEGIN SOLUTION door
    let (door, refused) = channel::bounded(door::REFUSED_MAX);
    // END SOLUTION
    let work = || {
        for (sock, address) in &clients {
            handle_conversation(sock, address, options.timing);
            // BEGIN SOLUTION room
            inside.fetch_sub(1, Ordering::SeqCst);
            // END SOLUTION
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            start_thread(scope, work);
        }
        // BEGIN SOLUTION door
        start_thread(scope, || door::see_off(&refused));
        let door = door;
        // END SOLUTION
        // Dropped at the end of this scope. Then the threads empty the queue
        // and return.
        let queue = queue;
        while !shutdown::begun() {
            match listener.accept() {
                Ok((sock, address)) => {
                    log::accepted(address);
                    // BEGIN SOLUTION say
                    // Only this thread increments it, so no one can take the
                    // place between this check and the increment.
                    if inside.load(Ordering::SeqCst) == room {
                        log::client_error(address, "busy");
                        // This fails only if the client has already left.
                        door::refuse(sock, &door).ok();
                        continue;
                    }
                    inside.fetch_add(1, Ordering::SeqCst);
                    // END SOLUTION
                    let client: Accepted = (sock, address);
                    if queue.send(client).is_err() {
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
    Ok(())
}

fn start_thread<'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() + Send + 'scope,
) {
    if let Err(err) = thread::Builder::new().spawn_scoped(scope, work) {
        exit(format_args!("cannot start a thread: {err}"));
    }
}

/// Exits if a thread cannot start or the listener fails: there is no way to
/// wake the threads that wait for a silent client.
fn exit(why: impl std::fmt::Display) -> ! {
    log::complain(why);
    process::exit(1)
}
