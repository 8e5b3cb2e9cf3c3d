//! One client's socket, as its protocol sees it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use polling::Event;

use zen_utils::{StoppableSocket, ok_if_not_ready};

use super::Protocol;

/// What [`Transport::call_later`] calls.
pub(crate) type Callback<P> = fn(&mut P, &mut Transport<P>);

// ANCHOR: transport
/// What a protocol is given to answer with.
pub(crate) struct Transport<P> {
    pub(super) sock: StoppableSocket<TcpStream>,
    peer: SocketAddr,
    /// Filled by `write` when the socket is full, emptied by `flush`.
    buffer: Vec<u8>,
    pub(super) reading: bool,
    /// Nothing will be written after the buffer.
    eof: bool,
    pub(super) closing: bool,
    pub(super) error: Option<io::Error>,
    /// Filled by `call_later`; the loop takes them after each callback.
    pub(super) timers: Vec<(Instant, Callback<P>)>,
    /// What the poller watches for: bytes, room.
    pub(super) watched: (bool, bool),
}

impl<P> Transport<P> {
    pub(super) fn new(
        sock: StoppableSocket<TcpStream>,
        peer: SocketAddr,
    ) -> Self {
        Self {
            sock,
            peer,
            buffer: Vec::new(),
            reading: true,
            eof: false,
            closing: false,
            error: None,
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
                Err(err) => self.error = ok_if_not_ready(err).err(),
            }
        }
        self.buffer.extend_from_slice(data);
    }

    /// Whether some of what was written is still waiting for room.
    pub(crate) fn is_full(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// After what was written, the client meets the end of file.
    pub(crate) fn write_eof(&mut self) {
        self.eof = true;
        self.flush();
    }

    /// No more `data_received`, until further notice.
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

    /// Closes at once, whatever is left.
    pub(crate) fn abort(&mut self) {
        self.buffer.clear();
        self.close();
    }

    /// Calls back after that time, if the client is still there.
    pub(crate) fn call_later(&mut self, delay: Duration, call: Callback<P>) {
        self.timers.push((Instant::now() + delay, call));
    }

    fn flush(&mut self) {
        if self.is_full() {
            match (&*self.sock).write(&self.buffer) {
                Ok(n) => drop(self.buffer.drain(..n)),
                Err(err) => self.error = ok_if_not_ready(err).err(),
            }
        }
        if self.eof && !self.is_full() {
            self.error = self.sock.shutdown(Shutdown::Write).err();
        }
        if !self.is_full() {
            // Whoever falls silent now shall hold no memory.
            self.buffer = Vec::new();
        }
    }
}
// ANCHOR_END: transport

// ANCHOR: ready
/// The poller has reported a socket: find out why, and call.
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
    } else if event.readable && transport.reading {
        match (&*transport.sock).read(buffer) {
            Ok(0) => {
                transport.reading = false;
                protocol.eof_received(transport);
            }
            Ok(n) => protocol.data_received(transport, &buffer[..n]),
            Err(err) => transport.error = ok_if_not_ready(err).err(),
        }
    } else {
        // Nobody asked: the connection is gone in both directions.
        transport.abort();
    }
}
// ANCHOR_END: ready
