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

#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// When questions are asked.
    pub pace: Pace,
    pub batch: usize,
    pub time: Duration,
    pub questions_max: u64,
}

/// What a client is waiting for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) intended: Instant,
    pub(crate) sent: Instant,
}

/// When the rounds are due.
pub(crate) struct Schedule {
    pub(crate) begun: Instant,
    pub(crate) time: Duration,
    /// Between two rounds; None in a closed loop.
    pub(crate) interval: Option<Duration>,
    /// How many have been given out, and how many there are at most.
    given: u64,
    rounds_max: u64,
}

impl Schedule {
    pub(crate) fn new(order: &Order, begun: Instant) -> Self {
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
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let due = match self.interval {
            None => now,
            // Not a sum of intervals, which would add up their errors.
            Some(interval) => self.begun + interval.mul_f64(self.given as f64),
        };
        (self.given < self.rounds_max && due < self.begun + self.time)
            .then_some(due)
    }

    /// Gives out the next one, if it is due.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Round> {
        let intended = self.due(now).filter(|&due| due <= now)?;
        self.given += 1;
        Some(Round { intended, sent: now })
    }
}
