//! One client of the loop, as in `zen-poll`, and a count of looks at deadlines.
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use polling::{Event, PollMode, Poller};

use zen_utils::{
    Conversation, Listener, StoppableSocket, Timing, Wants, log,
    ok_if_not_ready, sleep_until,
};

/// Level-triggered: a socket that is still ready is reported again at the next
/// wait, so nothing needs re-arming.
pub(crate) const LEVEL: PollMode = PollMode::Level;

/// How often a client's deadline was looked at.
static LOOKS: AtomicUsize = AtomicUsize::new(0);

/// How often something happened to a client: it connected, was ready, or was
/// late.
static TURNS: AtomicUsize = AtomicUsize::new(0);

/// How many looks at deadlines are allowed for each of those.
const LOOKS_PER_TURN: usize = 4;

pub(crate) struct Client {
    sock: StoppableSocket<TcpStream>,
    address: SocketAddr,
    conversation: Conversation,
    /// The poller watches for room to send; otherwise for bytes to receive.
    wants_room: bool,
}

/// Logs at the end how often deadlines were looked at.
pub(crate) fn log_looks() {
    let looks = LOOKS.load(Ordering::Relaxed);
    let turns = TURNS.load(Ordering::Relaxed);
    let verdict = match looks <= LOOKS_PER_TURN * turns {
        true => "when something happened to a client",
        false => "at clients to which nothing had happened",
    };
    log::server(format_args!("Looked {looks} times in {turns}: {verdict}"));
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
        TURNS.fetch_add(1, Ordering::Relaxed);
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

    /// When it will be late if nothing happens until then. This may be later or
    /// earlier than at the last look.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        LOOKS.fetch_add(1, Ordering::Relaxed);
        self.conversation.deadline()
    }

    /// Ends the conversation if its deadline has passed. Returns whether it
    /// has.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        LOOKS.fetch_add(1, Ordering::Relaxed);
        let late = self.conversation.expire(now);
        TURNS.fetch_add(usize::from(late), Ordering::Relaxed);
        late
    }

    pub(crate) fn is_over(&self) -> bool {
        self.conversation.is_over()
    }

    /// Removes it from the poller before its descriptor is closed.
    pub(crate) fn disconnect(&self, poller: &Poller, result: io::Result<()>) {
        let result = result.and(poller.delete(&*self.sock));
        log::ended(self.address, self.conversation.outcome(result));
    }

    /// Does everything that can be done without waiting, as in `zen-poll`.
    pub(crate) fn advance(
        &mut self,
        poller: &Poller,
        key: usize,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        TURNS.fetch_add(1, Ordering::Relaxed);
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
