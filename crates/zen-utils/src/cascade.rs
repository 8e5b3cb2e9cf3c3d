//! Accept, conversation, request, receive-until: the blocking routines of
//! pages 118-119, one calling the next. The listings that block share them;
//! they differ in who calls them, and how often at once.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::command_line::Timing;
use crate::conversation::{Conversation, RECV_BYTES_MAX, Wants};
use crate::listener::{Listener, pause_after_failed_accept};
use crate::log;
use crate::shutdown::{self, StoppableSocket};

/// Answers one client after another, until a signal ends the server.
///
/// # Errors
///
/// The listener's own.
// ANCHOR: accept_connections_forever
pub fn accept_connections_forever(
    listener: &Listener,
    timing: Timing,
) -> io::Result<()> {
    while !shutdown::begun() {
        match listener.accept() {
            Ok((sock, address)) => {
                log::accepted(address);
                handle_conversation(sock, address, timing);
            }
            Err(err) => thread::sleep(pause_after_failed_accept(err)?),
        }
    }
    Ok(())
}
// ANCHOR_END: accept_connections_forever

/// Converses with a client until it has done talking, and closes its socket.
// ANCHOR: handle_conversation
pub fn handle_conversation(
    sock: StoppableSocket<TcpStream>,
    address: SocketAddr,
    timing: Timing,
) {
    let mut conversation = Conversation::new(timing, Instant::now());
    let mut result = Ok(());
    while result.is_ok() && !conversation.is_over() {
        result = handle_request(&sock, &mut conversation);
    }
    drop(sock);
    log::ended(address, conversation.outcome(result));
}
// ANCHOR_END: handle_conversation

/// Receives until a question is whole, works the answer out, and sends it.
// ANCHOR: handle_request
fn handle_request(
    sock: &TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    recv_until(sock, conversation)?;
    loop {
        match conversation.wants() {
            Wants::Think(until) => {
                sleep_until(until);
                conversation.finished_thinking();
            }
            Wants::Send => send(sock, conversation)?,
            Wants::StopSending => {
                sock.shutdown(Shutdown::Write)?;
                conversation.stopped_sending(Instant::now());
            }
            Wants::Receive | Wants::Close => return Ok(()),
        }
    }
}
// ANCHOR_END: handle_request

/// Blocks this thread until then.
pub fn sleep_until(until: Instant) {
    thread::sleep(until.saturating_duration_since(Instant::now()));
}

// ANCHOR: recv_until
fn recv_until(
    mut sock: &TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    let mut buffer = [0; RECV_BYTES_MAX];
    while conversation.wants() == Wants::Receive {
        if let Some(time_left) = time_left(conversation) {
            sock.set_read_timeout(Some(time_left))?;
        }
        match sock.read(&mut buffer) {
            Ok(0) => conversation.end_of_file(),
            Ok(n) => conversation.received(&buffer[..n], Instant::now()),
            Err(err) => ok_if_not_ready(err)?,
        }
        conversation.expire(Instant::now());
    }
    Ok(())
}
// ANCHOR_END: recv_until

fn send(
    mut sock: &TcpStream,
    conversation: &mut Conversation,
) -> io::Result<()> {
    if let Some(time_left) = time_left(conversation) {
        sock.set_write_timeout(Some(time_left))?;
    }
    match sock.write(conversation.to_send()) {
        Ok(n) => conversation.sent(n, Instant::now()),
        Err(err) => ok_if_not_ready(err)?,
    }
    conversation.expire(Instant::now());
    Ok(())
}

/// How long the socket may block. Never zero, which would mean for ever.
fn time_left(conversation: &Conversation) -> Option<Duration> {
    let deadline = conversation.deadline()?;
    let time_left = deadline.saturating_duration_since(Instant::now());
    Some(time_left.max(Duration::from_millis(1)))
}

/// Passes an error on, unless it says no more than "not now": the socket is
/// not ready, its time-out has passed, or a signal cut the call short.
///
/// # Errors
///
/// The given one.
pub fn ok_if_not_ready(err: io::Error) -> io::Result<()> {
    use ErrorKind::{Interrupted, TimedOut, WouldBlock};
    match err.kind() {
        Interrupted | TimedOut | WouldBlock => Ok(()),
        _ => Err(err),
    }
}
