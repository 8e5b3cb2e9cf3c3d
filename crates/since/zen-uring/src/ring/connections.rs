//! The sockets by key, and what the kernel is doing with each.

use std::io;
use std::net::TcpStream;

use zen_utils::StoppableSocket;

/// A buffer of up to this size is kept after a send(), so that the next answer
/// allocates nothing. The larger buffer of a burst is freed.
const KEPT_BYTES_MAX: usize = 1024;

// ANCHOR: connection
pub(super) struct Connection {
    pub(super) sock: StoppableSocket<TcpStream>,
    /// What the kernel is sending. Filled by `send`, emptied by `next`.
    pub(super) sending: Vec<u8>,
    /// What the kernel is doing, `RECV` or `SEND`. Filled by `recv` and `send`,
    /// emptied by `next`.
    pub(super) under_way: Option<u8>,
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
    /// Keys that are free to be used again.
    free: Vec<usize>,
}

impl Connections {
    pub(super) fn insert(&mut self, sock: StoppableSocket<TcpStream>) -> usize {
        let new = Connection { sock, sending: Vec::new(), under_way: None };
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

    /// The same, if nothing is under way: its bytes and its socket may change.
    pub(super) fn at_rest(
        &mut self,
        key: usize,
    ) -> io::Result<&mut Connection> {
        match self.get(key)? {
            connection if connection.under_way.is_none() => Ok(connection),
            _ => Err(io::ErrorKind::ResourceBusy.into()),
        }
    }

    pub(super) fn remove(&mut self, key: usize) {
        self.by_key[key] = None;
        self.free.push(key);
    }
}
