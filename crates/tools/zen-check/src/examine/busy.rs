//! The one policy for busy machines: which failures are excused, and what is
//! tried again.
//!
//! A busy machine stretches time. A case that fails by a time is run again
//! while no other case runs. Other programs may still use the machine, so a
//! case is late only if it is late three times, and at least once by more than
//! it and its servers had to wait for a processor.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::attempt::{self, Attempt};
use crate::case::Case;
use crate::outcome::{Failure, Outcome};
use crate::program::Program;

/// A case that was itself without a processor for this long cannot tell a
/// server that does not answer from one that has no processor either.
const STARVED: Duration = Duration::from_secs(2);

/// If a server drops an idle client too early, the client itself may have been
/// late by this.
const CLIENT_LATE: Duration = Duration::from_millis(700);

/// How often a late case is run alone.
const TRIES: usize = 3;

/// The machine: many cases share it, or one has it to itself.
#[derive(Debug, Default)]
pub(crate) struct Machine(RwLock<()>);

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
        let _shared = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let outcome = match put(case, program) {
            // It may have been the machine's bad moment.
            Attempt { outcome: Outcome::Error(_), .. } => put(case, program),
            attempt => attempt,
        }
        .outcome;
        late_by(&outcome).is_none().then_some(outcome)
    }

    /// Puts a case while no other runs.
    pub(crate) fn alone(
        &self,
        case: &'static Case,
        program: &Arc<Program>,
    ) -> Outcome {
        let _alone = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let (mut known, mut waited) = (None, Duration::ZERO);
        for _ in 0..TRIES {
            let attempt = put(case, program);
            let Some(late_by) = late_by(&attempt.outcome) else {
                return attempt.outcome;
            };
            waited = waited.max(attempt.waited);
            if attempt.waited < late_by {
                known = Some(attempt.outcome);
            }
        }
        known.unwrap_or_else(|| {
            Outcome::Error(format!(
                "this machine is too busy to tell: server and checker waited \
                {waited:.1?} for a processor"
            ))
        })
    }
}

/// One attempt, and by how much a failure may have been the machine's.
fn put(case: &'static Case, program: &Arc<Program>) -> Attempt {
    let mut attempt = attempt::put(case, program);
    if let Outcome::Failed(failure) = &mut attempt.outcome {
        if case.group() == "option" && is_early_end(failure) {
            failure.late_by.get_or_insert(CLIENT_LATE);
        }
        if attempt.case_waited >= STARVED {
            failure.late_by.get_or_insert(STARVED);
        }
    }
    attempt
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
