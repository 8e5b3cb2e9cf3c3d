//! The smallest future that has to be woken: an instant.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use super::Reactor;

// ANCHOR: timer
/// A future that is ready at an instant.
pub(crate) struct Timer<'a> {
    reactor: &'a Reactor,
    key: (Instant, usize),
    /// Whether the waker was left with the reactor. Once it is no longer there,
    /// the instant has come.
    waker_left: bool,
}

impl Future for Timer<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<()> {
        let mut timers = self.reactor.timers.borrow_mut();
        match timers.get_mut(&self.key) {
            Some(waker) => waker.clone_from(context.waker()),
            None if self.waker_left => return Poll::Ready(()),
            None => _ = timers.insert(self.key, context.waker().clone()),
        }
        drop(timers);
        self.waker_left = true;
        Poll::Pending
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.reactor.timers.borrow_mut().remove(&self.key);
    }
}
// ANCHOR_END: timer

impl Reactor {
    pub(crate) fn sleep_until(&self, at: Instant) -> Timer<'_> {
        let key = (at, self.next_key());
        Timer { reactor: self, key, waker_left: false }
    }

    // ANCHOR: timeout_at
    /// Runs a future until it is done, but no longer than until this instant.
    pub(crate) async fn timeout_at<T>(
        &self,
        at: Option<Instant>,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let mut future = pin!(future);
        let mut timer = at.map(|at| self.sleep_until(at));
        poll_fn(|context| match (future.as_mut().poll(context), &mut timer) {
            (Poll::Ready(it), _) => Poll::Ready(Some(it)),
            (_, Some(timer)) => Pin::new(timer).poll(context).map(|()| None),
            (_, None) => Poll::Pending,
        })
        .await
    }
    // ANCHOR_END: timeout_at
}
