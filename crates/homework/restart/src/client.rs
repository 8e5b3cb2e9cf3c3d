//! One client of the loop, to the letter as in `zen-poll`.
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use polling::{Event, PollMode, Poller};

use zen_utils::{
    Conversation, Listener, StoppableSocket, Timing, Wants, log,
    ok_if_not_ready, sleep_until,
};

/// Say again at each wait what is still ready: nothing to arm anew.
pub(crate) const LEVEL: PollMode = PollMode::Level;

pub(crate) struct Client {
    sock: StoppableSocket<TcpStream>,
    address: SocketAddr,
    conversation: Conversation,
    /// The poller watches for room to send; if not, for bytes.
    wants_room: bool,
}

impl Client {
    /// Accepts a client.
    pub(crate) fn admit(
        listener: &Listener,
        poller: &Poller,
        key: usize,
        timing: Timing,
    ) -> io::Result<Box<Self>> {
        let (sock, address) = listener.accept()?;
        log::accepted(address);
        sock.set_nonblocking(true)?;
        // SAFETY: `disconnect` deletes the socket before it is closed.
        unsafe { poller.add_with_mode(&*sock, Event::readable(key), LEVEL)? };
        let conversation = Conversation::new(timing, Instant::now());
        Ok(Box::new(Self { sock, address, conversation, wants_room: false }))
    }

    /// Ends the conversation if its deadline has passed, and says whether.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        self.conversation.expire(now)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.conversation.is_over()
    }

    /// First the poller forgets it, then its descriptor is closed.
    pub(crate) fn disconnect(&self, poller: &Poller, result: io::Result<()>) {
        let result = result.and(poller.delete(&*self.sock));
        log::ended(self.address, self.conversation.outcome(result));
    }

    /// Does what can be done at once.
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
                Err(err) => return ok_if_not_ready(err),
            }
        }
        loop {
            match conversation.wants() {
                // Everybody else waits as well: there is one thread.
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
