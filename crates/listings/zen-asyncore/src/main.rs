//! `zen-asyncore`: a loop asks what you wait for, and calls you by the piece.
//!
//! The chapter: listing 7-9, pages 131-133. Same names where Rust allows.
//!
//! ```text
//!               client connects -> handle_accepted
//! SocketMap --> bytes arrive    -> collect_incoming_data, found_terminator
//!    |          room to send    -> handle_write
//!    +--------> after each call -> readable? writable? neither: close
//! ```
//!
//! Read `ZenRequestHandler`: it does not look for the end of a question.
//! Left out: how the loop waits, and splits what arrives (see `asyncore.rs`).
//!
//! ```sh
//! cargo run -p zen-asyncore -- 127.0.0.1 -p 1060
//! ```

mod asyncore;

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Instant;

use asyncore::{AsyncChat, Dispatcher, Socket, SocketMap};
use zen_utils::framing::QUESTION_BYTES_MAX;
use zen_utils::{
    Conversation, Listener, MaxClients, Options, Timing, Wants, log,
    ok_if_not_ready, shutdown, sleep_until,
};

fn main() -> ExitCode {
    zen_utils::run("legacy \"asyncore\" server (7-9, page 131)", serve)
}

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<MaxClients>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    let mut socket_map = SocketMap::new(options.own.max_clients)?;
    let zen_server = Box::new(ZenServer { timing: options.timing });
    socket_map.add(Socket::Listening(listener), zen_server)?;
    socket_map.run()
}
// ANCHOR_END: serve

// ANCHOR: zen_server
struct ZenServer {
    timing: Timing,
}

impl Dispatcher for ZenServer {
    fn readable(&self) -> bool {
        !shutdown::begun()
    }

    fn handle_accepted(
        &mut self,
        address: SocketAddr,
    ) -> Option<Box<dyn Dispatcher>> {
        Some(Box::new(ZenRequestHandler::new(address, self.timing)))
    }

    /// Without its listener a server is of no use, so an error ends the loop.
    fn close(&mut self, result: io::Result<()>) -> io::Result<()> {
        result
    }
}
// ANCHOR_END: zen_server

// ANCHOR: zen_request_handler
/// The server's side of the conversation with one client.
struct ZenRequestHandler {
    address: SocketAddr,
    /// What has arrived of a question: filled by `collect_incoming_data`,
    /// emptied by `pass_on`.
    data: Vec<u8>,
    conversation: Conversation,
}

impl ZenRequestHandler {
    fn new(address: SocketAddr, timing: Timing) -> Self {
        log::accepted(address);
        Self {
            address,
            data: Vec::new(),
            conversation: Conversation::new(timing, Instant::now()),
        }
    }

    fn pass_on(&mut self) {
        self.conversation.received(&self.data, Instant::now());
        self.data.clear();
    }
}

impl AsyncChat for ZenRequestHandler {
    const TERMINATOR: u8 = b'?';

    fn collect_incoming_data(&mut self, more_data: &[u8]) {
        self.data.extend_from_slice(more_data);
        // The framework does not know that white space belongs to no question,
        // nor that a question has a limit. The conversation does.
        let blank = self.data.trim_ascii_start().is_empty();
        if blank || self.data.len() >= QUESTION_BYTES_MAX {
            self.pass_on();
        }
    }

    fn found_terminator(&mut self) {
        self.data.push(b'?');
        self.pass_on();
    }

    fn handle_close(&mut self) {
        self.pass_on();
        self.conversation.end_of_file();
    }
}
// ANCHOR_END: zen_request_handler

// ANCHOR: dispatcher
impl Dispatcher for ZenRequestHandler {
    fn readable(&self) -> bool {
        self.conversation.wants() == Wants::Receive
    }

    fn writable(&self) -> bool {
        self.conversation.wants() == Wants::Send
    }

    fn handle_read(
        &mut self,
        sock: &TcpStream,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        self.receive(sock, buffer)?;
        self.handle_write(sock)
    }

    fn handle_write(&mut self, mut sock: &TcpStream) -> io::Result<()> {
        loop {
            match self.conversation.wants() {
                // There is one thread, so all other clients wait as well.
                Wants::Think(until) => {
                    sleep_until(until);
                    self.conversation.finished_thinking();
                }
                Wants::Send => match sock.write(self.conversation.to_send()) {
                    Ok(n) => self.conversation.sent(n, Instant::now()),
                    Err(err) => return ok_if_not_ready(err),
                },
                Wants::StopSending => {
                    sock.shutdown(Shutdown::Write)?;
                    self.conversation.stopped_sending(Instant::now());
                }
                Wants::Receive | Wants::Close => return Ok(()),
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.conversation.deadline()
    }

    fn expire(&mut self, now: Instant) {
        self.conversation.expire(now);
    }

    /// An error of one client ends only its own conversation.
    fn close(&mut self, result: io::Result<()>) -> io::Result<()> {
        log::ended(self.address, self.conversation.outcome(result));
        Ok(())
    }
}
// ANCHOR_END: dispatcher
