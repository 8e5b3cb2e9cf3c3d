//! A bucket of tokens: a question costs one token, and time brings new ones. It
//! does no I/O and does not read a clock.

use std::time::{Duration, Instant};

use clap::Args;

/// What the administrator decides, the same for every client.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// How many questions a client may ask per second, on average
    #[arg(
        long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    rate: u32,

    /// How many questions it may ask at once after it was silent
    #[arg(
        long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    burst: u32,
}

/// What one client may ask.
#[derive(Debug)]
pub(crate) struct Bucket {
    limits: Rate,
    /// Filled by `fill`, emptied by `take`; never more than the burst.
    tokens: u32,
    /// The time until this instant has already become tokens.
    filled_at: Instant,
}

impl Bucket {
    /// A full one: a new client may ask a burst at once.
    pub(crate) fn new(limits: Rate, now: Instant) -> Self {
        Self { limits, tokens: limits.burst, filled_at: now }
    }

    /// The time from one token to the next.
    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.limits.rate
    }

    /// Turns the time that has passed into tokens. The rest, which is too short
    /// for a token, is kept for the next call.
    pub(crate) fn fill(&mut self, now: Instant) {
        // BEGIN SOLUTION pace
        let passed = now.saturating_duration_since(self.filled_at);
        let new = passed.as_nanos() / self.interval().as_nanos();
        let missing = self.limits.burst - self.tokens;
        match u32::try_from(new) {
            Ok(new) if new < missing => {
                self.tokens += new;
                self.filled_at += self.interval() * new;
            }
            _ => {
                self.tokens = self.limits.burst;
                self.filled_at = now;
            }
        }
        // STARTER: // Turn time into tokens here.
        // STARTER: self.filled_at = now;
        // END SOLUTION
    }

    /// Pays for the questions that end in these bytes, until there is no token
    /// left. Returns how many of the bytes are paid for. An incomplete question
    /// costs nothing yet.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> usize {
        // BEGIN SOLUTION burst
        let mut paid = 0;
        for question in bytes.split_inclusive(|&byte| byte == b'?') {
            if question.ends_with(b"?") {
                if self.tokens == 0 {
                    break;
                }
                self.tokens -= 1;
            }
            paid += question.len();
        }
        paid
        // STARTER: // Everything is free.
        // STARTER: bytes.len()
        // END SOLUTION
    }

    /// When the next token comes; for an empty bucket.
    pub(crate) fn next_token_at(&self) -> Instant {
        // BEGIN SOLUTION pace
        self.filled_at + self.interval()
        // STARTER: self.filled_at
        // END SOLUTION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn bucket(rate: u32, burst: u32) -> (Bucket, Instant) {
        let now = Instant::now();
        (Bucket::new(Rate { rate, burst }, now), now)
    }

    #[test]
    fn a_burst_is_paid_for_and_further_questions_wait() {
        let (mut bucket, _) = bucket(10, 2);
        assert_eq!(bucket.take(b"a?bc?d?e"), 5);
        assert_eq!(bucket.take(b"d?e"), 0);
    }

    #[test]
    fn an_incomplete_question_costs_nothing() {
        let (mut bucket, _) = bucket(10, 1);
        assert_eq!(bucket.take(b"a?bc"), 4);
        assert_eq!(bucket.take(b"de"), 2);
        assert_eq!(bucket.take(b"f?"), 0);
    }

    #[test]
    fn a_token_comes_at_the_predicted_time() {
        let (mut bucket, now) = bucket(10, 1);
        assert_eq!(bucket.take(b"a?"), 2);
        assert_eq!(bucket.next_token_at(), now + 100 * MS);
        bucket.fill(now + 99 * MS);
        assert_eq!(bucket.take(b"a?"), 0);
        bucket.fill(now + 100 * MS);
        assert_eq!(bucket.take(b"a?"), 2);
    }

    #[test]
    fn a_part_of_a_token_is_not_lost() {
        let (mut bucket, now) = bucket(10, 9);
        assert_eq!(bucket.take(b"?????????"), 9);
        for ms in [60, 120, 180, 240, 300] {
            bucket.fill(now + ms * MS);
        }
        assert_eq!(bucket.take(b"?????"), 3);
    }

    #[test]
    fn silence_saves_up_no_more_than_a_burst() {
        let (mut bucket, now) = bucket(1_000_000, 3);
        bucket.fill(now + 1_000_000_000 * MS);
        assert_eq!(bucket.take(b"?????"), 3);
    }
}
