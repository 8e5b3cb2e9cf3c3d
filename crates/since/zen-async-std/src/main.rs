//! `zen-async-std`: the coroutine on the framework retired in 2025.
//!
//! The chapter: listing 7-8, pages 130-131. Same names where Rust allows.
//!
//! ```text
//! handle_requests -> recv().await  -> pauses until bytes arrive
//!                 -> sleep().await -> pauses until the answer is worked out
//!                 -> write().await -> pauses until there is room
//! ```
//!
//! Read the `diff` with `zen-coroutine`: so little of it is the framework's.
//! Left out: a reason to begin with it, since smol has taken its place.
//!
//! ```sh
//! cargo run -p zen-async-std -- 127.0.0.1 -p 1060
//! ```

use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use async_std::future::timeout;
use async_std::io::{Read, WriteExt};
use async_std::net::{TcpListener, TcpStream};
use async_std::{channel, task};

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
    let listener = TcpListener::from(listener.try_clone()?);
    // A thread for each core runs coroutines, each until its next pause.
    task::block_on(start_server(&listener, options))
}
// ANCHOR_END: serve

// ANCHOR: start_server
/// Starts a coroutine for each client, and waits at the end for them all.
async fn start_server(
    listener: &TcpListener,
    options: &Options<MaxClients>,
) -> io::Result<()> {
    let (leaving, left) = channel::unbounded();
    let mut serving = 0;
    while !shutdown::begun() {
        if serving == options.own.max_clients {
            log::serving_the_most(serving);
            left.recv().await.map_err(io::Error::other)?;
            serving -= 1;
        }
        match listener.accept().await {
            Ok((sock, address)) => {
                let (timing, leaving) = (options.timing, leaving.clone());
                let client = async move {
                    handle_conversation(sock, address, timing).await;
                    leaving.send(()).await.ok();
                };
                task::spawn(client);
                serving += 1;
            }
            Err(err) => task::sleep(pause_after_failed_accept(err)?).await,
        }
        while left.try_recv().is_ok() {
            serving -= 1;
        }
    }
    drop(leaving);
    while left.recv().await.is_ok() {}
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
    let sock = StoppableSocket::new(sock);
    let mut conversation = Conversation::new(timing, Instant::now());
    let mut result = Ok(());
    while result.is_ok() && !conversation.is_over() {
        let deadline = conversation.deadline();
        let requests = handle_requests(&sock, &mut conversation);
        // Whichever ends first. The deadline may have moved on meanwhile.
        result = match deadline.map(time_until) {
            Some(time) => timeout(time, requests).await.unwrap_or(Ok(())),
            None => requests.await,
        };
        conversation.expire(Instant::now());
    }
    log::ended(address, conversation.outcome(result));
}

fn time_until(then: Instant) -> Duration {
    then.saturating_duration_since(Instant::now())
}
// ANCHOR_END: handle_conversation

// ANCHOR: handle_requests
/// Returns at the end, and when the deadline has become nearer.
async fn handle_requests(
    mut sock: &TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    loop {
        match conversation.wants() {
            Wants::Receive => recv(sock, conversation).await?,
            Wants::Think(until) => {
                task::sleep(time_until(until)).await;
                conversation.finished_thinking();
            }
            Wants::Send => {
                let n = sock.write(conversation.to_send()).await?;
                conversation.sent(n, Instant::now());
            }
            Wants::StopSending => {
                sock.shutdown(Shutdown::Write)?;
                conversation.stopped_sending(Instant::now());
                return Ok(());
            }
            Wants::Close => return Ok(()),
        }
    }
}
// ANCHOR_END: handle_requests

// ANCHOR: recv
/// What lives across an `.await` is kept for as long as the client is silent.
/// So the buffer does not: it lives in the closure, which runs between pauses.
async fn recv(
    mut sock: &TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    task::yield_now().await; // Or who asks without end has every turn.
    poll_fn(|context| {
        let mut buffer = [0; RECV_BYTES_MAX];
        match ready!(Pin::new(&mut sock).poll_read(context, &mut buffer))? {
            0 => conversation.end_of_file(),
            n => conversation.received(&buffer[..n], Instant::now()),
        }
        Poll::Ready(Ok(()))
    })
    .await
}
// ANCHOR_END: recv
