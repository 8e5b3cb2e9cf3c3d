//! Sockets by number, and what the kernel has to do with each.

use std::io;
use std::net::TcpStream;

use zen_utils::StoppableSocket;

/// What has been sent is kept up to this size, so that the next answer
/// allocates nothing; what a burst has left is freed.
const KEPT_BYTES_MAX: usize = 1024;

// ANCHOR: connection
pub(super) struct Connection {
    pub(super) sock: StoppableSocket<TcpStream>,
    /// What the kernel is sending. Filled by `send`, emptied by `next`.
    pub(super) sending: Vec<u8>,
    /// How many completions are still to come.
    pub(super) in_flight: u8,
    pub(super) closing: bool,
}
// ANCHOR_END: connection

impl Connection {
    pub(super) fn clear_sent(&mut self) {
        self.sending.clear();
        self.sending.shrink_to(KEPT_BYTES_MAX);
    }
}

#[derive(Default)]
pub(super) struct Connections {
    by_key: Vec<Option<Connection>>,
    /// Keys that are nobody's, to be used again.
    free: Vec<usize>,
}

impl Connections {
    pub(super) fn insert(&mut self, sock: StoppableSocket<TcpStream>) -> usize {
        let sending = Vec::new();
        let new = Connection { sock, sending, in_flight: 0, closing: false };
        let key = self.free.pop().unwrap_or(self.by_key.len());
        if key == self.by_key.len() {
            self.by_key.push(None);
        }
        self.by_key[key] = Some(new);
        key
    }

    pub(super) fn get(&mut self, key: usize) -> io::Result<&mut Connection> {
        let connection = self.by_key.get_mut(key).and_then(Option::as_mut);
        connection.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    pub(super) fn remove(&mut self, key: usize) {
        self.by_key[key] = None;
        self.free.push(key);
    }
}
