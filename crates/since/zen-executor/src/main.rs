//! `zen-executor`: what is under `.await`, without a runtime from elsewhere.
//!
//! The chapter: listing 7-8, pages 130-131, where it is asyncio that does this.
//!
//! ```text
//! handle_requests -> Pending: its waker is left with a socket or a timer
//! executor sleeps -> a socket is ready: wake() puts its task into the queue
//! executor polls  -> handle_requests continues where it paused
//! ```
//!
//! Read `executor.rs`; this file is `zen-coroutine` on top of it.
//! Left out: more than one thread.
//!
//! ```sh
//! cargo run -p zen-executor -- 127.0.0.1 -p 1060
//! ```

mod executor;

use std::cell::RefCell;
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use executor::{Async, Executor, Reactor};
use zen_utils::{
    Conversation, Listener, MaxClients, Options, RECV_BYTES_MAX,
    StoppableSocket, Timing, Wants, log, ok_if_not_ready,
    pause_after_failed_accept, shutdown,
};

thread_local! {
    /// One for all clients, because no coroutine pauses while it uses it.
    static BUFFER: RefCell<[u8; RECV_BYTES_MAX]> =
        const { RefCell::new([0; RECV_BYTES_MAX]) };
}

fn main() -> ExitCode {
    zen_utils::run("asyncio server, with its event loop (7-8, page 130)", serve)
}

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<MaxClients>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    // One thread runs every coroutine, each until its next pause.
    let executor = Executor::new()?;
    let listener = Async::new(&executor.reactor, listener.try_clone()?);
    executor.block_on(start_server(&executor, &listener, options))?
}
// ANCHOR_END: serve

// ANCHOR: start_server
/// Starts a coroutine for each client, and waits for all of them at the end.
async fn start_server(
    executor: &Executor,
    listener: &Async<TcpListener>,
    options: &Options<MaxClients>,
) -> io::Result<()> {
    while !shutdown::begun() {
        if executor.tasks() == options.own.max_clients {
            log::serving_the_most(executor.tasks());
            executor.fewer_tasks_than(options.own.max_clients).await;
        }
        match listener.accept().await {
            Ok((sock, address)) => {
                let reactor = Rc::clone(&executor.reactor);
                let client =
                    handle_conversation(reactor, sock, address, options.timing);
                executor.spawn(client);
            }
            Err(err) => {
                let until = Instant::now() + pause_after_failed_accept(err)?;
                executor.reactor.sleep_until(until).await;
            }
        }
    }
    executor.fewer_tasks_than(1).await;
    Ok(())
}
// ANCHOR_END: start_server

// ANCHOR: handle_conversation
async fn handle_conversation(
    reactor: Rc<Reactor>,
    sock: TcpStream,
    address: SocketAddr,
    timing: Timing,
) {
    log::accepted(address);
    let mut conversation = Conversation::new(timing, Instant::now());
    let result = converse(&reactor, sock, &mut conversation).await;
    log::ended(address, conversation.outcome(result));
}

async fn converse(
    reactor: &Rc<Reactor>,
    sock: TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    sock.set_nonblocking(true)?;
    let sock = StoppableSocket::new(Async::new(reactor, sock));
    while !conversation.is_over() {
        let deadline = conversation.deadline();
        let requests = handle_requests(reactor, &sock, conversation);
        // Whichever ends first. The deadline may have moved on meanwhile.
        match reactor.timeout_at(deadline, requests).await {
            Some(result) => result?,
            // What the client sent in time may still be waiting.
            None => try_recv(&sock, conversation)?,
        }
        conversation.expire(Instant::now());
    }
    Ok(())
}
// ANCHOR_END: handle_conversation

// ANCHOR: handle_requests
/// Returns at the end, and when the deadline has moved closer.
async fn handle_requests(
    reactor: &Reactor,
    sock: &Async<TcpStream>,
    conversation: &mut Conversation,
) -> io::Result<()> {
    loop {
        match conversation.wants() {
            Wants::Receive => recv(sock, conversation).await?,
            Wants::Think(until) => {
                reactor.sleep_until(until).await;
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
/// Pauses first, so that no client has two turns while others wait for one.
async fn recv(
    sock: &Async<TcpStream>,
    conversation: &mut Conversation,
) -> io::Result<()> {
    sock.readable().await?;
    try_recv(sock, conversation)
}

/// Receives what has arrived, without a pause.
fn try_recv(
    sock: &Async<TcpStream>,
    conversation: &mut Conversation,
) -> io::Result<()> {
    if conversation.wants() != Wants::Receive {
        return Ok(());
    }
    BUFFER.with_borrow_mut(|buffer| {
        match sock.get_ref().read(buffer) {
            Ok(0) => conversation.end_of_file(),
            Ok(n) => conversation.received(&buffer[..n], Instant::now()),
            Err(err) => ok_if_not_ready(err)?,
        }
        Ok(())
    })
}
// ANCHOR_END: recv
