//! Accept, conversation, request, receive-until: the blocking routines of
//! pages 118-119, each of which calls the next. The blocking listings share
//! them, and differ in which threads or processes call them.

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
/// An error of the listener.
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

/// Talks to one client until the conversation is over, and closes its socket.
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

/// Receives until a question is complete, works out the answer, and sends it.
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

/// Blocks this thread until the given instant.
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
            // A signal came, and bytes may be waiting: look before judging.
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
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
        Err(err) if err.kind() == ErrorKind::Interrupted => return Ok(()),
        Err(err) => ok_if_not_ready(err)?,
    }
    conversation.expire(Instant::now());
    Ok(())
}

/// How long the socket may block. Never zero, because that means forever.
fn time_left(conversation: &Conversation) -> Option<Duration> {
    let deadline = conversation.deadline()?;
    let time_left = deadline.saturating_duration_since(Instant::now());
    Some(time_left.max(Duration::from_millis(1)))
}

/// Turns "try again later" into `Ok`: the socket is not ready, its timeout has
/// passed, or a signal interrupted the call.
///
/// # Errors
///
/// Any other error, unchanged.
pub fn ok_if_not_ready(err: io::Error) -> io::Result<()> {
    use ErrorKind::{Interrupted, TimedOut, WouldBlock};
    match err.kind() {
        Interrupted | TimedOut | WouldBlock => Ok(()),
        _ => Err(err),
    }
}
