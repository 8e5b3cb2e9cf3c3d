//! When each question is due.

use std::time::{Duration, Instant};

/// When questions are asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As soon as the last one is answered.
    Closed,
    /// This many a second, on any free connection.
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

/// The round for which a client waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) intended: Instant,
    pub(crate) sent: Instant,
}

/// When the rounds are due.
pub(crate) struct Schedule {
    pub(crate) begun: Instant,
    pub(crate) time: Duration,
    /// The time between two rounds; None in a closed loop.
    pub(crate) interval: Option<Duration>,
    /// The number of rounds given out, and the most that there may be.
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

    /// When the next round is due, if there is one.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let due = match self.interval {
            None => now,
            // Multiply: a sum of intervals would add up their rounding errors.
            Some(interval) => self.begun + interval.mul_f64(self.given as f64),
        };
        (self.given < self.rounds_max && due < self.begun + self.time)
            .then_some(due)
    }

    /// Gives out the next round, if it is due.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Round> {
        let intended = self.due(now).filter(|&due| due <= now)?;
        self.given += 1;
        Some(Round { intended, sent: now })
    }
}
