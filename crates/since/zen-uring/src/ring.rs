//! A small completion queue: the kernel does what is submitted here, and
//! reports when it is done. It knows neither an aphorism nor where a question
//! ends.
//!
//! ```text
//! accept() recv() send()  -> submissions -> wait() -> the kernel does it
//! next()                  <- completions <------------+
//! ```
//!
//! What the kernel reads or writes meanwhile must stay where it is. So the ring
//! owns it all: the sockets, the bytes that are being sent, and the buffers.
#![expect(unsafe_code, reason = "the kernel reads and writes our memory")]

mod buffers;
mod completions;
mod tag;
#[cfg(test)]
mod tests;

use std::io;
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};
use slab::Slab;
use socket2::{SockAddrStorage, socklen_t};

use zen_utils::{Listener, StoppableSocket};

use buffers::Buffers;
pub(crate) use completions::{Completion, Done};
use tag::{ACCEPT, CANCEL, RECV, SEND, tag};

/// How many submissions there is room for. Also the most completions for each
/// wait, because most of them lead to a submission.
const SUBMISSIONS: u32 = 256;

/// A buffer of up to this size is kept after a send(), so that the next answer
/// allocates nothing. The larger buffer of a burst is freed.
const KEPT_BYTES_MAX: usize = 1024;

/// How many completions there is room for. The kernel keeps more than that in a
/// list of its own until there is room again.
const COMPLETIONS: u32 = 4096;

// ANCHOR: ring
/// The one place where this server waits.
pub(crate) struct Ring<'a> {
    ring: IoUring,
    buffers: Rc<Buffers>,
    listener: &'a Listener,
    /// The kernel writes to it while it accepts. Filled by `accept`, emptied by
    /// `accepted`. Null if no accept() is under way.
    peer: *mut Peer,
    /// Filled by `insert`, emptied by `close`.
    connections: Slab<Connection>,
    /// How many completions `next` may still take. Set by `wait`; without this
    /// limit, clients that keep sending would keep the caller's loop over
    /// `next` busy forever.
    completed: usize,
}
// ANCHOR_END: ring

/// The address of the client that is accepted next.
struct Peer {
    address: SockAddrStorage,
    length: socklen_t,
}

// ANCHOR: connection
/// A client's socket, and what the kernel is doing with it.
struct Connection {
    sock: StoppableSocket<TcpStream>,
    /// What the kernel is sending. Filled by `send`, emptied by `next`.
    sending: Vec<u8>,
    /// What the kernel is doing, `RECV` or `SEND`. Filled by `recv` and `send`,
    /// emptied by `next`.
    under_way: Option<u8>,
}
// ANCHOR_END: connection

/// Fails where there is no io_uring: the system is too old, or forbids it.
pub(crate) fn probe() -> io::Result<()> {
    build().map(drop)
}

// ANCHOR: new
fn build() -> io::Result<IoUring> {
    IoUring::builder()
        .setup_cqsize(COMPLETIONS)
        // Only one thread submits, and the kernel does its part of the work
        // while that thread waits, instead of interrupting it.
        .setup_single_issuer()
        .setup_defer_taskrun()
        .build(SUBMISSIONS)
        .map_err(|err| format!("no io_uring to be had here: {err}"))
        .map_err(io::Error::other)
}
// ANCHOR_END: new

impl<'a> Ring<'a> {
    /// A ring that accepts from this listener.
    pub(crate) fn new(listener: &'a Listener) -> io::Result<Self> {
        let ring = build()?;
        Ok(Self {
            buffers: Rc::new(Buffers::register(&ring)?),
            ring,
            listener,
            peer: ptr::null_mut(),
            connections: Slab::new(),
            completed: 0,
        })
    }

    // ANCHOR: accept
    /// Accepts one client, unless an accept() is under way already.
    pub(crate) fn accept(&mut self) -> io::Result<()> {
        if !self.peer.is_null() {
            return Ok(());
        }
        let address = SockAddrStorage::zeroed();
        let length = address.size_of();
        self.peer = Box::into_raw(Box::new(Peer { address, length }));
        // SAFETY: it was allocated just now.
        let Peer { address, length } = unsafe { &mut *self.peer };
        let address = ptr::from_mut(address).cast();
        let sock = Fd(self.listener.as_raw_fd());
        let accept = opcode::Accept::new(sock, address, length);
        let accept = accept.flags(libc::SOCK_CLOEXEC).build();
        self.submit(accept.user_data(tag(0, ACCEPT)))
    }
    // ANCHOR_END: accept

    /// Owns a socket from now on, and returns its key.
    pub(crate) fn insert(&mut self, sock: StoppableSocket<TcpStream>) -> usize {
        let (sending, under_way) = (Vec::new(), None);
        self.connections.insert(Connection { sock, sending, under_way })
    }

    fn connection(&mut self, key: usize) -> io::Result<&mut Connection> {
        let connection = self.connections.get_mut(key);
        connection.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The same, if nothing is under way: its bytes and its socket may change.
    fn at_rest(&mut self, key: usize) -> io::Result<&mut Connection> {
        match self.connection(key)? {
            connection if connection.under_way.is_none() => Ok(connection),
            _ => Err(io::ErrorKind::ResourceBusy.into()),
        }
    }

    // ANCHOR: recv
    /// Receives what comes next, into a buffer that is chosen only then.
    pub(crate) fn recv(&mut self, key: usize) -> io::Result<()> {
        self.submit_recv(key, 0)
    }

    fn submit_recv(&mut self, key: usize, flags: i32) -> io::Result<()> {
        let connection = self.at_rest(key)?;
        connection.under_way = Some(RECV);
        let sock = Fd(connection.sock.as_raw_fd());
        let recv = opcode::Recv::new(sock, ptr::null_mut(), 0).flags(flags);
        let recv = recv.buf_group(buffers::GROUP).build();
        let any_buffer = squeue::Flags::BUFFER_SELECT;
        self.submit(recv.flags(any_buffer).user_data(tag(key, RECV)))
    }
    // ANCHOR_END: recv

    // ANCHOR: send
    /// Sends these bytes, or the first of them.
    pub(crate) fn send(&mut self, key: usize, bytes: &[u8]) -> io::Result<()> {
        let connection = self.at_rest(key)?;
        connection.under_way = Some(SEND);
        connection.sending.extend_from_slice(bytes);
        let sock = Fd(connection.sock.as_raw_fd());
        let (start, length) = (connection.sending.as_ptr(), bytes.len() as u32);
        let send = opcode::Send::new(sock, start, length).build();
        self.submit(send.user_data(tag(key, SEND)))
    }
    // ANCHOR_END: send

    /// Shuts down the sending side, so that the client reads end of file.
    pub(crate) fn stop_sending(&mut self, key: usize) -> io::Result<()> {
        self.connection(key)?.sock.shutdown(Shutdown::Write)
    }

    // ANCHOR: close
    /// Makes the recv() or send() that is under way complete at once: with the
    /// bytes that have arrived until now, or with [`Done::Nothing`].
    pub(crate) fn cancel(&mut self, key: usize) -> io::Result<()> {
        let under_way = self.connection(key)?.under_way;
        let Some(kind) = under_way else { return Ok(()) };
        let cancel = opcode::AsyncCancel::new(tag(key, kind)).build();
        self.submit(cancel.user_data(tag(key, CANCEL)))
    }

    /// Closes the socket. Refuses while something is under way: it would go on,
    /// and the kernel would keep the connection open for it.
    pub(crate) fn close(&mut self, key: usize) -> io::Result<()> {
        self.at_rest(key)?;
        self.connections.remove(key);
        Ok(())
    }
    // ANCHOR_END: close

    // ANCHOR: submit
    fn submit(&mut self, entry: squeue::Entry) -> io::Result<()> {
        // SAFETY: what the entry points to belongs to the ring, and stays where
        // it is until `next` has its completion; without one, forever.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.ring.submit()?;
        }
        Ok(())
    }

    /// Submits everything, and waits until something is done or the time is
    /// over: one system call for all of it.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(Timespec::from);
        let mut args = SubmitArgs::new();
        if let Some(timeout) = &timeout {
            args = args.timespec(timeout);
        }
        if let Err(err) = self.ring.submitter().submit_with_args(1, &args) {
            let expected = [libc::ETIME, libc::EINTR, libc::EBUSY].map(Some);
            if !expected.contains(&err.raw_os_error()) {
                return Err(err);
            }
        }
        let completed = self.ring.completion().len();
        self.completed = completed.min(SUBMISSIONS as usize);
        Ok(())
    }
    // ANCHOR_END: submit
}

impl Drop for Ring<'_> {
    fn drop(&mut self) {
        // The kernel may go on for a moment: what it reads is never freed.
        mem::forget(mem::take(&mut self.connections));
    }
}
