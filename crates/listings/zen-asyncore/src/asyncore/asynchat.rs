//! A dispatcher whose bytes are cut at a terminator.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

use polling::AsSource;

use zen_utils::ok_if_not_ready;

use super::{Client, Dispatcher};

// ANCHOR: async_chat
/// A dispatcher that is told of what arrives piece by piece.
pub(crate) trait AsyncChat {
    /// What a class in Python inherits.
    fn chat(&self) -> &Chat;
    fn chat_mut(&mut self) -> &mut Chat;

    /// These bytes have arrived, and no terminator is in them.
    fn collect_incoming_data(&mut self, more_data: &[u8]);

    /// The piece that was collected is whole.
    fn found_terminator(&mut self);

    /// The client sends no more.
    fn handle_close(&mut self);

    /// See [`Dispatcher`]. After each receive there may be something to send.
    fn handle_write(&mut self) -> io::Result<()>;
    fn readable(&self) -> bool;
    fn writable(&self) -> bool;
    fn is_over(&mut self, now: Instant) -> bool;
    fn close(&mut self, result: io::Result<()>);
}

impl<T: AsyncChat> Dispatcher for T {
    fn handle_read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match (&*self.chat().client.sock).read(buffer) {
            Ok(0) => self.handle_close(),
            Ok(n) => cut(self, &buffer[..n]),
            Err(err) => ok_if_not_ready(err)?,
        }
        AsyncChat::handle_write(self)
    }

    fn handle_write(&mut self) -> io::Result<()> {
        AsyncChat::handle_write(self)
    }

    fn socket(&self) -> &dyn AsSource {
        &*self.chat().client.sock
    }

    fn readable(&self) -> bool {
        AsyncChat::readable(self)
    }

    fn writable(&self) -> bool {
        AsyncChat::writable(self)
    }

    fn is_over(&mut self, now: Instant) -> bool {
        AsyncChat::is_over(self, now)
    }

    /// A client's error ends nothing but its conversation.
    fn close(&mut self, result: io::Result<()>) -> io::Result<()> {
        AsyncChat::close(self, result);
        Ok(())
    }
}
// ANCHOR_END: async_chat

// ANCHOR: cut
pub(super) fn cut(handler: &mut impl AsyncChat, mut data: &[u8]) {
    while !data.is_empty() {
        // Looked up each time: the handler may set another terminator.
        let cut = handler.chat_mut().next_cut(data);
        let (more_data, rest) = data.split_at(cut.collected);
        for more_data in [cut.released, more_data] {
            if !more_data.is_empty() {
                handler.collect_incoming_data(more_data);
            }
        }
        if cut.found {
            handler.found_terminator();
        }
        data = &rest[cut.skipped..];
    }
}
// ANCHOR_END: cut

/// What ends a piece.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Terminator {
    /// These bytes, which are not handed on.
    Bytes(&'static [u8]),
    /// So many bytes have been collected. After that there is no terminator.
    Count(usize),
}

/// The state of an [`AsyncChat`].
pub(crate) struct Chat {
    client: Client,
    terminator: Terminator,
    /// What has arrived and may be the beginning of a terminator: filled and
    /// emptied by `next_cut`.
    held: &'static [u8],
}

/// How to go on with bytes that have arrived.
struct Cut {
    /// What was held until now, and is the beginning of no terminator.
    released: &'static [u8],
    collected: usize,
    skipped: usize,
    found: bool,
}

impl Chat {
    pub(crate) fn new(client: Client, terminator: Terminator) -> Self {
        Self { client, terminator, held: &[] }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.client.address()
    }

    pub(crate) fn set_terminator(&mut self, terminator: Terminator) {
        self.terminator = terminator;
    }

    /// Sends what the socket takes at once: nothing, if it is full.
    pub(crate) fn send(&self, data: &[u8]) -> io::Result<usize> {
        match (&*self.client.sock).write(data) {
            Err(err) => ok_if_not_ready(err).map(|()| 0),
            sent => sent,
        }
    }

    /// After what was sent, the client meets the end of file.
    pub(crate) fn stop_sending(&self) -> io::Result<()> {
        self.client.sock.shutdown(Shutdown::Write)
    }

    // ANCHOR: next_cut
    /// Looks for the terminator in what was held and what has arrived now.
    fn next_cut(&mut self, data: &[u8]) -> Cut {
        let held = self.held;
        let there = held.len() + data.len();
        // How many bytes come before a terminator, and how many are in it: it
        // may be cut off by the end of what is there.
        let (before, inside, found) = match &mut self.terminator {
            Terminator::Bytes([]) | Terminator::Count(0) => (there, 0, false),
            Terminator::Count(left) => {
                let before = there.min(*left);
                *left -= before;
                (before, 0, *left == 0)
            }
            Terminator::Bytes(bytes) => {
                let agrees = |&at: &usize| {
                    let there = held.iter().chain(data).skip(at);
                    there.zip(bytes.iter()).all(|(a, b)| a == b)
                };
                let before = (0..there).find(agrees).unwrap_or(there);
                let inside = bytes.len().min(there - before);
                (before, inside, inside == bytes.len())
            }
        };
        self.held = match self.terminator {
            Terminator::Bytes(bytes) if !found => &bytes[..inside],
            _ => &held[held.len().min(before + inside)..],
        };
        let collected = before.saturating_sub(held.len());
        let used = (before + inside).saturating_sub(held.len());
        Cut {
            released: &held[..held.len().min(before)],
            collected,
            skipped: used - collected,
            found,
        }
    }
    // ANCHOR_END: next_cut
}
