//! `sleep`: a timer for the executor, in a thread of its own.
//!
//! The chapter: listing 7-8, pages 130-131. The listing is `zen-executor`, where
//! the reactor waits for sockets and for the next timer in one call.
//!
//! ```text
//! sleep().await -> Pending: an instant and a waker, left with the clock
//! clock sleeps  -> the next instant has come: wake()
//! executor      -> is notified, and polls that task
//! ```
//!
//! There is nothing to change here: your work is in `timer.rs`.
//!
//! ```sh
//! cargo run -p sleep -- 127.0.0.1 -p 1060 --think 1000
//! ```

mod executor;
mod timer;

use std::cell::RefCell;
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use executor::{Async, Executor, Reactor, race};
use timer::Clock;
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
    zen_utils::run("coroutines that sleep (7-8, page 130)", serve)
}
fn serve(listener: &Listener, options: &Options<MaxClients>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    listener.set_nonblocking(true)?;
    // One thread runs every coroutine, each until its next pause.
    let executor = Executor::new()?;
    let listener = Async::new(&executor.reactor, listener.try_clone()?);
    let clock = Rc::new(Clock::start()?);
    executor
        .block_on(start_server(&executor, &listener, &clock, options))??;
    let at_the_end = clock.sleepers();
    // No one sleeps any more, so count with a sleeper as well.
    let in_a_second = Instant::now() + Duration::from_secs(1);
    let one = pin!(clock.sleep_until(in_a_second));
    let _ = one.poll(&mut Context::from_waker(Waker::noop()));
    let with_one = clock.sleepers();
    log::server(format_args!(
        "Asleep at the end: {at_the_end}, and with one more {with_one}"
    ));
    Ok(())
}
/// Starts a coroutine for each client, and waits for all of them at the end.
async fn start_server(
    executor: &Executor,
    listener: &Async<TcpListener>,
    clock: &Rc<Clock>,
    options: &Options<MaxClients>,
) -> io::Result<()> {
    while !shutdown::begun() {
        if executor.tasks() == options.own.max_clients {
            log::serving_the_most(executor.tasks());
            executor.fewer_tasks_than(options.own.max_clients).await;
        }
        match listener.accept().await {
            Ok((sock, address)) => {
                let client = handle_conversation(
                    Rc::clone(&executor.reactor),
                    Rc::clone(clock),
                    sock,
                    address,
                    options.timing,
                );
                executor.spawn(client);
            }
            Err(err) => {
                let until = Instant::now() + pause_after_failed_accept(err)?;
                clock.sleep_until(until).await;
            }
        }
    }
    executor.fewer_tasks_than(1).await;
    Ok(())
}
async fn handle_conversation(
    reactor: Rc<Reactor>,
    clock: Rc<Clock>,
    sock: TcpStream,
    address: SocketAddr,
    timing: Timing,
) {
    log::accepted(address);
    let mut conversation = Conversation::new(timing, Instant::now());
    let result = converse(&reactor, &clock, sock, &mut conversation).await;
    log::ended(address, conversation.outcome(result));
}

async fn converse(
    reactor: &Rc<Reactor>,
    clock: &Clock,
    sock: TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    sock.set_nonblocking(true)?;
    let sock = StoppableSocket::new(Async::new(reactor, sock));
    while !conversation.is_over() {
        let deadline = conversation.deadline();
        let deadline = deadline.map(|at| clock.sleep_until(at));
        let requests = handle_requests(clock, &sock, conversation);
        // Whichever ends first. The deadline may have moved on meanwhile.
        match race(requests, deadline).await {
            Some(result) => result?,
            // What the client sent in time may still be waiting.
            None => try_recv(&sock, conversation)?,
        }
        conversation.expire(Instant::now());
    }
    Ok(())
}
/// Returns at the end, and when the deadline has moved closer.
async fn handle_requests(
    clock: &Clock,
    sock: &Async<TcpStream>,
    conversation: &mut Conversation,
) -> io::Result<()> {
    loop {
        match conversation.wants() {
            Wants::Receive => recv(sock, conversation).await?,
            Wants::Think(until) => {
                clock.sleep_until(until).await;
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
