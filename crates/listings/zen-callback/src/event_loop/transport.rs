//! One client's socket, as its protocol sees it.

use std::io::{self, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use polling::{Event, Poller};

use zen_utils::{StoppableSocket, ok_if_not_ready};

use super::{LEVEL, Protocol};

/// What [`Transport::call_at`] calls, with the instant it was asked for.
pub(crate) type Callback<P> = fn(&mut P, &mut Transport<P>, Instant);

// ANCHOR: transport
/// What a protocol answers with.
pub(crate) struct Transport<P> {
    pub(super) sock: StoppableSocket<TcpStream>,
    peer: SocketAddr,
    /// Filled by `write` when the socket is full, emptied by `flush`.
    buffer: Vec<u8>,
    reading: bool,
    /// Nothing will be written after the buffer.
    eof: bool,
    closing: bool,
    pub(super) error: Option<io::Error>,
    /// In the order of time. Filled by `call_at`, emptied by the loop.
    pub(super) timers: Vec<(Instant, Callback<P>)>,
    /// What the poller watches for: bytes to receive, room to send.
    pub(super) watched: (bool, bool),
}

impl<P> Transport<P> {
    pub(super) fn new(
        sock: StoppableSocket<TcpStream>,
        peer: SocketAddr,
        error: Option<io::Error>,
    ) -> Self {
        Self {
            sock,
            peer,
            buffer: Vec::new(),
            reading: true,
            eof: false,
            closing: false,
            error,
            timers: Vec::new(),
            watched: (true, false),
        }
    }

    /// The client's address.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Sends what the socket takes at once, and keeps the rest for later.
    pub(crate) fn write(&mut self, mut data: &[u8]) {
        if !self.is_full() {
            match (&*self.sock).write(data) {
                Ok(n) => data = &data[n..],
                Err(err) => self.fail_unless_ok(ok_if_not_ready(err)),
            }
        }
        self.buffer.extend_from_slice(data);
    }

    /// Whether some of what was written is still waiting for room.
    pub(crate) fn is_full(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// After what was written, the client reads end of file.
    pub(crate) fn write_eof(&mut self) {
        self.eof = true;
        self.flush();
    }

    /// No more `data_received` until [`resume_reading`](Self::resume_reading).
    pub(crate) fn pause_reading(&mut self) {
        self.reading = false;
    }

    pub(crate) fn resume_reading(&mut self) {
        self.reading = true;
    }

    /// Sends what was written, then closes.
    pub(crate) fn close(&mut self) {
        self.reading = false;
        self.closing = true;
    }

    /// Closes at once, and discards what was not sent.
    pub(crate) fn abort(&mut self) {
        self.buffer.clear();
        self.close();
    }

    /// Asks for a call at that instant, if the client is still there. All that
    /// the client sent before is received first.
    pub(crate) fn call_at(&mut self, when: Instant, callback: Callback<P>) {
        let index = self.timers.partition_point(|&(due, _)| due <= when);
        self.timers.insert(index, (when, callback));
    }
    // ANCHOR_END: transport

    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|&(due, _)| due)
    }

    /// Whether the loop may close the socket.
    pub(super) fn is_over(&self) -> bool {
        self.error.is_some() || self.closing && !self.is_full()
    }

    /// Tells the poller what to watch for now.
    pub(super) fn update_interest(&mut self, poller: &Poller, key: usize) {
        let wants = (self.reading, self.is_full());
        if !self.is_over() && wants != self.watched {
            let interest = Event::new(key, wants.0, wants.1);
            let result = poller.modify_with_mode(&*self.sock, interest, LEVEL);
            self.fail_unless_ok(result);
            self.watched = wants;
        }
    }

    fn flush(&mut self) {
        if self.is_full() {
            let waiting = mem::take(&mut self.buffer);
            self.write(&waiting);
        }
        if self.eof && !self.is_full() {
            let result = self.sock.shutdown(Shutdown::Write);
            self.fail_unless_ok(result);
        }
    }

    /// Keeps the first error, which ends this client.
    fn fail_unless_ok(&mut self, result: io::Result<()>) {
        self.error = self.error.take().or(result.err());
    }
}

// ANCHOR: ready
/// Sends and receives what is possible now, and calls the protocol.
pub(super) fn ready<P: Protocol>(
    protocol: &mut P,
    transport: &mut Transport<P>,
    event: Event,
    buffer: &mut [u8],
) {
    if event.writable && transport.is_full() {
        transport.flush();
        if !transport.is_full() {
            protocol.resume_writing(transport);
        }
    }
    if event.readable && transport.reading {
        match (&*transport.sock).read(buffer) {
            Ok(0) => {
                transport.reading = false;
                protocol.eof_received(transport);
            }
            Ok(n) => protocol.data_received(transport, &buffer[..n]),
            Err(err) => transport.fail_unless_ok(ok_if_not_ready(err)),
        }
    }
}
// ANCHOR_END: ready
