//! One attempt at a case, and a failure told so that a student can use it.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::client::NOTHING;
use crate::contract::{self, START};
use crate::outcome::{Because, Outcome};
use crate::process;
use crate::program::Program;
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict};

/// What came of it, and how long it had to wait for a processor.
pub(super) struct Attempt {
    pub(super) outcome: Outcome,
    /// The case itself.
    pub(super) case_waited: Duration,
    /// The case and its servers.
    pub(super) waited: Duration,
}

/// Puts a case to a program once, for at most this time.
pub(super) fn put(
    case: &'static Case,
    program: &Arc<Program>,
    time_max: Duration,
) -> Attempt {
    let subject = Arc::new(Subject::new(program));
    let (verdict, case_waited) = match case.why_not(&subject) {
        Some(reason) => (Err(Fault::Skipped(reason)), Duration::ZERO),
        None => within_its_time(case, &subject, time_max),
    };
    let outcome = explained(verdict, &subject, Some(case));
    Attempt { outcome, case_waited, waited: subject.waited(case_waited) }
}

/// Runs a case in a thread of its own, so that one that hangs is a failure
/// with a message. Its servers are killed, which ends most waiting; a thread
/// that waits for something else is left behind. Also returns how long the case
/// itself was without a processor.
fn within_its_time(
    case: &'static Case,
    subject: &Arc<Subject>,
    time_max: Duration,
) -> (Verdict, Duration) {
    let (sender, receiver) = mpsc::channel();
    let its_subject = Arc::clone(subject);
    let thread =
        thread::Builder::new().name(case.name.into()).spawn(move || {
            let verdict = (case.run)(&its_subject);
            let verdict = verdict.and_then(|()| its_subject.was_quiet());
            sender.send((verdict, process::own_turns().delay)).ok();
        });
    let thread = match thread {
        Ok(thread) => thread,
        Err(err) => return (Err(err.into()), Duration::ZERO),
    };
    let slow = subject.known.slow.get();
    let time_max = slow.map_or(time_max, |(_, end)| {
        end.saturating_duration_since(Instant::now())
    });
    let result = receiver.recv_timeout(time_max);
    if result.is_err() {
        subject.kill_all();
    }
    let verdict = match (result, slow) {
        (Ok(result), _) => return result,
        (Err(RecvTimeoutError::Disconnected), _) => {
            thread.join().ok();
            Err(Fault::Checker("the case itself panicked".into()))
        }
        (_, Some((time, _))) => Err(Fault::Checker(format!(
            "an answer takes {time:.1?}, and the time for the run was over"
        ))),
        (_, None) => {
            let seconds = time_max.as_secs();
            let what = format!(
                "the server is so slow that the case has not ended in \
                {seconds} s"
            );
            Err(Fault::late(time_max / 2, what))
        }
    };
    (verdict, Duration::ZERO)
}

/// Adds to a failure what a reader needs. Without a case, it is the start of a
/// server that has failed.
pub(super) fn explained(
    verdict: Verdict,
    subject: &Subject,
    case: Option<&Case>,
) -> Outcome {
    let mut failure = match verdict {
        // All is right, but for the words.
        Ok(()) => match subject.speech.other_words() {
            Some(failure) => failure,
            None => return Outcome::Passed,
        },
        Err(Fault::Skipped(reason)) => return Outcome::Skipped(reason),
        Err(Fault::Checker(message)) => {
            return Outcome::Error(format!("no verdict: {message}"));
        }
        Err(Fault::Server(failure)) => failure,
    };
    failure.log = subject.log();
    failure.transcript = subject.transcript(failure.transcript);
    let clause = case.map_or(START, |case| case.clause);
    // The book knows nothing of an assignment's own cases.
    if !case.is_some_and(|case| case.own) {
        failure.page = contract::page(clause);
    }
    // Other words are no mistake of what the clause is about.
    let of_words = ["wire/1", "wire/8", "wire/9", "wire/10"];
    let is_meant =
        failure.because != Some(Because::Words) || of_words.contains(&clause);
    let hint = contract::hint(clause).filter(|_| is_meant);
    let mut seen = failure.means.take();
    if seen.as_deref() == Some(NOTHING) {
        let spins = |cpu| {
            format!(
                "The server does not wait, it spins: it has used {cpu:.1?} of \
                processor time, and does not come to an answer."
            )
        };
        seen = subject.spun().map(spins).or(seen);
    }
    failure.means = match (contract::hint_of_log(&failure.log), seen, hint) {
        (Some(told), ..) => Some(told),
        (_, Some(seen), Some(hint)) => Some(format!("{hint} {seen}")),
        (_, seen, hint) => seen.or(hint),
    };
    failure.means = failure.means.map(|means| subject.dialect.told(means));
    if let Some(ended) =
        subject.ended().filter(|ended| !failure.what.contains(ended.as_str()))
    {
        failure.what = format!("{}; by then the server {ended}", failure.what);
        failure.because.get_or_insert(Because::Ended);
        failure.ended = Some(ended);
    }
    if let Some(case) = case {
        failure.again =
            subject.again(&format!("{}::{}", case.clause, case.name));
    }
    Outcome::Failed(failure)
}
