//! One client of the loop, as in `zen-poll`.
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use polling::{Event, PollMode, Poller};

use zen_utils::{
    Conversation, Listener, StoppableSocket, Timing, Wants, log,
    ok_if_not_ready, sleep_until,
};

/// Level-triggered: a socket that is still ready is reported again at the next
/// wait, so nothing needs re-arming.
pub(crate) const LEVEL: PollMode = PollMode::Level;

pub(crate) struct Client {
    sock: StoppableSocket<TcpStream>,
    address: SocketAddr,
    conversation: Conversation,
    /// The poller watches for room to send; otherwise for bytes to receive.
    wants_room: bool,
}

impl Client {
    /// Accepts a client. `None` means that it could not be set up, as the log
    /// says.
    pub(crate) fn admit(
        listener: &Listener,
        poller: &Poller,
        key: usize,
        timing: Timing,
    ) -> io::Result<Option<Box<Self>>> {
        let (sock, address) = listener.accept()?;
        log::accepted(address);
        let conversation = Conversation::new(timing, Instant::now());
        let set_up = sock.set_nonblocking(true).and_then(|()| {
            // SAFETY: `disconnect` deletes the socket before it is closed.
            unsafe { poller.add_with_mode(&*sock, Event::readable(key), LEVEL) }
        });
        if set_up.is_err() {
            log::ended(address, conversation.outcome(set_up));
            return Ok(None);
        }
        let wants_room = false;
        Ok(Some(Box::new(Self { sock, address, conversation, wants_room })))
    }

    pub(crate) fn is_late(&self, now: Instant) -> bool {
        self.conversation.is_late(now)
    }

    /// Ends the conversation if its deadline has passed. Returns whether it
    /// has.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        self.conversation.expire(now)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.conversation.is_over()
    }

    /// Removes it from the poller before its descriptor is closed.
    pub(crate) fn disconnect(&self, poller: &Poller, result: io::Result<()>) {
        let result = result.and(poller.delete(&*self.sock));
        log::ended(self.address, self.conversation.outcome(result));
    }

    /// Does everything that can be done without waiting.
    pub(crate) fn advance(
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
                // There is one thread, so all other clients wait as well.
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
}
