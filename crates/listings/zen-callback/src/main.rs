//! `zen-callback`: the framework owns the sockets and calls you.
//!
//! The chapter: listing 7-7, pages 128-129. Same names where Rust allows.
//!
//! ```text
//!               client connects -> connection_made
//! EventLoop --> bytes arrive    -> data_received -> transport.write()
//!               client leaves   -> eof_received  -> connection_lost
//! ```
//!
//! Read `ZenServer`: nothing in it waits, and nothing in it loops over clients.
//! Left out: how the loop waits (see `event_loop.rs`, and `zen-poll`).
//!
//! ```sh
//! cargo run -p zen-callback -- 127.0.0.1 -p 1060
//! ```

mod event_loop;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Instant;

use event_loop::{EventLoop, Protocol, Transport};
use zen_utils::{
    Conversation, Listener, MaxClients, Options, Timing, Wants, log,
    sleep_until,
};

fn main() -> ExitCode {
    zen_utils::run("asyncio server using callbacks (7-7, page 128)", serve)
}

// ANCHOR: serve
fn serve(listener: &Listener, options: &Options<MaxClients>) -> io::Result<()> {
    zen_utils::raise_descriptor_limit();
    let zen_server = || ZenServer::new(options.timing);
    EventLoop::create_server(listener, options.own.max_clients, zen_server)?
        .run_forever()
}
// ANCHOR_END: serve

// ANCHOR: zen_server
/// The server's side of the conversation with one client.
struct ZenServer {
    /// Filled by `connection_made`.
    address: Option<SocketAddr>,
    conversation: Conversation,
}

impl Protocol for ZenServer {
    fn connection_made(&mut self, transport: &mut Transport<Self>) {
        log::accepted(transport.peer());
        self.address = Some(transport.peer());
        self.watch_the_clock(transport);
    }

    fn data_received(&mut self, transport: &mut Transport<Self>, data: &[u8]) {
        self.conversation.received(data, Instant::now());
        self.advance(transport);
    }

    fn eof_received(&mut self, transport: &mut Transport<Self>) {
        self.conversation.end_of_file();
        self.advance(transport);
    }

    fn resume_writing(&mut self, transport: &mut Transport<Self>) {
        self.answers_sent();
        self.advance(transport);
    }

    fn connection_lost(&mut self, result: io::Result<()>) {
        if let Some(address) = self.address {
            log::ended(address, self.conversation.outcome(result));
        }
    }
}
// ANCHOR_END: zen_server

impl ZenServer {
    fn new(timing: Timing) -> Self {
        let conversation = Conversation::new(timing, Instant::now());
        Self { address: None, conversation }
    }

    // ANCHOR: advance
    /// Does what can be done now, and returns to the loop. When something else
    /// becomes possible, the loop calls back.
    fn advance(&mut self, transport: &mut Transport<Self>) {
        loop {
            match self.conversation.wants() {
                // There is one thread, so all other clients wait as well.
                Wants::Think(until) => {
                    sleep_until(until);
                    self.conversation.finished_thinking();
                }
                Wants::Send => {
                    transport.write(self.conversation.to_send());
                    if transport.is_full() {
                        // Take no more questions until `resume_writing`.
                        return transport.pause_reading();
                    }
                    self.answers_sent();
                }
                Wants::StopSending => {
                    transport.write_eof();
                    self.conversation.stopped_sending(Instant::now());
                    self.watch_the_clock(transport);
                }
                Wants::Receive => return transport.resume_reading(),
                Wants::Close => return transport.close(),
            }
        }
    }

    /// The socket has taken all that was written.
    fn answers_sent(&mut self) {
        let n = self.conversation.to_send().len();
        self.conversation.sent(n, Instant::now());
    }
    // ANCHOR_END: advance

    // ANCHOR: watch_the_clock
    /// Asks for a call at the deadline, if there is one.
    fn watch_the_clock(&mut self, transport: &mut Transport<Self>) {
        if let Some(deadline) = self.conversation.deadline() {
            transport.call_at(deadline, Self::deadline_has_come);
        }
    }

    /// Since the call was asked for, the deadline may have moved.
    fn deadline_has_come(
        &mut self,
        transport: &mut Transport<Self>,
        deadline: Instant,
    ) {
        self.conversation.expire(deadline);
        if self.conversation.is_over() {
            transport.abort();
        } else {
            self.watch_the_clock(transport);
        }
    }
    // ANCHOR_END: watch_the_clock
}
