//! `zen-asyncore`: a loop asks what you wait for, and calls you by the piece.
//!
//! The chapter: listing 7-9, pages 131-133. Same names where Rust allows.
//!
//! ```text
//!               a client connects -> handle_accepted
//! SocketMap --> bytes arrive      -> collect_incoming_data, found_terminator
//!    |          there is room     -> handle_write
//!    +--------> and now?          -> readable, writable, is_over
//! ```
//!
//! Read `ZenRequestHandler`: it does not look for the end of a question.
//! Left out: how the waiting and the cutting are done (see `asyncore.rs`).
//!
//! ```sh
//! cargo run -p zen-asyncore -- 127.0.0.1 -p 1060
//! ```

mod asyncore;

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use asyncore::{AsyncChat, Chat, Client, Server, SocketMap, Terminator};
use zen_utils::conversation::LINGER_BYTES_MAX;
use zen_utils::framing::QUESTION_BYTES_MAX;
use zen_utils::{
    Conversation, Listener, MaxClients, Options, Timing, Wants, log,
    sleep_until,
};

fn main() -> ExitCode {
    zen_utils::run("legacy \"asyncore\" server (7-9, page 131)", serve)
}

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<MaxClients>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    let handle_accepted = |sock| ZenRequestHandler::new(sock, options.timing);
    let max_clients = options.own.max_clients;
    let zen_server = Server::new(listener, max_clients, handle_accepted)?;
    let mut socket_map = SocketMap::new()?;
    socket_map.add(Box::new(zen_server))?;
    socket_map.run()
}
// ANCHOR_END: serve

// ANCHOR: zen_request_handler
/// One client's side of the protocol.
struct ZenRequestHandler {
    chat: Chat,
    /// What has arrived of a question: filled by `collect_incoming_data`,
    /// emptied by `tell`.
    data: Vec<u8>,
    conversation: Conversation,
    /// A question was too long, and what follows it is thrown away.
    refused: bool,
}

impl ZenRequestHandler {
    fn new(client: Client, timing: Timing) -> Self {
        log::accepted(client.address());
        Self {
            chat: Chat::new(client, Terminator::Bytes(b"?")),
            data: Vec::new(),
            conversation: Conversation::new(timing, Instant::now()),
            refused: false,
        }
    }

    fn tell(&mut self) {
        self.conversation.received(&self.data, Instant::now());
        self.data.clear();
    }
}

impl AsyncChat for ZenRequestHandler {
    fn chat(&self) -> &Chat {
        &self.chat
    }

    fn chat_mut(&mut self) -> &mut Chat {
        &mut self.chat
    }

    fn collect_incoming_data(&mut self, mut more_data: &[u8]) {
        if self.refused {
            return;
        }
        if self.data.is_empty() {
            more_data = more_data.trim_ascii_start();
        }
        self.data.extend_from_slice(more_data);
        if self.data.len() >= QUESTION_BYTES_MAX {
            self.tell();
            self.refused = true;
            self.chat.set_terminator(Terminator::Count(LINGER_BYTES_MAX));
        }
    }

    fn found_terminator(&mut self) {
        if self.refused {
            return self.conversation.end_of_file();
        }
        self.data.push(b'?');
        self.tell();
    }

    fn handle_close(&mut self) {
        self.tell();
        self.conversation.end_of_file();
    }
    // ANCHOR_END: zen_request_handler

    // ANCHOR: handle_write
    fn readable(&self) -> bool {
        self.conversation.wants() == Wants::Receive
    }

    fn writable(&self) -> bool {
        self.conversation.wants() == Wants::Send
    }

    fn handle_write(&mut self) -> io::Result<()> {
        loop {
            match self.conversation.wants() {
                // Everybody else waits as well: there is one thread.
                Wants::Think(until) => {
                    sleep_until(until);
                    self.conversation.finished_thinking();
                }
                Wants::Send => {
                    match self.chat.send(self.conversation.to_send())? {
                        0 => return Ok(()),
                        n => self.conversation.sent(n, Instant::now()),
                    }
                }
                Wants::StopSending => {
                    self.chat.stop_sending()?;
                    self.conversation.stopped_sending(Instant::now());
                }
                Wants::Receive | Wants::Close => return Ok(()),
            }
        }
    }

    fn is_over(&mut self, now: Instant) -> bool {
        self.conversation.is_over() || self.conversation.expire(now)
    }

    fn close(&mut self, result: io::Result<()>) {
        let outcome = self.conversation.outcome(result);
        log::ended(self.chat.address(), outcome);
    }
    // ANCHOR_END: handle_write
}
