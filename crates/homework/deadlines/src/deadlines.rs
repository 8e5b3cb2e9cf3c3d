//! Which deadline is the next. It does no I/O and does not read a clock.

use std::time::Instant;
// BEGIN SOLUTION next

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
// END SOLUTION

/// One alarm for each client that has a deadline.
#[derive(Default)]
pub(crate) struct Deadlines {
    // BEGIN SOLUTION next
    /// The next alarm on top. Filled by `watch`, emptied by `due`.
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Which entry of the heap is valid for a client, if any. Entries that are
    /// no longer valid stay in the heap until their time has come.
    alarms: HashMap<usize, Instant>,
    // END SOLUTION
}

impl Deadlines {
    /// From now on, this client has this deadline.
    pub(crate) fn watch(&mut self, key: usize, deadline: Instant) {
        // BEGIN SOLUTION next
        match self.alarms.get(&key) {
            // The alarm comes first. That is early enough to see that the
            // deadline has moved to later.
            Some(alarm) if *alarm <= deadline => {}
            _ => {
                self.alarms.insert(key, deadline);
                self.heap.push(Reverse((deadline, key)));
            }
        }
        // STARTER: let _ = (key, deadline);
        // END SOLUTION
    }

    /// This client has left.
    pub(crate) fn forget(&mut self, key: usize) {
        // BEGIN SOLUTION next
        self.alarms.remove(&key);
        // STARTER: let _ = key;
        // END SOLUTION
    }

    /// When a client has to be looked at next.
    pub(crate) fn next(&self) -> Option<Instant> {
        // BEGIN SOLUTION next
        self.heap.peek().map(|&Reverse((at, _))| at)
        // STARTER: None
        // END SOLUTION
    }

    /// A client whose alarm has come. The alarm is removed; if the client is
    /// not late, the caller sets a new one.
    pub(crate) fn due(&mut self, now: Instant) -> Option<usize> {
        // BEGIN SOLUTION next
        loop {
            let &Reverse((at, key)) = self.heap.peek()?;
            if at > now {
                return None;
            }
            self.heap.pop();
            if self.alarms.get(&key) == Some(&at) {
                self.alarms.remove(&key);
                return Some(key);
            }
        }
        // STARTER: let _ = now;
        // STARTER: None
        // END SOLUTION
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn the_nearest_comes_first() {
        let (mut it, now) = (Deadlines::default(), Instant::now());
        it.watch(1, now + 3 * S);
        it.watch(2, now + S);
        it.watch(3, now + 2 * S);
        assert_eq!(it.next(), Some(now + S));
        assert_eq!(it.due(now), None);
        assert_eq!(it.due(now + 2 * S), Some(2));
        assert_eq!(it.due(now + 2 * S), Some(3));
        assert_eq!(it.due(now + 2 * S), None);
    }

    #[test]
    fn a_deadline_that_has_become_nearer_counts() {
        let (mut it, now) = (Deadlines::default(), Instant::now());
        it.watch(1, now + 3600 * S);
        it.watch(1, now + 2 * S);
        assert_eq!(it.next(), Some(now + 2 * S));
        assert_eq!(it.due(now + 2 * S), Some(1));
        assert_eq!(it.due(now + 3600 * S), None);
    }

    #[test]
    fn a_client_that_has_left_is_not_due() {
        let (mut it, now) = (Deadlines::default(), Instant::now());
        it.watch(1, now + S);
        it.watch(2, now + S);
        it.forget(1);
        assert_eq!(it.due(now + S), Some(2));
        assert_eq!(it.due(now + S), None);
    }
}
