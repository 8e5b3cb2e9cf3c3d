//! A small completion queue: what is asked of the kernel here, it does by
//! itself, and tells when it is done. It knows neither an aphorism nor where a
//! question ends.
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
mod connections;
mod peer;
mod tag;
#[cfg(test)]
mod tests;

use std::io;
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

use zen_utils::{Listener, StoppableSocket};

use buffers::Buffers;
pub(crate) use buffers::Received;
use connections::Connections;
use tag::{ACCEPT, CANCEL, RECV, SEND, outcome, tag, untag};

/// So many submissions before they are handed over even without a wait.
const SUBMISSIONS: u32 = 256;

/// So many completions before the kernel has to put some aside.
const COMPLETIONS: u32 = 4096;

// ANCHOR: completion
/// What the kernel has done, or tried to.
pub(crate) enum Completion {
    /// A client has connected.
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    /// Something for the connection of this key.
    Done(usize, io::Result<Done>),
}

pub(crate) enum Done {
    Received(Received),
    /// The client sends no more.
    EndOfFile,
    /// So many of the bytes.
    Sent(usize),
}
// ANCHOR_END: completion

// ANCHOR: ring
/// The only one who waits.
pub(crate) struct Ring<'a> {
    ring: IoUring,
    buffers: Rc<Buffers>,
    listener: &'a Listener,
    accepting: bool,
    /// Filled by `insert`, emptied by `close` or when `next` has the last
    /// completion.
    connections: Connections,
}
// ANCHOR_END: ring

impl<'a> Ring<'a> {
    // ANCHOR: new
    /// A ring that will accept from this listener.
    pub(crate) fn new(listener: &'a Listener) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_cqsize(COMPLETIONS)
            // One thread submits, and what completes waits for it to wait.
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(SUBMISSIONS)
            .map_err(|err| format!("no io_uring to be had here: {err}"))
            .map_err(io::Error::other)?;
        let buffers = Rc::new(Buffers::register(&ring)?);
        let (accepting, connections) = (false, Connections::default());
        Ok(Self { ring, buffers, listener, accepting, connections })
    }
    // ANCHOR_END: new

    // ANCHOR: accept
    /// Accepts one client, or each that comes until that fails.
    pub(crate) fn accept(&mut self, many: bool) -> io::Result<()> {
        if self.accepting {
            return Ok(());
        }
        self.accepting = true;
        let (sock, none) = (Fd(self.listener.as_raw_fd()), ptr::null_mut());
        let one = opcode::Accept::new(sock, none, none.cast());
        let each = opcode::AcceptMulti::new(sock);
        self.submit(match many {
            false => one.flags(libc::SOCK_CLOEXEC).build(),
            true => each.flags(libc::SOCK_CLOEXEC).build(),
        })
    }

    /// The kernel keeps to the limit on descriptors that held when it was
    /// asked. So it has to be asked again, now and then.
    pub(crate) fn renew_accept(&mut self) -> io::Result<()> {
        let cancel = opcode::AsyncCancel::new(tag(0, ACCEPT)).build();
        self.submit(cancel.user_data(tag(0, CANCEL)))
    }
    // ANCHOR_END: accept

    /// Takes care of a socket from now on, and says by which key.
    pub(crate) fn insert(&mut self, sock: StoppableSocket<TcpStream>) -> usize {
        self.connections.insert(sock)
    }

    // ANCHOR: recv
    /// Receives what comes next, into a buffer that is chosen then.
    pub(crate) fn recv(&mut self, key: usize) -> io::Result<()> {
        let connection = self.connections.get(key)?;
        connection.in_flight += 1;
        let sock = Fd(connection.sock.as_raw_fd());
        let recv = opcode::Recv::new(sock, ptr::null_mut(), 0);
        let recv = recv.buf_group(buffers::GROUP).build();
        let any_buffer = squeue::Flags::BUFFER_SELECT;
        self.submit(recv.flags(any_buffer).user_data(tag(key, RECV)))
    }
    // ANCHOR_END: recv

    // ANCHOR: send
    /// Sends these bytes, or the first of them. One send at a time.
    pub(crate) fn send(&mut self, key: usize, bytes: &[u8]) -> io::Result<()> {
        let connection = self.connections.get(key)?;
        if !connection.sending.is_empty() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        connection.in_flight += 1;
        connection.sending.extend_from_slice(bytes);
        let sock = Fd(connection.sock.as_raw_fd());
        let (start, length) = (connection.sending.as_ptr(), bytes.len() as u32);
        let send = opcode::Send::new(sock, start, length).build();
        self.submit(send.user_data(tag(key, SEND)))
    }
    // ANCHOR_END: send

    /// After what was sent, the client meets the end of file.
    pub(crate) fn stop_sending(&mut self, key: usize) -> io::Result<()> {
        self.connections.get(key)?.sock.shutdown(Shutdown::Write)
    }

    // ANCHOR: close
    /// Closes the socket, once the kernel has done with it. Nothing is heard of
    /// this key any more.
    pub(crate) fn close(&mut self, key: usize) {
        let Ok(connection) = self.connections.get(key) else { return };
        if connection.in_flight == 0 {
            self.connections.remove(key);
        } else {
            // To close it would stop nothing: the kernel keeps what it works
            // on. This ends a recv() and a send() at once.
            connection.sock.shutdown(Shutdown::Both).ok();
            connection.closing = true;
        }
    }
    // ANCHOR_END: close

    // ANCHOR: submit
    fn submit(&mut self, entry: squeue::Entry) -> io::Result<()> {
        // SAFETY: what the entry points to is the ring's, and stays where it is
        // until `next` has its completion; if that never comes, for good.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.ring.submit()?;
        }
        Ok(())
    }

    /// Hands over what was submitted, and waits until something is done: one
    /// system call for all of it.
    pub(crate) fn wait(&mut self, time: Option<Duration>) -> io::Result<()> {
        let time = time.map(Timespec::from);
        let until = SubmitArgs::new();
        let until = time.as_ref().map_or(until, |time| until.timespec(time));
        match self.ring.submitter().submit_with_args(1, &until) {
            Err(err) => match err.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY) => Ok(()),
                _ => Err(err),
            },
            Ok(_) => Ok(()),
        }
    }
    // ANCHOR_END: submit

    // ANCHOR: next
    /// The next thing that is done, if there is one already.
    pub(crate) fn next(&mut self) -> io::Result<Option<Completion>> {
        loop {
            let entry = self.ring.completion().next();
            let Some(entry) = entry else { return Ok(None) };
            let (key, kind) = untag(entry.user_data());
            let result = outcome(entry.result());
            if kind == ACCEPT {
                self.accepting = cqueue::more(entry.flags());
                if entry.result() == -libc::ECANCELED {
                    continue;
                }
                let accepted = result.and_then(peer::accepted);
                return Ok(Some(Completion::Accepted(accepted)));
            } else if kind == CANCEL {
                continue;
            }
            // Handed over again when it is dropped, whatever comes of it.
            let bytes = cqueue::buffer_select(entry.flags()).map(|id| {
                let n = result.as_ref().copied().unwrap_or(0);
                self.buffers.received(id, n)
            });
            let connection = self.connections.get(key)?;
            connection.in_flight -= 1;
            if kind == SEND {
                connection.clear_sent();
            }
            if connection.closing {
                self.close(key);
            } else if entry.result() == -libc::ENOBUFS {
                // All are in use: by the completions behind this one.
                self.recv(key)?;
            } else {
                let done = result.map(|n| match bytes {
                    _ if kind == SEND => Done::Sent(n),
                    Some(bytes) if n > 0 => Done::Received(bytes),
                    _ => Done::EndOfFile,
                });
                return Ok(Some(Completion::Done(key, done)));
            }
        }
    }
    // ANCHOR_END: next
}

impl Drop for Ring<'_> {
    fn drop(&mut self) {
        // The kernel may read on for a moment: what it reads is never freed.
        mem::forget(mem::take(&mut self.connections));
    }
}
