//! `zen-tokio`: the coroutine on the framework that most servers use now.
//!
//! The chapter: listing 7-8, pages 130-131. Same names where Rust allows.
//!
//! ```text
//! handle_requests -> recv().await  -> pauses until bytes arrive
//!                 -> sleep().await -> pauses until the answer is worked out
//!                 -> write().await -> pauses until there is room
//! ```
//!
//! Read the `diff` with `zen-coroutine`: it shows what is the framework's.
//! Left out: a thread for each core, which takes two words more.
//!
//! ```sh
//! cargo run -p zen-tokio -- 127.0.0.1 -p 1060
//! ```

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{RwLock, Semaphore};
use tokio::task::{self, yield_now};
use tokio::time::{sleep, sleep_until, timeout_at};

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
    // tokio relies on this, and panics without it.
    listener.set_nonblocking(true)?;
    // One thread runs every coroutine, each until its next pause.
    let executor = Builder::new_current_thread().enable_all().build()?;
    executor.block_on(start_server(listener, options))
}
// ANCHOR_END: serve

// ANCHOR: start_server
/// Starts a coroutine for each client, and waits for all of them at the end.
async fn start_server(
    listener: &Listener,
    options: &Options<MaxClients>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener.try_clone()?)?;
    let max_clients = options.own.max_clients.min(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(max_clients));
    let serving = Arc::new(RwLock::new(()));
    while !shutdown::begun() {
        if places.try_acquire().is_err() {
            log::serving_the_most(max_clients);
        }
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((sock, address)) => {
                let timing = options.timing;
                let served = Arc::clone(&serving).read_owned().await;
                let client = async move {
                    handle_conversation(sock, address, timing).await;
                    // A coroutine that panics drops them, too.
                    drop((place, served));
                };
                task::spawn(client);
            }
            // In tokio, this may also be an error of the client's set-up.
            Err(err) => sleep(pause_after_failed_accept(err)?).await,
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
    let mut sock = StoppableSocket::new(sock);
    while !conversation.is_over() {
        let now = Instant::now();
        let deadline = conversation.deadline();
        let requests = handle_requests(&mut sock, conversation);
        // Whichever ends first. The deadline may have moved on meanwhile.
        let result = match deadline {
            Some(at) => timeout_at(at.into(), requests).await.unwrap_or(Ok(())),
            None => requests.await,
        };
        result?;
        // tokio may have looked at the clock, but not yet at the sockets.
        yield_now().await;
        // What the client sent in time has been received by now. So it is late
        // only if it was late before that.
        conversation.expire(now);
    }
    Ok(())
}
// ANCHOR_END: handle_conversation

// ANCHOR: handle_requests
/// Returns at the end, and when the deadline has moved closer.
async fn handle_requests(
    sock: &mut TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    loop {
        match conversation.wants() {
            Wants::Receive => {
                recv(sock, conversation).await?;
                // Let the others run. tokio stops a client that always has
                // questions ready, but not one that sends only white space.
                if conversation.wants() == Wants::Receive {
                    yield_now().await;
                }
            }
            Wants::Think(until) => {
                sleep_until(until.into()).await;
                conversation.finished_thinking();
            }
            Wants::Send => {
                let n = sock.write(conversation.to_send()).await?;
                conversation.sent(n, Instant::now());
            }
            Wants::StopSending => {
                sock.shutdown().await?;
                conversation.stopped_sending(Instant::now());
                return Ok(());
            }
            Wants::Close => return Ok(()),
        }
    }
}
// ANCHOR_END: handle_requests

// ANCHOR: recv
async fn recv(
    sock: &TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    loop {
        sock.readable().await?;
        match try_recv(sock, conversation) {
            Err(err) if err.kind() == ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

/// Not `async`: what lives across an `.await` takes memory for as long as the
/// client is silent, and this buffer would be most of it.
fn try_recv(
    sock: &TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    let mut buffer = [0; RECV_BYTES_MAX];
    match sock.try_read(&mut buffer)? {
        0 => conversation.end_of_file(),
        n => conversation.received(&buffer[..n], Instant::now()),
    }
    Ok(())
}
// ANCHOR_END: recv
