//! One event loop: that of `zen-poll`, and it knows that it is one of several.
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use polling::{Event, Events, PollMode, Poller};

use zen_utils::{
    Conversation, RECV_BYTES_MAX, StoppableSocket, Timing, Wants, log,
    ok_if_not_ready, pause_after_failed_accept, shutdown, sleep_until,
};

use crate::crowd::{Crowd, Seat};
use crate::processes;

/// Clients' keys count up from here, and none is used twice.
const LISTENER: usize = 0;

/// How often to look for clients that are late, and for an empty seat.
const TICK: Duration = Duration::from_millis(100);

/// Say again at each wait what is still ready: nothing to arm anew.
const LEVEL: PollMode = PollMode::Level;

/// What makes this loop different from the others.
pub(crate) struct ThisLoop<'a> {
    pub(crate) number: usize,
    pub(crate) listener: &'a TcpListener,
    pub(crate) crowd: &'a Crowd,
    pub(crate) timing: Timing,
}

/// A loop that is ready to run, in whatever thread.
pub(crate) struct EventLoop<'a>(ThisLoop<'a>, Poller);

/// As in `zen-poll`, and its seat.
struct Client {
    sock: StoppableSocket<TcpStream>,
    address: SocketAddr,
    conversation: Conversation,
    wants_room: bool,
    _seat: Seat,
}

// ANCHOR: run
impl<'a> EventLoop<'a> {
    pub(crate) fn new(this: ThisLoop<'a>) -> io::Result<Self> {
        let poller = Poller::new()?;
        let interest = Event::none(LISTENER);
        // SAFETY: the listener outlives the poller.
        unsafe { poller.add_with_mode(this.listener, interest, LEVEL)? };
        Ok(Self(this, poller))
    }

    /// Serves whom this loop accepts, until a signal ends the server.
    pub(crate) fn run(self) -> io::Result<()> {
        let mut clients: HashMap<usize, Box<Client>> = HashMap::new();
        let mut last_key = LISTENER;
        // Whether for clients; `None`: not at all.
        let mut watching = Some(false);
        let mut accept_after = Instant::now();
        let mut next_look = Instant::now();
        let mut buffer = [0; RECV_BYTES_MAX];
        // Declared after all that it watches, and so dropped before it.
        let Self(this, poller) = self;
        let mut events = Events::new();

        while !(shutdown::begun() && clients.is_empty()) {
            let now = Instant::now();
            let accept = now >= accept_after && !this.crowd.is_full();
            let watch = (!shutdown::begun()).then_some(accept);
            if watch != watching {
                match watch {
                    Some(accept) => {
                        let interest = Event::new(LISTENER, accept, false);
                        poller.modify_with_mode(
                            this.listener,
                            interest,
                            LEVEL,
                        )?;
                    }
                    None => poller.delete(this.listener)?,
                }
                watching = watch;
            }
            let timeout =
                (watch != Some(true) || !clients.is_empty()).then_some(TICK);
            events.clear();
            poller.wait(&mut events, timeout)?;
            for Event { key, .. } in events.iter() {
                if key == LISTENER && !accept {
                    // Nobody asked: it tells of its end, as it always does.
                    processes::end_as_told();
                } else if key == LISTENER {
                    last_key += 1;
                    match admit(&this, &poller, last_key) {
                        Ok(client) => clients.extend([(last_key, client)]),
                        Err(err) if err.kind() == ErrorKind::InvalidInput => {
                            processes::end_as_told()
                        }
                        Err(err) => {
                            accept_after =
                                now + pause_after_failed_accept(err)?;
                        }
                    }
                } else if let Some(client) = clients.get_mut(&key) {
                    let result = client.advance(&poller, key, &mut buffer);
                    if result.is_err() || client.conversation.is_over() {
                        disconnect(&poller, client, result);
                        clients.remove(&key);
                    }
                }
            }
            // With more events than fit, somebody may have been in time unseen.
            if now >= next_look && events.len() < events.capacity().get() {
                next_look = now + TICK;
                clients.retain(|_, client| {
                    let late = client.conversation.expire(now);
                    if late {
                        disconnect(&poller, client, Ok(()));
                    }
                    !late
                });
            }
        }
        Ok(())
    }
}
// ANCHOR_END: run

// ANCHOR: admit
/// Accepts a client, unless another loop was faster, or takes the last seat.
fn admit(
    this: &ThisLoop,
    poller: &Poller,
    key: usize,
) -> io::Result<Box<Client>> {
    let Some(seat) = this.crowd.take_seat(this.number) else {
        return Err(ErrorKind::WouldBlock.into());
    };
    let (sock, address) = this.listener.accept()?;
    let sock = StoppableSocket::new(sock);
    log::accepted(address);
    this.crowd.is_served(&seat);
    sock.set_nonblocking(true)?;
    // SAFETY: `disconnect` deletes the socket before it is closed.
    unsafe { poller.add_with_mode(&*sock, Event::readable(key), LEVEL)? };
    let conversation = Conversation::new(this.timing, Instant::now());
    let wants_room = false;
    Ok(Box::new(Client {
        sock,
        address,
        conversation,
        wants_room,
        _seat: seat,
    }))
}
// ANCHOR_END: admit

/// First the poller forgets a client, then its descriptor is closed.
fn disconnect(poller: &Poller, client: &Client, result: io::Result<()>) {
    let result = result.and(poller.delete(&*client.sock));
    log::ended(client.address, client.conversation.outcome(result));
}

impl Client {
    /// Does what can be done at once, to the letter as in `zen-poll`.
    fn advance(
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
                // The other clients of this loop wait as well.
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
