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
    pub(crate) order: Order,
    pub(crate) begun: Instant,
    /// The number of rounds given out.
    given: u64,
}

impl Schedule {
    pub(crate) fn new(order: &Order, begun: Instant) -> Self {
        Self { order: *order, begun, given: 0 }
    }

    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let Order { pace, batch, time, questions_max } = self.order;
        let due = match pace {
            Pace::Closed => now,
            Pace::Open(rate) => {
                let interval = Duration::from_secs_f64(batch as f64 / rate);
                // A sum of intervals would add up their rounding errors.
                self.begun + interval.mul_f64(self.given as f64)
            }
        };
        let is_left = self.given < questions_max / batch as u64;
        (is_left && due < self.begun + time).then_some(due)
    }

    pub(crate) fn take(&mut self, now: Instant) -> Option<Round> {
        let intended = self.due(now).filter(|&due| due <= now)?;
        self.given += 1;
        Some(Round { intended, sent: now })
    }
}
