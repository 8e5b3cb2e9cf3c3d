//! What the user of this framework writes.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use zen_utils::ok_if_not_ready;

// ANCHOR: dispatcher
/// What to do with a socket. If it waits for nothing, its socket is closed.
pub(crate) trait Dispatcher {
    /// Whether it waits for bytes or, if its socket listens, for clients.
    fn readable(&self) -> bool;

    /// Whether it waits for room to send.
    fn writable(&self) -> bool {
        false
    }

    /// A client has connected. Returns the dispatcher of its socket.
    fn handle_accepted(
        &mut self,
        _: SocketAddr,
    ) -> Option<Box<dyn Dispatcher>> {
        None
    }

    /// There are bytes, or their end.
    fn handle_read(&mut self, _: &TcpStream, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }

    /// There is room to send.
    fn handle_write(&mut self, _: &TcpStream) -> io::Result<()> {
        Ok(())
    }

    /// When the client will be late, unless something happens before.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Waits for nothing more if the client is late. Called after each turn.
    fn expire(&mut self, _now: Instant) {}

    /// The socket is closed next, because of this error or because it waits for
    /// nothing. An error that this returns ends the loop.
    fn close(&mut self, result: io::Result<()>) -> io::Result<()>;
}
// ANCHOR_END: dispatcher

// ANCHOR: async_chat
/// Is told about received bytes piece by piece.
pub(crate) trait AsyncChat {
    /// The byte that ends a piece.
    const TERMINATOR: u8;

    /// These bytes have arrived. There is no terminator in them.
    fn collect_incoming_data(&mut self, more_data: &[u8]);

    /// The piece that was collected is complete.
    fn found_terminator(&mut self);

    /// The client sends nothing more.
    fn handle_close(&mut self);

    /// Receives once, and calls the methods above.
    fn receive(
        &mut self,
        mut sock: &TcpStream,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        match sock.read(buffer) {
            Ok(0) => self.handle_close(),
            Ok(n) => self.split(&buffer[..n]),
            Err(err) => return ok_if_not_ready(err),
        }
        Ok(())
    }

    /// Splits what has arrived at each terminator, wherever that is.
    fn split(&mut self, data: &[u8]) {
        for piece in data.split_inclusive(|&byte| byte == Self::TERMINATOR) {
            match piece.strip_suffix(&[Self::TERMINATOR]) {
                Some(last_data) => {
                    self.collect_incoming_data(last_data);
                    self.found_terminator();
                }
                None => self.collect_incoming_data(piece),
            }
        }
    }
}
// ANCHOR_END: async_chat
