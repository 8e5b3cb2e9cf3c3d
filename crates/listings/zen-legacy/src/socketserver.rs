//! A small `socketserver`: a server pattern and a handler pattern, and a
//! mix-in between them that decides who runs the handler (page 124). It knows
//! neither an aphorism nor where a question ends.
//!
//! ```text
//! TcpServer<M, H>    poll(), accept()
//!    M: MixIn        process_request(): start a thread, or a process
//!       H: BaseRequestHandler   handle(): talk to one client
//! ```

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

pub use crate::wake_up::WakeUp;

// ANCHOR: handler
/// What a framework's user writes: how to talk to one client.
pub trait BaseRequestHandler: Clone + Send + 'static {
    /// Talks to a client until either side ends the conversation, and closes
    /// its socket.
    fn handle(
        self,
        request: StoppableSocket<TcpStream>,
        client_address: SocketAddr,
    );
}
// ANCHOR_END: handler

// ANCHOR: mix_in
/// What runs the handler: a thread, or a process.
pub trait MixIn: Sized {
    /// What is started for each client, for the log.
    const WORKER: &'static str;

    /// A mix-in that serves no clients yet. Each worker that ends must call
    /// [`WakeUp::wake`].
    ///
    /// # Errors
    ///
    /// The system cannot tell us when a worker ends.
    fn new(wake_up: Arc<WakeUp>) -> io::Result<Self>;

    /// Starts a worker that handles this client, and does not wait for it.
    ///
    /// # Errors
    ///
    /// The worker cannot start. That is an error of this client only.
    fn process_request<H: BaseRequestHandler>(
        &mut self,
        listener: &Listener,
        handler: H,
        request: StoppableSocket<TcpStream>,
        client_address: SocketAddr,
    ) -> io::Result<()>;

    /// Cleans up after workers that have ended.
    fn service_actions(&mut self) {}

    /// How many clients are being served.
    fn serving(&self) -> usize;
}
// ANCHOR_END: mix_in

// ANCHOR: server
/// The server pattern: waits for clients, and hands each to the mix-in.
#[derive(Debug)]
pub struct TcpServer<'a, M, H> {
    listener: &'a Listener,
    handler: H,
    mix_in: M,
    max_clients: usize,
    wake_up: Arc<WakeUp>,
}

impl<'a, M: MixIn, H: BaseRequestHandler> TcpServer<'a, M, H> {
    /// A server on this listener.
    ///
    /// # Errors
    ///
    /// Out of descriptors.
    pub fn new(
        listener: &'a Listener,
        handler: H,
        max_clients: usize,
    ) -> io::Result<Self> {
        // A client that poll() has reported may leave before accept().
        listener.set_nonblocking(true)?;
        let wake_up = Arc::new(WakeUp::new()?);
        let mix_in = M::new(Arc::clone(&wake_up))?;
        Ok(Self { listener, handler, mix_in, max_clients, wake_up })
    }

    /// Serves until a signal ends the server and the last client has left.
    ///
    /// # Errors
    ///
    /// The listener's own.
    pub fn serve_forever(mut self) -> io::Result<()> {
        let mut accept_after = Instant::now();
        while !(shutdown::begun() && self.mix_in.serving() == 0) {
            let full = self.mix_in.serving() >= self.max_clients;
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
            self.mix_in.service_actions();
        }
        Ok(())
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
        &mut self,
        sock: StoppableSocket<TcpStream>,
        address: SocketAddr,
    ) {
        log::accepted(address);
        let handler = self.handler.clone();
        // On some systems an accepted socket is as non-blocking as the
        // listener, and handlers block.
        let started = sock.set_nonblocking(false).and_then(|()| {
            self.mix_in.process_request(self.listener, handler, sock, address)
        });
        if let Err(err) = started {
            let worker = M::WORKER;
            let error = format!("cannot start a {worker}: {err}");
            log::client_error(address, error);
        }
    }
}
// ANCHOR_END: server

// ANCHOR: threading_mix_in
/// A thread for each client.
#[derive(Debug)]
pub struct ThreadingMixIn {
    /// Raised by `process_request`, lowered when a `Worker` is dropped.
    serving: Arc<AtomicUsize>,
    wake_up: Arc<WakeUp>,
}

impl MixIn for ThreadingMixIn {
    const WORKER: &'static str = "thread";

    fn new(wake_up: Arc<WakeUp>) -> io::Result<Self> {
        Ok(Self { serving: Arc::default(), wake_up })
    }

    fn process_request<H: BaseRequestHandler>(
        &mut self,
        _: &Listener,
        handler: H,
        request: StoppableSocket<TcpStream>,
        client_address: SocketAddr,
    ) -> io::Result<()> {
        self.serving.fetch_add(1, Ordering::SeqCst);
        let worker = Worker(Arc::clone(&self.serving), self.wake_up.clone());
        thread::Builder::new().spawn(move || {
            let _worker = worker;
            handler.handle(request, client_address);
        })?;
        Ok(())
    }

    fn serving(&self) -> usize {
        self.serving.load(Ordering::SeqCst)
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
// ANCHOR_END: threading_mix_in
