//! A dispatcher whose socket listens.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Instant;

use polling::AsSource;

use zen_utils::{
    Listener, StoppableSocket, log, pause_after_failed_accept, shutdown,
};

use super::{Accepted, Dispatcher};

/// A client's socket, and one of the copies by which clients are counted.
pub(crate) struct Client {
    pub(super) sock: StoppableSocket<TcpStream>,
    pub(super) address: SocketAddr,
    pub(super) _counted: Rc<()>,
}

impl Client {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

// ANCHOR: server
/// Accepts clients, as many as there may be.
pub(crate) struct Server<'a, F> {
    listener: &'a Listener,
    max_clients: usize,
    /// Each client has a copy.
    counter: Rc<()>,
    accept_after: Instant,
    handle_accepted: F,
}

impl<'a, F, D> Server<'a, F>
where
    F: Fn(Client) -> D,
    D: Dispatcher + 'static,
{
    /// `handle_accepted` makes the dispatcher of each client.
    pub(crate) fn new(
        listener: &'a Listener,
        max_clients: usize,
        handle_accepted: F,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let (counter, accept_after) = (Rc::default(), Instant::now());
        Ok(Self {
            listener,
            max_clients,
            counter,
            accept_after,
            handle_accepted,
        })
    }

    fn accept(&self) -> io::Result<Client> {
        let (sock, address) = self.listener.accept()?;
        sock.set_nonblocking(true)?;
        Ok(Client { sock, address, _counted: Rc::clone(&self.counter) })
    }
}

impl<F, D> Dispatcher for Server<'_, F>
where
    F: Fn(Client) -> D,
    D: Dispatcher + 'static,
{
    fn socket(&self) -> &dyn AsSource {
        &**self.listener
    }

    fn accepting(&self) -> bool {
        true
    }

    fn readable(&self) -> bool {
        let full = Rc::strong_count(&self.counter) > self.max_clients;
        if full {
            log::serving_the_most(self.max_clients);
        }
        !full && Instant::now() >= self.accept_after
    }

    fn handle_accept(&mut self) -> io::Result<Accepted> {
        match self.accept() {
            Ok(client) => Ok(Some(Box::new((self.handle_accepted)(client)))),
            Err(err) => {
                let pause = pause_after_failed_accept(err)?;
                self.accept_after = Instant::now() + pause;
                Ok(None)
            }
        }
    }

    fn is_over(&mut self, _: Instant) -> bool {
        shutdown::begun()
    }

    fn close(&mut self, result: io::Result<()>) -> io::Result<()> {
        result
    }
}
// ANCHOR_END: server
