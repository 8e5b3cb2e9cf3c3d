//! The other half of the ring: what the kernel has done.
#![expect(unsafe_code, reason = "accept() returns a descriptor as a number")]

use std::io;
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;

use io_uring::cqueue::{Entry, buffer_select};
use socket2::SockAddr;

use super::buffers::Received;
use super::tag::{ACCEPT, CANCEL, RECV, SEND, outcome, untag};
use super::{KEPT_BYTES_MAX, Peer, Ring};

// ANCHOR: completion
/// What the kernel has done, or tried to.
pub(crate) enum Completion {
    /// A client has connected.
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    /// Something is done for the connection with this key.
    Done(usize, io::Result<Done>),
}

pub(crate) enum Done {
    Received(Received),
    /// The client sends nothing more.
    EndOfFile,
    /// How many of the bytes were sent.
    Sent(usize),
    /// It was cancelled before it received or sent anything.
    Nothing,
}
// ANCHOR_END: completion

impl Ring<'_> {
    // ANCHOR: next
    /// The next thing that was done when `wait` returned, if there is one left.
    pub(crate) fn next(&mut self) -> io::Result<Option<Completion>> {
        while self.completed > 0 {
            self.completed -= 1;
            let entry = self.ring.completion().next();
            let Some(entry) = entry else { return Ok(None) };
            let completion = match untag(entry.user_data()) {
                (_, ACCEPT) => {
                    let accepted = self.accepted(outcome(entry.result()));
                    Some(Completion::Accepted(accepted))
                }
                (_, CANCEL) => None,
                (key, kind) => {
                    let done = self.done(key, kind, &entry)?;
                    done.map(|done| Completion::Done(key, done))
                }
            };
            if completion.is_some() {
                return Ok(completion);
            }
        }
        Ok(None)
    }

    /// How a recv() or a send() ended. `None` if it was submitted once more.
    fn done(
        &mut self,
        key: usize,
        kind: u8,
        entry: &Entry,
    ) -> io::Result<Option<io::Result<Done>>> {
        let result = outcome(entry.result());
        // The kernel gets the buffer back when this is dropped.
        let bytes = buffer_select(entry.flags()).map(|id| {
            self.buffers.received(id, result.as_ref().copied().unwrap_or(0))
        });
        let connection = self.connection(key)?;
        connection.under_way = None;
        connection.sending.clear();
        connection.sending.shrink_to(KEPT_BYTES_MAX);
        Ok(Some(match (result, -entry.result()) {
            (Ok(n), _) if kind == SEND => Ok(Done::Sent(n)),
            (Ok(_), _) => Ok(match bytes {
                Some(bytes) if !bytes.is_empty() => Done::Received(bytes),
                _ => Done::EndOfFile,
            }),
            // All buffers are in use, by the completions after this one.
            (_, libc::ENOBUFS) if kind == RECV => {
                self.recv(key)?;
                return Ok(None);
            }
            // Bytes may have come just before it was cancelled.
            (_, libc::ECANCELED) if kind == RECV => {
                self.submit_recv(key, libc::MSG_DONTWAIT)?;
                return Ok(None);
            }
            (_, libc::EAGAIN | libc::ECANCELED) => Ok(Done::Nothing),
            (Err(err), _) => Err(err),
        }))
    }
    // ANCHOR_END: next

    // ANCHOR: accepted
    fn accepted(
        &mut self,
        result: io::Result<usize>,
    ) -> io::Result<(TcpStream, SocketAddr)> {
        let peer = mem::replace(&mut self.peer, ptr::null_mut());
        // SAFETY: it comes from `Box::into_raw`, and the kernel is done with it.
        let Peer { address, length } = *unsafe { Box::from_raw(peer) };
        let descriptor = result? as RawFd;
        // SAFETY: accept() returned it just now, so it belongs to no one else.
        let sock = unsafe { OwnedFd::from_raw_fd(descriptor) };
        // SAFETY: accept() filled it in, and set its length.
        let address = unsafe { SockAddr::new(address, length) };
        let address = address.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        Ok((sock.into(), address))
    }
    // ANCHOR_END: accepted
}
