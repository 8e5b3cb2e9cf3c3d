//! The library half of `zen-poll`: one client of an event loop, up to the
//! point where it would have to wait. `zen-hybrid` serves its clients with it,
//! too.
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use polling::{Event, PollMode, Poller};

use zen_utils::{
    Conversation, StoppableSocket, Timing, Wants, log, ok_if_not_ready,
    sleep_until,
};

/// Level-triggered: a socket that is still ready is reported again at the next
/// wait, so nothing needs re-arming.
pub const LEVEL: PollMode = PollMode::Level;

// ANCHOR: client
/// A client: what the chapter keeps in four dictionaries, and what the poller
/// watches.
pub struct Client {
    sock: StoppableSocket<TcpStream>,
    address: SocketAddr,
    /// Bytes received and bytes to send: filled and emptied by `advance`.
    pub conversation: Conversation,
    /// The poller watches for room to send; otherwise for bytes to receive.
    wants_room: bool,
}
// ANCHOR_END: client

impl Client {
    // ANCHOR: admit
    /// Watches a new client. An error here is this client's, not the
    /// listener's: it is logged, and there is no client.
    pub fn admit(
        sock: StoppableSocket<TcpStream>,
        address: SocketAddr,
        timing: Timing,
        poller: &Poller,
        key: usize,
    ) -> Option<Box<Self>> {
        log::accepted(address);
        let conversation = Conversation::new(timing, Instant::now());
        let watched = sock.set_nonblocking(true).and_then(|()| {
            // SAFETY: `disconnect` deletes the socket before it is closed.
            unsafe { poller.add_with_mode(&*sock, Event::readable(key), LEVEL) }
        });
        if watched.is_err() {
            log::ended(address, conversation.outcome(watched));
            return None;
        }
        let wants_room = false;
        Some(Box::new(Self { sock, address, conversation, wants_room }))
    }
    // ANCHOR_END: admit

    // ANCHOR: advance
    /// Takes the conversation as far as possible without waiting. Returns
    /// whether it continues; if not, the client is disconnected.
    pub fn advance(
        &mut self,
        now: Instant,
        poller: &Poller,
        key: usize,
        buffer: &mut [u8],
    ) -> bool {
        let result = self.converse(poller, key, buffer);
        // Only now: what the client sent in time may have been received above.
        self.conversation.expire(now);
        let over = result.is_err() || self.conversation.is_over();
        if over {
            self.disconnect(poller, result);
        }
        !over
    }

    /// One recv(), and send() until the socket is full. Questions that arrive
    /// together are answered together.
    fn converse(
        &mut self,
        poller: &Poller,
        key: usize,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        let mut sock: &TcpStream = &self.sock;
        let conversation = &mut self.conversation;
        if conversation.wants() == Wants::Receive {
            match sock.read(buffer) {
                Ok(0) => conversation.end_of_file(),
                Ok(n) => conversation.received(&buffer[..n], Instant::now()),
                Err(err) => ok_if_not_ready(err)?,
            }
        }
        loop {
            match conversation.wants() {
                // The loop has one thread, so all its other clients wait.
                Wants::Think(until) => {
                    sleep_until(until);
                    conversation.finished_thinking();
                }
                Wants::Send => match sock.write(conversation.to_send()) {
                    Ok(n) => conversation.sent(n, Instant::now()),
                    Err(err) => break ok_if_not_ready(err)?,
                },
                Wants::StopSending => {
                    sock.shutdown(Shutdown::Write)?;
                    conversation.stopped_sending(Instant::now());
                }
                Wants::Receive | Wants::Close => break,
            }
        }
        let wants_room = conversation.wants() == Wants::Send;
        if wants_room != self.wants_room {
            let interest = Event::new(key, !wants_room, wants_room);
            poller.modify_with_mode(&*self.sock, interest, LEVEL)?;
            self.wants_room = wants_room;
        }
        Ok(())
    }
    // ANCHOR_END: advance

    // ANCHOR: disconnect
    /// The chapter closes the socket first and cleans up later. Here the poller
    /// forgets it first; removing the client from the map then closes it.
    fn disconnect(&self, poller: &Poller, result: io::Result<()>) {
        let result = result.and(poller.delete(&*self.sock));
        log::ended(self.address, self.conversation.outcome(result));
    }
    // ANCHOR_END: disconnect
}
