//! When which question is due.

use std::time::{Duration, Instant};

/// When questions are asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As soon as the last one is answered.
    Closed,
    /// So many a second, on any connection that is free.
    Open(f64),
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// When questions are asked.
    pub pace: Pace,
    /// How many are asked at once.
    pub batch: usize,
    /// How long.
    pub time: Duration,
    /// And not more than these.
    pub questions_max: u64,
}

/// What a client is waiting for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) intended: Instant,
    pub(super) sent: Instant,
}

/// When the rounds are due.
pub(super) struct Schedule {
    pub(super) begun: Instant,
    pub(super) time: Duration,
    /// Between two rounds; None in a closed loop.
    pub(super) interval: Option<Duration>,
    /// How many have been given out, and how many there are at most.
    given: u64,
    rounds_max: u64,
}

impl Schedule {
    pub(super) fn new(order: &Order, begun: Instant) -> Self {
        let batch = order.batch as u64;
        let interval = match order.pace {
            Pace::Closed => None,
            Pace::Open(rate) => {
                Some(Duration::from_secs_f64(order.batch as f64 / rate))
            }
        };
        let rounds_max = order.questions_max / batch;
        Self { begun, time: order.time, interval, given: 0, rounds_max }
    }

    /// When the next one is due, if there is one.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let due = match self.interval {
            None => now,
            // Not a sum of intervals, which would add up their errors.
            Some(interval) => self.begun + interval.mul_f64(self.given as f64),
        };
        (self.given < self.rounds_max && due < self.begun + self.time)
            .then_some(due)
    }

    /// Gives out the next one, if it is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Round> {
        let intended = self.due(now).filter(|&due| due <= now)?;
        self.given += 1;
        Some(Round { intended, sent: now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Outcome;

    const MS: Duration = Duration::from_millis(1);

    fn order(pace: Pace) -> Order {
        let time = 100 * MS;
        Order { pace, batch: 1, time, questions_max: 1_000 }
    }

    /// A server that answers in no time, but not between 20 and 60 ms, asked
    /// by one client; all in time that is made by hand.
    fn with_a_stall(pace: Pace) -> Outcome {
        let begun = Instant::now();
        let mut schedule = Schedule::new(&order(pace), begun);
        let mut outcome = Outcome::new().unwrap();
        let mut now = begun;
        while let Some(due) = schedule.due(now) {
            now = now.max(due);
            let round = schedule.take(now).unwrap();
            let stalls = (20 * MS..60 * MS).contains(&(now - begun));
            let answered = if stalls { begun + 60 * MS } else { now + MS };
            outcome.record(round, answered, 1);
            now = answered;
        }
        outcome
    }

    #[test]
    fn a_closed_loop_omits_what_it_does_not_ask() {
        let outcome = with_a_stall(Pace::Closed);
        // 20 questions before, 40 after, and one that waited.
        assert_eq!(outcome.latency.len(), 61);
        assert!(outcome.quantile(0.95) < 0.002);
        assert!(outcome.quantile(1.0) > 0.039);
    }

    #[test]
    fn an_open_loop_counts_from_when_a_question_was_meant() {
        let outcome = with_a_stall(Pace::Open(500.0));
        assert_eq!(outcome.latency.len(), 50);
        // Twenty were meant to be asked within the stall, and the load then
        // needs time to catch up.
        assert!(outcome.quantile(0.75) > 0.020, "{}", outcome.quantile(0.75));
        // Counted from when they were sent, all but one look well.
        assert!(outcome.since_sent.value_at_quantile(0.97) < 2_000_000);
    }

    #[test]
    fn the_correction_agrees_with_what_is_computed_by_hand() {
        // One client, 100 a second, and one answer of 50 ms: those meant at
        // 0, 10, 20, 30 and 40 ms take 50, 40, 30, 20 and 10 ms, when a free
        // server answers the late ones at once.
        let begun = Instant::now();
        let mut outcome = Outcome::new().unwrap();
        let mut schedule = Schedule::new(&order(Pace::Open(100.0)), begun);
        let answered = begun + 50 * MS;
        for _ in 0..5 {
            let round = schedule.take(begun + 45 * MS).unwrap();
            outcome.record(round, answered, 1);
        }
        let mut by_library = outcome.latency.clone();
        by_library.reset();
        by_library.record_correct(50_000_000, 10_000_000).unwrap();
        assert_eq!(outcome.latency.len(), by_library.len());
        for share in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] {
            let ours = outcome.latency.value_at_quantile(share);
            assert_eq!(ours, by_library.value_at_quantile(share), "{share}");
        }
    }

    #[test]
    fn a_schedule_ends_by_time_and_by_number() {
        let begun = Instant::now();
        let late = begun + Duration::from_secs(9);
        let count = |order: Order| {
            let mut schedule = Schedule::new(&order, begun);
            (0..9_999).take_while(|_| schedule.take(late).is_some()).count()
        };
        let open = order(Pace::Open(500.0));
        assert_eq!(count(open), 50);
        assert_eq!(count(Order { questions_max: 7, ..open }), 7);
        assert_eq!(count(Order { questions_max: 7, batch: 2, ..open }), 3);
        assert_eq!(count(order(Pace::Closed)), 0);
    }
}
