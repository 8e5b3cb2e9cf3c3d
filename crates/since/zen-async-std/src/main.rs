//! `zen-async-std`: the coroutine on the framework retired in 2025.
//!
//! The chapter: listing 7-8, pages 130-131. Same names where Rust allows.
//!
//! ```text
//! handle_requests -> recv().await  -> pauses until bytes arrive
//!                 -> Timer.await   -> pauses until the answer is worked out
//!                 -> write().await -> pauses until there is room
//! ```
//!
//! Read the `diff` with `zen-coroutine`: it shows what is the framework's.
//! Left out: `async_std::net`, which wraps the `Async` that is used here.
//!
//! ```sh
//! cargo run -p zen-async-std -- 127.0.0.1 -p 1060
//! ```

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use async_lock::{RwLock, Semaphore};
use async_std::future::timeout;
use async_std::io::WriteExt;
use async_std::task::{self, yield_now};

use zen_utils::{
    Conversation, Listener, MaxClients, Options, RECV_BYTES_MAX,
    StoppableSocket, Timing, Wants, log, pause_after_failed_accept, shutdown,
};

fn main() -> ExitCode {
    zen_utils::run("asyncio server using coroutine (7-8, page 130)", serve)
}

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<MaxClients>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    // async-std starts a thread for each core and one more, and panics if it
    // cannot.
    let cores = thread::available_parallelism()?.get();
    zen_utils::can_start_threads(cores + 1)?;
    // Each of them runs coroutines, each until its next pause.
    task::block_on(start_server(listener, options))
}
// ANCHOR_END: serve

// ANCHOR: start_server
/// Starts a coroutine for each client, and waits for all of them at the end.
async fn start_server(
    listener: &Listener,
    options: &Options<MaxClients>,
) -> io::Result<()> {
    let listener = Async::new(listener.try_clone()?)?;
    let max_clients = options.own.max_clients;
    let places = Arc::new(Semaphore::new(max_clients));
    let serving = Arc::new(RwLock::new(()));
    while !shutdown::begun() {
        if places.try_acquire().is_none() {
            log::serving_the_most(max_clients);
        }
        let place = places.acquire_arc().await;
        match listener.read_with(TcpListener::accept).await {
            Ok((sock, address)) => {
                let timing = options.timing;
                let served = serving.read_arc().await;
                let client = async move {
                    handle_conversation(sock, address, timing).await;
                    // A coroutine that panics drops them, too.
                    drop((place, served));
                };
                task::spawn(client);
            }
            Err(err) => _ = Timer::after(pause_after_failed_accept(err)?).await,
        }
    }
    // This waits for the clients, each of which holds a read lock.
    drop(serving.write().await);
    Ok(())
}
// ANCHOR_END: start_server

// ANCHOR: handle_conversation
async fn handle_conversation(
    sock: TcpStream,
    address: SocketAddr,
    timing: Timing,
) {
    log::accepted(address);
    let mut conversation = Conversation::new(timing, Instant::now());
    let result = converse(sock, &mut conversation).await;
    log::ended(address, conversation.outcome(result));
}

async fn converse(
    sock: TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    let mut sock = StoppableSocket::new(Async::new(sock)?);
    while !conversation.is_over() {
        let now = Instant::now();
        let deadline = conversation.deadline();
        let requests = handle_requests(&mut sock, conversation);
        // Whichever ends first. The deadline may have moved on meanwhile.
        let result = match deadline.map(time_until) {
            Some(time) => timeout(time, requests).await.unwrap_or(Ok(())),
            None => requests.await,
        };
        result?;
        // What the client sent in time has been received by now. So it is late
        // only if it was late before that.
        conversation.expire(now);
    }
    Ok(())
}

fn time_until(then: Instant) -> Duration {
    then.saturating_duration_since(Instant::now())
}
// ANCHOR_END: handle_conversation

// ANCHOR: handle_requests
/// Returns at the end, and when the deadline has moved closer.
async fn handle_requests(
    sock: &mut Async<TcpStream>,
    conversation: &mut Conversation,
) -> io::Result<()> {
    loop {
        match conversation.wants() {
            Wants::Receive => recv(sock, conversation).await?,
            Wants::Think(until) => {
                Timer::at(until).await;
                conversation.finished_thinking();
            }
            Wants::Send => {
                let n = sock.write(conversation.to_send()).await?;
                conversation.sent(n, Instant::now());
            }
            Wants::StopSending => {
                sock.get_ref().shutdown(Shutdown::Write)?;
                conversation.stopped_sending(Instant::now());
                return Ok(());
            }
            Wants::Close => return Ok(()),
        }
        // Let the others run before it receives again. Otherwise a client that
        // always has data ready would starve them.
        if conversation.wants() == Wants::Receive {
            yield_now().await;
        }
    }
}
// ANCHOR_END: handle_requests

// ANCHOR: recv
async fn recv(
    sock: &Async<TcpStream>,
    conversation: &mut Conversation,
) -> io::Result<()> {
    sock.read_with(|sock| try_recv(sock, conversation)).await
}

/// Not `async`: what lives across an `.await` takes memory for as long as the
/// client is silent, and this buffer would be most of it.
fn try_recv(
    mut sock: &TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    let mut buffer = [0; RECV_BYTES_MAX];
    match sock.read(&mut buffer)? {
        0 => conversation.end_of_file(),
        n => conversation.received(&buffer[..n], Instant::now()),
    }
    Ok(())
}
// ANCHOR_END: recv
