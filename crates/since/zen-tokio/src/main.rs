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
//! Read the `diff` with `zen-coroutine`: so little of it is the framework's.
//! Left out: a thread for each core, which would be two words more.
//!
//! ```sh
//! cargo run -p zen-tokio -- 127.0.0.1 -p 1060
//! ```

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::{runtime, task, time};

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
    // Or the runtime, which relies on it, panics.
    listener.set_nonblocking(true)?;
    // One thread runs every coroutine, each until its next pause.
    let mut builder = runtime::Builder::new_current_thread();
    builder.enable_all().build()?.block_on(start_server(listener, options))
}
// ANCHOR_END: serve

// ANCHOR: start_server
/// Starts a coroutine for each client, and waits at the end for them all.
async fn start_server(
    listener: &Listener,
    options: &Options<MaxClients>,
) -> io::Result<()> {
    // Here, and not in `serve`: it asks for the runtime that it belongs to.
    let listener = TcpListener::from_std(listener.try_clone()?)?;
    let (leaving, mut left) = mpsc::unbounded_channel();
    let mut serving = 0;
    while !shutdown::begun() {
        if serving == options.own.max_clients {
            log::serving_the_most(serving);
            left.recv().await;
            serving -= 1;
        }
        match listener.accept().await {
            Ok((sock, address)) => {
                let (timing, leaving) = (options.timing, leaving.clone());
                let client = async move {
                    handle_conversation(sock, address, timing).await;
                    leaving.send(()).ok();
                };
                task::spawn(client);
                serving += 1;
            }
            Err(err) => time::sleep(pause_after_failed_accept(err)?).await,
        }
        while left.try_recv().is_ok() {
            serving -= 1;
        }
    }
    drop(leaving);
    while left.recv().await.is_some() {}
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
    let mut sock = StoppableSocket::new(sock);
    let mut conversation = Conversation::new(timing, Instant::now());
    let mut result = Ok(());
    while result.is_ok() && !conversation.is_over() {
        let deadline = conversation.deadline();
        let requests = handle_requests(&mut sock, &mut conversation);
        // Whichever ends first. The deadline may have moved on meanwhile.
        result = match deadline.map(Into::into) {
            Some(at) => time::timeout_at(at, requests).await.unwrap_or(Ok(())),
            None => requests.await,
        };
        conversation.expire(Instant::now());
    }
    log::ended(address, conversation.outcome(result));
}
// ANCHOR_END: handle_conversation

// ANCHOR: handle_requests
/// Returns at the end, and when the deadline has become nearer.
async fn handle_requests(
    sock: &mut TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    loop {
        match conversation.wants() {
            Wants::Receive => recv(sock, conversation).await?,
            Wants::Think(until) => {
                time::sleep_until(until.into()).await;
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
/// What lives across an `.await` is kept for as long as the client is silent.
/// So the buffer does not: it lives in the closure, which runs between pauses.
async fn recv(
    sock: &mut TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    poll_fn(|context| {
        let mut buffer = [0; RECV_BYTES_MAX];
        let mut buffer = ReadBuf::new(&mut buffer);
        ready!(Pin::new(&mut *sock).poll_read(context, &mut buffer))?;
        match buffer.filled() {
            [] => conversation.end_of_file(),
            bytes => conversation.received(bytes, Instant::now()),
        }
        Poll::Ready(Ok(()))
    })
    .await
}
// ANCHOR_END: recv
