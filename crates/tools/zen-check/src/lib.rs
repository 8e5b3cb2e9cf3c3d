//! Puts the contract to a server, clause by clause, from outside.
//!
//! A server is a program: it is started as a process, it is spoken to through
//! sockets and signals, and its log is read. Nothing here knows how it is
//! built, so the same cases fit every architecture and any language.
//!
//! - [`Architecture`]: what is required of one and forbidden to another;
//! - `cases`: a table of cases, each with the clause of the book's page "The
//!   contract" that it is about;
//! - `subject`, `server` and `conversation`: the program under examination, a
//!   running process of it, and a client that talks bytes;
//! - `system` and `process`: what only the operating system can do or tell.
//!
//! A listing's tests are these lines:
//!
//! ```no_run
//! # use std::process::ExitCode;
//! # use zen_check::Architecture;
//! # const PROGRAM: &str = "";
//! fn main() -> ExitCode {
//!     zen_check::listing(PROGRAM, Architecture::EventLoop)
//! }
//! ```

mod architecture;
mod cases;
mod conversation;
mod output;
mod process;
mod server;
mod subject;
mod system;
mod verdict;

use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

pub use architecture::Architecture;
use cases::Case;
use subject::Subject;
use verdict::{Fault, Verdict};

/// Cases that run at the same time. Most of them wait most of the time.
const CASES_AT_ONCE: usize = 8;

/// No case needs a third of this, even on a busy machine.
const CASE_TIME_MAX: Duration = Duration::from_secs(40);

/// Puts the whole contract to `program`; `main` of a listing's tests.
///
/// The command line is that of any `cargo test`: a filter, `--list`, and so on.
#[must_use]
pub fn listing(program: &str, architecture: Architecture) -> ExitCode {
    variants(program, architecture, &[("", &[])])
}

/// Puts the whole contract to `program` once for each variant: a name, and the
/// options that choose it.
#[must_use]
pub fn variants(
    program: &str,
    architecture: Architecture,
    variants: &[(&str, &[&str])],
) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(CASES_AT_ONCE);
    let floor = Arc::new(RwLock::new(()));
    let mut trials = Vec::new();
    // Those that want the machine to themselves come last: until then, nobody
    // has to wait for them.
    for alone in [false, true] {
        for (name, options) in variants {
            let cases = cases::all().filter(|case| case.alone == alone);
            trials.extend(cases.map(|case| {
                let subject = Subject::new(program, architecture, options);
                trial(case, subject, Arc::clone(&floor)).with_kind(*name)
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The name of every case: its clause, and a sentence.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    cases::all().map(|case| (case.clause, case.sentence))
}

/// The clauses that no test of a running server covers, and what does.
#[must_use]
pub fn checked_elsewhere() -> &'static [(&'static str, &'static str)] {
    cases::ELSEWHERE
}

fn trial(
    case: &'static Case,
    subject: Subject,
    floor: Arc<RwLock<()>>,
) -> Trial {
    let name = format!("{}::{}", case.clause, case.sentence);
    Trial::ignorable_test(name, move || {
        if let Some(reason) = case.why_not(subject.architecture) {
            return Ok(Completion::ignored_with(reason));
        }
        // A lock that a failed case has poisoned is still a lock.
        let (_alone, _shared);
        if case.alone {
            _alone = floor.write().unwrap_or_else(|lock| lock.into_inner());
        } else {
            _shared = floor.read().unwrap_or_else(|lock| lock.into_inner());
        }
        let subject = Arc::new(subject);
        match within_its_time(case, &subject) {
            Ok(()) => Ok(Completion::Completed),
            Err(Fault::Skipped(reason)) => Ok(Completion::ignored_with(reason)),
            Err(Fault::Server(message)) => {
                Err(Failed::from(format!("{message}{}", subject.logs())))
            }
            Err(Fault::Checker(message)) => Err(Failed::from(format!(
                "not the server's fault: {message}{}",
                subject.logs()
            ))),
        }
    })
}

/// Runs a case in a thread of its own, so that one that hangs is a failure
/// with a message. Its servers are killed, which ends most waiting; a thread
/// that waits for something else is left behind.
fn within_its_time(case: &'static Case, subject: &Arc<Subject>) -> Verdict {
    let (sender, receiver) = mpsc::channel();
    let its_subject = Arc::clone(subject);
    let thread =
        thread::Builder::new().name(case.sentence.into()).spawn(move || {
            let verdict = (case.run)(&its_subject);
            let verdict = verdict.and_then(|()| its_subject.was_quiet());
            sender.send(verdict).ok();
        })?;
    match receiver.recv_timeout(CASE_TIME_MAX) {
        Ok(verdict) => verdict,
        Err(RecvTimeoutError::Timeout) => {
            subject.kill_all();
            Err(Fault::Server(format!("no end after {CASE_TIME_MAX:?}")))
        }
        Err(RecvTimeoutError::Disconnected) => {
            thread.join().ok();
            Err(Fault::Checker("the case itself panicked".into()))
        }
    }
}
