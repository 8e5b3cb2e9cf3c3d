//! `sleep`: a timer for the executor, in a thread of its own.
//!
//! The text: listing 7-8, pages 130-131. The listing: `zen-executor`, in which
//! the reactor waits for sockets and for the next timer in one call.
//!
//! ```text
//! sleep().await -> Pending: an instant and a waker, left with the clock
//! clock sleeps  -> the next instant has come: wake()
//! executor      -> is notified, and polls that task
//! ```
//!
//! Nothing has to be changed here: what is to be done stands in `timer.rs`.
//!
//! ```sh
//! cargo run -p sleep -- 127.0.0.1 -p 1060 --think 1000
//! ```

mod executor;
mod timer;

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use executor::{Async, Executor, race};
use timer::Clock;
use zen_utils::{
    Conversation, Listener, MaxClients, Options, RECV_BYTES_MAX,
    StoppableSocket, Timing, Wants, log, ok_if_not_ready,
    pause_after_failed_accept, shutdown,
};

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
    log::server(format_args!("Asleep at the end: {}", clock.sleepers()));
    Ok(())
}

/// Starts a coroutine for each client, and waits at the end for them all.
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
                let clock = Rc::clone(clock);
                let client =
                    handle_conversation(clock, sock, address, options.timing);
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
    clock: Rc<Clock>,
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
        let deadline = deadline.map(|at| clock.sleep_until(at));
        let requests = handle_requests(&clock, &sock, &mut conversation);
        // Whichever ends first. The deadline may have moved on meanwhile.
        result = race(requests, deadline).await.unwrap_or(Ok(()));
        conversation.expire(Instant::now());
    }
    log::ended(address, conversation.outcome(result));
}

/// Returns at the end, and when the deadline has become nearer.
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

/// Pauses first: so nobody has two turns while others wait for one.
async fn recv(
    sock: &Async<TcpStream>,
    conversation: &mut Conversation,
) -> io::Result<()> {
    sock.readable().await?;
    let mut buffer = [0; RECV_BYTES_MAX];
    match sock.get_ref().read(&mut buffer) {
        Ok(0) => conversation.end_of_file(),
        Ok(n) => conversation.received(&buffer[..n], Instant::now()),
        Err(err) => ok_if_not_ready(err)?,
    }
    Ok(())
}
