//! Waits for sockets and timers, and calls their wakers.
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use polling::{AsSource, Event, Events, PollMode, Poller};

use zen_utils::shutdown::AsSocket;

/// Level-triggered: a socket that is still ready is reported again, so nothing
/// needs re-arming.
const LEVEL: PollMode = PollMode::Level;

// ANCHOR: reactor
/// The one place where this server waits: for sockets and the next timer.
pub(crate) struct Reactor {
    poller: Arc<Poller>,
    /// Filled and emptied by `Async`.
    sources: RefCell<HashMap<usize, Rc<Source>>>,
    /// Filled and emptied by `Timer`, and by `wait` when one is due.
    pub(super) timers: RefCell<BTreeMap<(Instant, usize), Waker>>,
    /// The keys of both count up and are never reused.
    last_key: Cell<usize>,
}

/// A socket, as the reactor knows it.
struct Source<S: ?Sized = dyn AsSource> {
    key: usize,
    /// Filled by `ready`, emptied by `wait` when the socket is ready.
    waker: Cell<Option<Waker>>,
    /// What the poller watches this socket for, if it does. Filled by
    /// `register`, emptied by `deregister`.
    interest: Cell<Option<Event>>,
    sock: S,
}
// ANCHOR_END: reactor

impl Reactor {
    pub(super) fn new(poller: Arc<Poller>) -> Self {
        Self {
            poller,
            sources: RefCell::default(),
            timers: RefCell::default(),
            last_key: Cell::default(),
        }
    }

    pub(super) fn next_key(&self) -> usize {
        self.last_key.set(self.last_key.get() + 1);
        self.last_key.get()
    }

    // ANCHOR: wait
    /// Sleeps if no task can run, and wakes those that can continue.
    pub(super) fn wait(
        &self,
        events: &mut Events,
        idle: bool,
    ) -> io::Result<()> {
        let timer = self.timers.borrow().keys().next().map(|&(at, _)| at);
        let timeout = match idle {
            true => {
                timer.map(|at| at.saturating_duration_since(Instant::now()))
            }
            false => Some(Duration::ZERO),
        };
        events.clear();
        self.poller.wait(events, timeout)?;
        let sources = self.sources.borrow();
        for source in events.iter().filter_map(|it| sources.get(&it.key)) {
            match source.waker.take() {
                Some(waker) => waker.wake(),
                // No task waits for it: ready, it would not let us sleep.
                None => self.deregister(source)?,
            }
        }
        let now = Instant::now();
        let mut timers = self.timers.borrow_mut();
        while let Some(timer) = timers.first_entry() {
            if timer.key().0 > now {
                break;
            }
            timer.remove().wake();
        }
        Ok(())
    }
    // ANCHOR_END: wait

    // ANCHOR: register
    /// Usually does nothing, because the interest is the same as before.
    fn register(&self, source: &Source, interest: Event) -> io::Result<()> {
        let sock = source.sock.source();
        match source.interest.replace(Some(interest)) {
            Some(before) if before == interest => Ok(()),
            Some(_) => self.poller.modify_with_mode(sock, interest, LEVEL),
            // SAFETY: `Async` deregisters the socket before it is closed.
            None => unsafe {
                self.poller.add_with_mode(&sock, interest, LEVEL)
            },
        }
    }

    fn deregister(&self, source: &Source) -> io::Result<()> {
        match source.interest.take() {
            Some(_) => self.poller.delete(source.sock.source()),
            None => Ok(()),
        }
    }
    // ANCHOR_END: register
}

// ANCHOR: async
/// A non-blocking socket that one task at a time can wait for.
pub(crate) struct Async<S: AsSource + 'static> {
    reactor: Rc<Reactor>,
    source: Rc<Source<S>>,
}

impl<S: AsSource> Async<S> {
    pub(crate) fn new(reactor: &Rc<Reactor>, sock: S) -> Self {
        let key = reactor.next_key();
        let (waker, interest) = (Cell::default(), Cell::default());
        let source = Rc::new(Source { key, waker, interest, sock });
        reactor.sources.borrow_mut().insert(key, Rc::clone(&source) as _);
        Self { reactor: Rc::clone(reactor), source }
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.source.sock
    }

    /// Pauses until there is something to receive, or a client to accept.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.ready(Event::readable(self.source.key)).await
    }

    // ANCHOR: ready
    /// Leaves a waker, and pauses until the reactor has taken it.
    async fn ready(&self, interest: Event) -> io::Result<()> {
        let mut waker_left = false;
        poll_fn(|context| {
            if waker_left && self.source.waker.take().is_none() {
                return Poll::Ready(Ok(()));
            }
            self.reactor.register(&*self.source, interest)?;
            self.source.waker.set(Some(context.waker().clone()));
            waker_left = true;
            Poll::Pending
        })
        .await
    }
    // ANCHOR_END: ready
}

impl<S: AsSource> Drop for Async<S> {
    fn drop(&mut self) {
        self.reactor.sources.borrow_mut().remove(&self.source.key);
        // This can fail only if the poller does not know the socket.
        self.reactor.deregister(&*self.source).ok();
    }
}

impl Async<TcpListener> {
    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.readable().await?;
        self.get_ref().accept()
    }
}

impl Async<TcpStream> {
    /// Sends what there is room for. Pauses only if there is none.
    pub(crate) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.get_ref().write(bytes) {
                Err(err) if err.kind() == ErrorKind::WouldBlock => {
                    self.ready(Event::writable(self.source.key)).await?;
                }
                result => return result,
            }
        }
    }
}
// ANCHOR_END: async

/// Lets a signal end a conversation: see `StoppableSocket`.
#[cfg(unix)]
impl<S: AsSource + AsSocket> AsSocket for Async<S> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.source.sock.as_fd()
    }
}

#[cfg(windows)]
impl<S: AsSource + AsSocket> AsSocket for Async<S> {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.source.sock.as_socket()
    }
}
