//! Who waits for the sockets, and calls wakers. It knows nothing of time.
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use polling::{AsRawSource, AsSource, Event, Events, PollMode, Poller};

use zen_utils::shutdown::AsSocket;

/// Level-triggered: a socket that is still ready is reported again at the next
/// wait, so nothing needs re-arming.
const LEVEL: PollMode = PollMode::Level;

/// The only one in this thread who waits: for sockets, or to be notified.
pub(crate) struct Reactor {
    poller: Arc<Poller>,
    /// Filled and emptied by `Async`.
    sources: RefCell<HashMap<usize, Rc<Source>>>,
    /// Keys count up, and none is used twice.
    last_key: Cell<usize>,
}

/// A socket, as the reactor knows it.
struct Source<S: ?Sized = dyn AsSource> {
    key: usize,
    /// Filled by `ready`, emptied by `wait` when the socket is.
    waker: Cell<Option<Waker>>,
    /// What the poller watches for, if it watches this socket.
    watched: Cell<Option<Event>>,
    sock: S,
}

impl Reactor {
    pub(super) fn new(poller: Arc<Poller>) -> Self {
        Self { poller, sources: RefCell::default(), last_key: Cell::default() }
    }

    fn next_key(&self) -> usize {
        self.last_key.set(self.last_key.get() + 1);
        self.last_key.get()
    }

    /// Sleeps, if nobody has anything to do, and wakes those who can go on.
    pub(super) fn wait(
        &self,
        events: &mut Events,
        idle: bool,
    ) -> io::Result<()> {
        events.clear();
        let timeout = (!idle).then_some(Duration::ZERO);
        self.poller.wait(events, timeout)?;
        let sources = self.sources.borrow();
        for source in events.iter().filter_map(|it| sources.get(&it.key)) {
            match source.waker.take() {
                Some(waker) => waker.wake(),
                // Nobody waits for it: ready, it would not let us sleep.
                None => self.deregister(source)?,
            }
        }
        Ok(())
    }

    /// Mostly there is nothing to do: it is watched for the same as before.
    fn watch<S: AsSource>(&self, it: &Source<S>, wish: Event) -> io::Result<()>
    where
        for<'a> &'a S: AsRawSource,
    {
        match it.watched.get() {
            Some(watched) if watched == wish => {}
            Some(_) => self.poller.modify_with_mode(&it.sock, wish, LEVEL)?,
            // SAFETY: `Async` forgets the socket before it is closed.
            None => unsafe {
                self.poller.add_with_mode(&it.sock, wish, LEVEL)?;
            },
        }
        it.watched.set(Some(wish));
        Ok(())
    }

    fn deregister<S: AsSource + ?Sized>(
        &self,
        it: &Source<S>,
    ) -> io::Result<()> {
        match it.watched.take() {
            Some(_) => self.poller.delete(it.sock.source()),
            None => Ok(()),
        }
    }
}

/// A socket that does not block, for which one task at a time can wait.
pub(crate) struct Async<S: AsSource + 'static> {
    reactor: Rc<Reactor>,
    source: Rc<Source<S>>,
}

impl<S: AsSource> Async<S>
where
    for<'a> &'a S: AsRawSource,
{
    pub(crate) fn new(reactor: &Rc<Reactor>, sock: S) -> Self {
        let key = reactor.next_key();
        let (waker, watched) = (Cell::default(), Cell::default());
        let source = Rc::new(Source { key, waker, watched, sock });
        reactor.sources.borrow_mut().insert(key, Rc::clone(&source) as _);
        Self { reactor: Rc::clone(reactor), source }
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.source.sock
    }

    /// Pauses until there is something to receive, or somebody to accept.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.ready(Event::readable(self.source.key)).await
    }

    /// Leaves a waker, and pauses until the reactor has taken it.
    async fn ready(&self, wish: Event) -> io::Result<()> {
        let mut waker_left = false;
        poll_fn(|context| {
            if waker_left && self.source.waker.take().is_none() {
                return Poll::Ready(Ok(()));
            }
            self.reactor.watch(&self.source, wish)?;
            self.source.waker.set(Some(context.waker().clone()));
            waker_left = true;
            Poll::Pending
        })
        .await
    }
}

impl<S: AsSource> Drop for Async<S> {
    fn drop(&mut self) {
        self.reactor.sources.borrow_mut().remove(&self.source.key);
        // It can fail only if the poller does not know the socket.
        self.reactor.deregister(&self.source).ok();
    }
}

impl Async<TcpListener> {
    pub(crate) async fn accept(
        &self,
    ) -> io::Result<(Async<TcpStream>, SocketAddr)> {
        self.readable().await?;
        let (sock, address) = self.get_ref().accept()?;
        sock.set_nonblocking(true)?;
        Ok((Async::new(&self.reactor, sock), address))
    }
}

impl Async<TcpStream> {
    /// Sends what there is room for, and pauses only if there is none.
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
