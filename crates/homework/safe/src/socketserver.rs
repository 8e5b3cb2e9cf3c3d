//! A small `socketserver`, as in the listing: a server pattern and a handler
//! pattern. Between the two is a hook, as in Python's, that decides whether a
//! client is let in. This module knows neither aphorisms nor limits.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use zen_utils::{
    Listener, StoppableSocket, log, pause_after_failed_accept, shutdown,
};

/// What a framework's user writes: how to talk to one client.
pub(crate) trait BaseRequestHandler: Clone + Send + 'static {
    /// Talks to a client until either side ends the conversation, and closes
    /// its socket.
    fn handle(
        self,
        request: StoppableSocket<TcpStream>,
        client_address: SocketAddr,
    );
}

/// Decides which clients are let in.
pub(crate) trait VerifyRequest {
    /// What a client holds as long as it is served.
    type Seat: Send + 'static;

    /// A seat for this client, or the reason for the log why there is none.
    fn verify_request(
        &self,
        client_address: SocketAddr,
    ) -> Result<Self::Seat, String>;
}

/// Waits for clients, and starts a thread for each that is let in.
pub(crate) struct TcpServer<'a, H, V> {
    listener: &'a Listener,
    handler: H,
    verify: V,
    max_clients: usize,
    /// Raised by `process_request`, lowered when a `Worker` is dropped.
    serving: Arc<AtomicUsize>,
    wake_up: Arc<WakeUp>,
}

impl<'a, H: BaseRequestHandler, V: VerifyRequest> TcpServer<'a, H, V> {
    /// A server on this listener.
    pub(crate) fn new(
        listener: &'a Listener,
        handler: H,
        verify: V,
        max_clients: usize,
    ) -> io::Result<Self> {
        // A client that poll() has reported may leave before accept().
        listener.set_nonblocking(true)?;
        let wake_up = Arc::new(WakeUp::new()?);
        let serving = Arc::default();
        Ok(Self { listener, handler, verify, max_clients, serving, wake_up })
    }

    /// Serves until a signal ends the server and the last client has left.
    pub(crate) fn serve_forever(&self) -> io::Result<()> {
        let mut accept_after = Instant::now();
        while !(shutdown::begun() && self.serving() == 0) {
            let full = self.serving() >= self.max_clients;
            if full {
                log::serving_the_most(self.max_clients);
            }
            let accept = !full && !shutdown::begun();
            if self.wait(accept, accept_after)? {
                match self.listener.accept() {
                    Ok((sock, address)) => self.start_worker(sock, address),
                    Err(err) => {
                        let pause = pause_after_failed_accept(err)?;
                        accept_after = Instant::now() + pause;
                    }
                }
            }
            self.wake_up.clear();
        }
        Ok(())
    }

    fn serving(&self) -> usize {
        self.serving.load(Ordering::SeqCst)
    }

    /// Waits for a worker to end or, with `accept`, for a client. Returns
    /// whether there is a client.
    fn wait(&self, accept: bool, after: Instant) -> io::Result<bool> {
        let pause = after.saturating_duration_since(Instant::now());
        let paused = accept && !pause.is_zero();
        let timeout = Timespec::try_from(pause).map_err(io::Error::other)?;
        let mut watched = [
            PollFd::new(&self.wake_up.receiver, PollFlags::IN),
            PollFd::new(&**self.listener, PollFlags::IN),
        ];
        let watching = if accept && !paused { 2 } else { 1 };
        match poll(&mut watched[..watching], paused.then_some(&timeout)) {
            Ok(_) => Ok(watching == 2 && !watched[1].revents().is_empty()),
            Err(err) => match io::Error::from(err) {
                err if err.kind() == ErrorKind::Interrupted => Ok(false),
                err => Err(err),
            },
        }
    }

    fn start_worker(
        &self,
        sock: StoppableSocket<TcpStream>,
        address: SocketAddr,
    ) {
        log::accepted(address);
        // On some systems an accepted socket is as non-blocking as the
        // listener, and handlers block.
        let started = sock
            .set_nonblocking(false)
            .map_err(|err| err.to_string())
            .and_then(|()| self.verify.verify_request(address))
            .and_then(|seat| {
                self.process_request(sock, address, seat)
                    .map_err(|err| format!("cannot start a thread: {err}"))
            });
        if let Err(error) = started {
            log::client_error(address, error);
        }
    }

    fn process_request(
        &self,
        request: StoppableSocket<TcpStream>,
        client_address: SocketAddr,
        seat: V::Seat,
    ) -> io::Result<()> {
        self.serving.fetch_add(1, Ordering::SeqCst);
        let worker = Worker(Arc::clone(&self.serving), self.wake_up.clone());
        let handler = self.handler.clone();
        thread::Builder::new().spawn(move || {
            let _worker = worker;
            let _seat = seat;
            handler.handle(request, client_address);
        })?;
        Ok(())
    }
}

/// One client that is being served. It is dropped when its thread ends, even by
/// a panic, or when its thread cannot start.
struct Worker(Arc<AtomicUsize>, Arc<WakeUp>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
        self.1.wake();
    }
}

/// Makes a poll() return, from another thread: one socket of a pair is watched,
/// and the other one sends to it.
#[derive(Debug)]
pub(crate) struct WakeUp {
    sender: Datagrams,
    receiver: Datagrams,
}

#[cfg(unix)]
type Datagrams = std::os::unix::net::UnixDatagram;
#[cfg(windows)]
type Datagrams = std::net::UdpSocket;

impl WakeUp {
    fn new() -> io::Result<Self> {
        let (sender, receiver) = pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Self { sender, receiver })
    }

    /// Makes the current poll() return, or else the next one.
    fn wake(&self) {
        // This only fails if the buffer is full, and then poll() returns, too.
        self.sender.send(&[0]).ok();
    }

    fn clear(&self) {
        while self.receiver.recv(&mut [0]).is_ok() {}
    }
}

#[cfg(unix)]
fn pair() -> io::Result<(Datagrams, Datagrams)> {
    Datagrams::pair()
}

/// Windows can only poll() network sockets: one that is connected to itself.
#[cfg(windows)]
fn pair() -> io::Result<(Datagrams, Datagrams)> {
    let sock = Datagrams::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    sock.connect(sock.local_addr()?)?;
    Ok((sock.try_clone()?, sock))
}
