//! The clients of all loops, counted where threads and processes can see it.

use std::array;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use zen_utils::log;

/// More loops than any machine that this is meant for has cores.
pub(crate) const LOOPS_MAX: usize = 256;

/// "At most once in 10 s", whichever process says it.
const REPEATED_AFTER: Duration = Duration::from_secs(10);

// ANCHOR: counts
/// Kept where all loops can reach them, be they threads or processes.
pub(crate) struct Counts {
    /// Raised by `Crowd::take_seat`, lowered when a `Seat` is dropped.
    serving: AtomicUsize,
    /// From when on it may be said again that these are the most, in
    /// milliseconds since the beginning.
    silent_until: AtomicUsize,
    of_loop: [CountsOfLoop; LOOPS_MAX],
}

#[derive(Default)]
struct CountsOfLoop {
    /// This loop's part of what is above.
    serving: AtomicUsize,
    /// How many clients it has accepted so far.
    served: AtomicUsize,
}
// ANCHOR_END: counts

impl Default for Counts {
    fn default() -> Self {
        Self {
            serving: AtomicUsize::default(),
            silent_until: AtomicUsize::default(),
            of_loop: array::from_fn(|_| CountsOfLoop::default()),
        }
    }
}

// ANCHOR: crowd
/// At most `max_clients`, whichever loop serves them.
pub(crate) struct Crowd {
    max_clients: usize,
    began: Instant,
    counts: &'static Counts,
}

impl Crowd {
    pub(crate) fn new(max_clients: usize, counts: &'static Counts) -> Self {
        Self { max_clients, began: Instant::now(), counts }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.counts.serving.load(SeqCst) >= self.max_clients
    }

    /// A place for one more client of this loop, if there is one left.
    pub(crate) fn take_seat(&self, number: usize) -> Option<Seat> {
        // To look and to count is one step: else two loops could both look
        // before either has counted.
        let one_more = |n| (n < self.max_clients).then_some(n + 1);
        self.counts.serving.fetch_update(SeqCst, SeqCst, one_more).ok()?;
        self.counts.of_loop[number].serving.fetch_add(1, SeqCst);
        Some(Seat { number, counts: self.counts })
    }
    // ANCHOR_END: crowd

    /// A client sits there.
    pub(crate) fn is_served(&self, seat: &Seat) {
        self.counts.of_loop[seat.number].served.fetch_add(1, SeqCst);
        if self.is_full() && self.may_say_so() {
            log::serving_the_most(self.max_clients);
        }
    }

    fn may_say_so(&self) -> bool {
        let now = self.began.elapsed().as_millis() as usize;
        let next = now + REPEATED_AFTER.as_millis() as usize;
        let is_due = |until| (until <= now).then_some(next);
        self.counts.silent_until.fetch_update(SeqCst, SeqCst, is_due).is_ok()
    }

    /// Gives up the seats of a loop that can no longer do it itself.
    #[cfg_attr(
        not(any(target_os = "linux", test)),
        expect(dead_code, reason = "only a process can be killed alone")
    )]
    pub(crate) fn clear(&self, number: usize) {
        let left = self.counts.of_loop[number].serving.swap(0, SeqCst);
        self.counts.serving.fetch_sub(left, SeqCst);
    }

    /// For the log: how many clients each loop has served.
    pub(crate) fn spread(&self, loops: usize) -> String {
        let served = self.counts.of_loop[..loops].iter();
        let served: Vec<_> =
            served.map(|of| of.served.load(SeqCst).to_string()).collect();
        format!("Clients of each loop: {}", served.join(", "))
    }
}

/// One client may be served.
pub(crate) struct Seat {
    number: usize,
    counts: &'static Counts,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.counts.of_loop[self.number].serving.fetch_sub(1, SeqCst);
        self.counts.serving.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    #[test]
    fn however_many_try_at_once_no_more_than_the_most_have_a_seat() {
        let crowd = &Crowd::new(1, Box::leak(Box::default()));
        let most = &AtomicUsize::new(0);
        thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || {
                    for _ in 0..200_000 {
                        let seat = crowd.take_seat(number);
                        most.fetch_max(
                            crowd.counts.serving.load(SeqCst),
                            SeqCst,
                        );
                        drop(seat);
                    }
                });
            }
        });
        assert_eq!(most.load(SeqCst), 1);
        assert!(crowd.take_seat(0).is_some());
    }

    #[test]
    fn it_says_once_that_it_is_full() {
        let crowd = Crowd::new(1, Box::leak(Box::default()));
        assert!(crowd.may_say_so());
        assert!(!crowd.may_say_so());
    }

    #[test]
    fn the_seats_of_a_loop_that_is_gone_are_free() {
        let crowd = Crowd::new(3, Box::leak(Box::default()));
        let lost = [(); 2].map(|()| crowd.take_seat(1));
        let _other = crowd.take_seat(0);
        assert!(crowd.take_seat(0).is_none());
        // Its process was killed, and dropped nothing.
        std::mem::forget(lost);
        crowd.clear(1);
        let _new = [(); 2].map(|()| crowd.take_seat(0).unwrap());
        assert!(crowd.take_seat(0).is_none());
    }
}
