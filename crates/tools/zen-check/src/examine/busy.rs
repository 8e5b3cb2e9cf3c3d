//! The one policy for busy machines: which failures are excused, and what is
//! tried again.
//!
//! A busy machine stretches time. A case that fails by a time is run again
//! while no other case runs. Other programs may still use the machine, so a
//! case is late only if it is late three times, and at least once by more than
//! it and its servers had to wait for a processor that others had. If it is late
//! and might be excused each time, there is no verdict, which is not a pass.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use zen_harness::system;

use super::attempt::{self, Attempt};
use crate::case::Case;
use crate::outcome::{Because, Failure, Outcome};
use crate::program::Program;

/// A case that was itself without a processor for this long cannot tell a
/// server that does not answer from one that has no processor either.
const STARVED: Duration = Duration::from_secs(2);

/// If a server drops an idle client too early, the client itself may have been
/// late by this.
const CLIENT_LATE: Duration = Duration::from_millis(700);

/// How often a late case is run alone.
const TRIES: usize = 3;

/// What is said of a case whose failures may all be the machine's.
const NO_VERDICT: &str = "no verdict: this machine was too busy";

/// No case needs a third of this, even on a busy machine.
const CASE_TIME_MAX: Duration = Duration::from_secs(40);

/// A server that fails this many cases in this time is not merely late: no case
/// is repeated for it, and none gets more than so much time. After the longer
/// time no test is begun.
const FAILURES_MIN: usize = 20;
const PATIENCE: Duration = Duration::from_secs(15);
const PATIENCE_OF_TESTS: Duration = Duration::from_secs(35);
const HASTY_TIME_MAX: Duration = Duration::from_secs(10);

/// The cases and the clients of a run may need this many descriptors, or as
/// many as this process is allowed.
const DESCRIPTORS: [u64; 4] = [16_384, 8192, 4096, 2048];

/// The machine: many cases share it, or one has it to itself.
#[derive(Debug)]
pub(crate) struct Machine {
    turn: RwLock<()>,
    begun: Instant,
    failures: AtomicUsize,
}

impl Default for Machine {
    fn default() -> Self {
        let raise = |&to: &u64| system::raise_own_descriptor_limit(to).is_ok();
        DESCRIPTORS.iter().any(raise);
        Self {
            turn: RwLock::default(),
            begun: Instant::now(),
            failures: AtomicUsize::new(0),
        }
    }
}

impl Machine {
    /// Puts a case while others run; None if it has to be put alone.
    pub(crate) fn shared(
        &self,
        case: &'static Case,
        program: &Arc<Program>,
    ) -> Option<Outcome> {
        if case.alone {
            return None;
        }
        // A lock that a failed case has poisoned is still a lock.
        let _shared = self.turn.read().unwrap_or_else(PoisonError::into_inner);
        let attempt = self.put(case, program);
        (!self.tries_again(&attempt.outcome)).then(|| judged([attempt]))
    }

    /// Puts a case while no other runs.
    pub(crate) fn alone(
        &self,
        case: &'static Case,
        program: &Arc<Program>,
    ) -> Outcome {
        let _alone = self.turn.write().unwrap_or_else(PoisonError::into_inner);
        let mut attempts = Vec::new();
        let mut again = true;
        while again && attempts.len() < TRIES {
            let attempt = self.put(case, program);
            again = self.tries_again(&attempt.outcome);
            attempts.push(attempt);
        }
        judged(attempts)
    }

    /// Why no more tests of a listing are to be run, if that is so.
    pub(crate) fn has_seen_enough(&self) -> Option<String> {
        let failures = self.failures.load(Ordering::Relaxed);
        self.is_over(PATIENCE_OF_TESTS).then(|| {
            format!("not tried: {failures} cases have failed: fix them first")
        })
    }

    fn is_over(&self, patience: Duration) -> bool {
        self.failures.load(Ordering::Relaxed) >= FAILURES_MIN
            && self.begun.elapsed() >= patience
    }

    /// One attempt, and by how much a failure may have been the machine's.
    fn put(&self, case: &'static Case, program: &Arc<Program>) -> Attempt {
        let time_max = match self.is_over(PATIENCE) {
            true => HASTY_TIME_MAX,
            false => CASE_TIME_MAX,
        };
        let mut attempt = attempt::put(case, program, time_max);
        if let Outcome::Failed(failure) = &mut attempt.outcome {
            if case.group() == "option" && is_early_end(failure) {
                failure.late_by.get_or_insert(CLIENT_LATE);
            }
            if attempt.case_waited >= STARVED {
                failure.late_by.get_or_insert(STARVED);
            }
            // A server with other words is neither late nor does it hang.
            if failure.because != Some(Because::Words) {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
        }
        attempt
    }

    /// Whether a case that comes to this is tried again.
    fn tries_again(&self, outcome: &Outcome) -> bool {
        is_open(outcome) && !self.is_over(PATIENCE)
    }
}

/// Whether another attempt may come to something else: it was the machine's bad
/// moment, or the server is late.
fn is_open(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Error(_)) || late_by(outcome).is_some()
}

/// What attempts come to of which all but the last are open.
fn judged(attempts: impl IntoIterator<Item = Attempt>) -> Outcome {
    let (mut late, mut error) = (None, None);
    let mut waited = Duration::ZERO;
    for attempt in attempts {
        match late_by(&attempt.outcome) {
            Some(late_by) => {
                waited = waited.max(attempt.waited);
                if attempt.waited < late_by {
                    late = Some(attempt.outcome);
                }
            }
            None if is_open(&attempt.outcome) => error = Some(attempt.outcome),
            None => return attempt.outcome,
        }
    }
    late.or(error).unwrap_or_else(|| {
        Outcome::Error(format!(
            "{NO_VERDICT}: server and checker waited {waited:.1?} for a \
            processor"
        ))
    })
}

fn is_early_end(failure: &Failure) -> bool {
    let ends = ["received the end of file", "received a reset"];
    let is_end = |line: &String| ends.iter().any(|end| line.contains(end));
    failure.ending == Some(false) && failure.transcript.iter().any(is_end)
}

/// By how much a case was late, if that is why it failed.
fn late_by(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Outcome::Failed(failure) if !failure.certain => failure.late_by,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late(by: u64, waited: u64) -> Attempt {
        let [by, waited] = [by, waited].map(Duration::from_millis);
        let failure = Failure { late_by: Some(by), ..Failure::default() };
        let outcome = Outcome::Failed(Box::new(failure));
        Attempt { outcome, case_waited: Duration::ZERO, waited }
    }

    #[test]
    fn tests_of_a_broken_server_come_to_an_end() {
        let failures = AtomicUsize::new(FAILURES_MIN);
        let mut machine = Machine { failures, ..Machine::default() };
        assert_eq!(machine.has_seen_enough(), None);
        let before = Instant::now().checked_sub(PATIENCE_OF_TESTS);
        machine.begun = before.unwrap_or(machine.begun);
        let enough = machine.has_seen_enough().unwrap_or_default();
        assert!(enough.starts_with("not tried: 20 cases"), "{enough}");
    }

    #[test]
    fn a_late_server_is_blamed_or_there_is_no_verdict() {
        let blamed = judged([late(90, 100), late(90, 80), late(90, 100)]);
        assert!(matches!(blamed, Outcome::Failed(_)), "{blamed:?}");
        let Outcome::Error(why) = judged([late(90, 100), late(90, 91)]) else {
            panic!("blamed for what may be the machine's fault");
        };
        assert!(why.starts_with(NO_VERDICT), "{why}");
        let passed = Outcome::Passed;
        let waited = Duration::ZERO;
        let passed = Attempt { outcome: passed, case_waited: waited, waited };
        let outcome = judged([late(90, 0), passed]);
        assert!(matches!(outcome, Outcome::Passed), "{outcome:?}");
    }
}
