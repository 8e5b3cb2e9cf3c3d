//! `zen-coroutine`: reads like `zen-single`, and pauses where that one blocks.
//!
//! The chapter: listing 7-8, pages 130-131. Same names where Rust allows.
//!
//! ```text
//! handle_requests -> recv().await  -> pauses until bytes arrive
//!                 -> Timer.await   -> pauses until the answer is worked out
//!                 -> write().await -> pauses until there is room
//! ```
//!
//! Read `handle_requests`: it pauses where it says `.await`, nowhere else.
//! Left out: what is under `.await`.
//!
//! ```sh
//! cargo run -p zen-coroutine -- 127.0.0.1 -p 1060
//! ```

use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Instant;

use smol::future::{FutureExt, yield_now};
use smol::io::{AsyncRead, AsyncWriteExt};
use smol::{Async, LocalExecutor, Timer, channel};

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
    let listener = Async::new(listener.try_clone()?)?;
    // One thread runs every coroutine, each until its next pause.
    let executor = Rc::new(LocalExecutor::new());
    let server = start_server(Rc::clone(&executor), &listener, options);
    smol::block_on(executor.run(executor.spawn(server)))
}
// ANCHOR_END: serve

// ANCHOR: start_server
/// Starts a coroutine for each client, and waits at the end for them all.
async fn start_server(
    executor: Rc<LocalExecutor<'_>>,
    listener: &Async<TcpListener>,
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
                executor.spawn(client).detach();
                serving += 1;
            }
            Err(err) => _ = Timer::after(pause_after_failed_accept(err)?).await,
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
    sock: Async<TcpStream>,
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
        result = requests.or(wait_until(deadline)).await;
        conversation.expire(Instant::now());
    }
    log::ended(address, conversation.outcome(result));
}

async fn wait_until(deadline: Option<Instant>) -> io::Result<()> {
    deadline.map_or(Timer::never(), Timer::at).await;
    Ok(())
}
// ANCHOR_END: handle_conversation

// ANCHOR: handle_requests
/// Returns at the end, and when the deadline has become nearer.
async fn handle_requests(
    mut sock: &Async<TcpStream>,
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
    }
}
// ANCHOR_END: handle_requests

// ANCHOR: recv
/// What lives across an `.await` is kept for as long as the client is silent.
/// So the buffer does not: it lives in the closure, which runs between pauses.
async fn recv(
    mut sock: &Async<TcpStream>,
    conversation: &mut Conversation,
) -> io::Result<()> {
    yield_now().await; // Or who asks without end has every turn.
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
