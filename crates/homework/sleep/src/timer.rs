//! One thread that waits for all sleeping tasks. It knows nothing about the
//! executor: all that it needs from a task is a waker.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;
// BEGIN SOLUTION sleep

use std::collections::BTreeMap;
// END SOLUTION

/// The thread, and what it shares with the sleeping tasks.
pub(crate) struct Clock {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    sleepers: Mutex<Sleepers>,
    /// Ends the wait of the clock's thread early.
    changed: Condvar,
}

#[derive(Default)]
struct Sleepers {
    // BEGIN SOLUTION sleep
    /// When to call which waker, the next one first. Filled by `poll`, emptied
    /// by `drop` and, when the instant has come, by `run`.
    wakers: BTreeMap<(Instant, usize), Waker>,
    /// Two may sleep until the same instant, so each has a number.
    last_number: usize,
    // STARTER: /// When to call which waker.
    // STARTER: wakers: Vec<(Instant, Waker)>,
    // END SOLUTION
}

impl Shared {
    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until the next instant, and calls its waker.
    fn run(&self) {
        // BEGIN SOLUTION sleep
        let mut sleepers = self.sleepers();
        loop {
            let now = Instant::now();
            sleepers = match sleepers.wakers.first_entry() {
                Some(next) if next.key().0 <= now => {
                    next.remove().wake();
                    continue;
                }
                Some(next) => {
                    let time_left = next.key().0 - now;
                    let waited = self.changed.wait_timeout(sleepers, time_left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.changed.wait(sleepers);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        // STARTER: // Wait here, and call wakers.
        // END SOLUTION
    }
}

impl Clock {
    /// Starts the thread. It ends with the process.
    pub(crate) fn start() -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let clock = Self { shared: Arc::clone(&shared) };
        thread::Builder::new().spawn(move || shared.run())?;
        Ok(clock)
    }

    /// How many tasks sleep.
    pub(crate) fn sleepers(&self) -> usize {
        self.shared.sleepers().wakers.len()
    }

    /// Sleeps until this instant, and lets other tasks run meanwhile.
    pub(crate) fn sleep_until(&self, at: Instant) -> Sleep {
        // BEGIN SOLUTION sleep
        let mut sleepers = self.shared.sleepers();
        sleepers.last_number += 1;
        let key = (at, sleepers.last_number);
        Sleep { shared: Arc::clone(&self.shared), key }
        // STARTER: Sleep { shared: Arc::clone(&self.shared), at }
        // END SOLUTION
    }
}

/// A future that is done at an instant.
pub(crate) struct Sleep {
    shared: Arc<Shared>,
    // BEGIN SOLUTION sleep
    key: (Instant, usize),
    // STARTER: at: Instant,
    // END SOLUTION
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context) -> Poll<()> {
        // BEGIN SOLUTION sleep
        if self.key.0 <= Instant::now() {
            return Poll::Ready(());
        }
        let mut sleepers = self.shared.sleepers();
        // Store it at each poll: another task may be polling now.
        sleepers.wakers.insert(self.key, context.waker().clone());
        // END SOLUTION
        // BEGIN SOLUTION one
        let is_next = sleepers.wakers.keys().next() == Some(&self.key);
        if is_next {
            self.shared.changed.notify_one();
        }
        // END SOLUTION
        // BEGIN SOLUTION sleep
        Poll::Pending
        // STARTER: // No other task can run meanwhile: there is one thread.
        // STARTER: let time_left = self.at - Instant::now();
        // STARTER: thread::sleep(time_left);
        // STARTER: Poll::Ready(())
        // END SOLUTION
    }
}
// BEGIN SOLUTION forget

/// Removes the waker of a future that is dropped while it sleeps.
impl Drop for Sleep {
    fn drop(&mut self) {
        self.shared.sleepers().wakers.remove(&self.key);
    }
}
// END SOLUTION
