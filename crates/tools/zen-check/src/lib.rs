//! Puts the contract to a server, clause by clause, from outside.
//!
//! A server is a program: it is started as a process, it is spoken to through
//! sockets and signals, and its log is read. Nothing here knows how it is
//! built, so the same cases fit every architecture and any language.
//!
//! - [`Architecture`]: what is required of one and forbidden to another;
//! - [`Program`] and [`examine`]: what is examined, and how much of it is
//!   asked; [`report`]: what came of it;
//! - `cases`: a table of cases, each with the clause of the book's page "The
//!   contract" that it is about;
//! - `subject`, `server` and `conversation`: the program under examination, a
//!   running process of it, and a client that talks bytes;
//! - [`Dialect`]: the contract in other words;
//! - [`script`]: cases that somebody else writes, as data;
//! - `observe`: what a server is, as the kernel sees it.
//!
//! How a server is started and ended, and what the operating system tells of
//! it, is in `zen-harness`.
//!
//! A listing's tests are this line; what the listing is stands in its manifest:
//!
//! ```ignore
//! fn main() -> std::process::ExitCode {
//!     zen_check::listing!()
//! }
//! ```

mod architecture;
mod cases;
mod conversation;
mod dialect;
mod difference;
mod hints;
mod observe;
mod process;
mod program;
mod random;
pub mod report;
mod run;
pub mod script;
mod server;
mod strace;
mod subject;
mod verdict;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use zen_harness::inetd;
use zen_harness::listing::Listing;

pub use architecture::Architecture;
use cases::Case;
pub use dialect::Dialect;
pub use program::{Program, quoted};
use report::Outcome;
pub use run::{CASES_AT_ONCE, Plan, Progress, examine, list, unknown};

#[doc(hidden)]
pub use zen_harness as harness;

/// Puts the whole contract to the package whose test this is, once for each of
/// its variants. The command line is that of any `cargo test`: a filter,
/// `--list`, and so on.
#[macro_export]
macro_rules! listing {
    () => {
        $crate::listing(
            env!("CARGO_PKG_NAME"),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")),
            || $crate::harness::program!(env!("CARGO_PKG_NAME")),
        )
    };
}

/// See [`listing!`].
#[must_use]
pub fn listing(
    name: &str,
    manifest: &str,
    program: impl Fn() -> String,
) -> ExitCode {
    inetd::be_it_if_told();
    let Some(listing) = Listing::in_manifest(name, manifest) else {
        return failed(&format!(
            "{name}: its manifest does not say what it is"
        ));
    };
    let program = PathBuf::from(program());
    if let Some(why) = listing.cannot_run_here(&program) {
        return match writeln!(io::stdout(), "skipped, all of it: {why}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let programs = Program::variants(&listing, &program);
    programs.map_or_else(|message| failed(&message), tests)
}

fn failed(message: &str) -> ExitCode {
    writeln!(io::stderr(), "{message}").ok();
    ExitCode::FAILURE
}

/// Puts to each program what its profile asks, as tests; the name of a program
/// stands beside those of its cases.
fn tests(programs: Vec<(String, Program)>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(CASES_AT_ONCE);
    let programs: Vec<_> = programs
        .into_iter()
        .map(|(name, program)| (name, program.with_seed(seed_of_now())))
        .map(|(name, program)| (name, Arc::new(program)))
        .collect();
    let floor = Arc::new(RwLock::new(()));
    let mut trials = Vec::new();
    // Those that want the machine to themselves come last: until then, nobody
    // has to wait for them.
    for alone in [false, true] {
        for (name, program) in &programs {
            let cases = run::chosen(program.profile, &[]).into_iter();
            let cases = cases.filter(|case| case.alone == alone);
            trials.extend(cases.map(|case| {
                let (program, floor) =
                    (Arc::clone(program), Arc::clone(&floor));
                trial(case, program, floor).with_kind(name)
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A seed that differs from run to run.
#[must_use]
pub fn seed_of_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |time| time.as_micros() as u64 % 1_000_000)
}

/// The name of every case: its clause, and a sentence.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    cases::all().map(|case| (case.clause, case.name))
}

/// The clauses that no test of a running server covers, and what does.
#[must_use]
pub fn checked_elsewhere() -> &'static [(&'static str, &'static str)] {
    cases::ELSEWHERE
}

fn trial(
    case: &'static Case,
    program: Arc<Program>,
    floor: Arc<RwLock<()>>,
) -> Trial {
    let name = format!("{}::{}", case.clause, case.name);
    Trial::ignorable_test(name, move || {
        // A lock that a failed case has poisoned is still a lock.
        let shared = || floor.read().unwrap_or_else(PoisonError::into_inner);
        let alone = || floor.write().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = None;
        if !case.alone {
            let _floor = shared();
            outcome = Some(run::put(case, &program));
        }
        if outcome.as_ref().is_none_or(|it| run::late_by(it).is_some()) {
            let _floor = alone();
            outcome = Some(run::put_alone(case, &program));
        }
        let Some(outcome) = outcome else { return Ok(Completion::Completed) };
        match outcome {
            Outcome::Passed => Ok(Completion::Completed),
            Outcome::Skipped(why) => Ok(Completion::ignored_with(why)),
            Outcome::Failed(failure) => {
                let lines = failure.lines();
                let lines = lines.iter().map(|line| line.escape_debug());
                let lines: Vec<_> = lines.map(|it| it.to_string()).collect();
                Err(Failed::from(lines.join("\n")))
            }
            Outcome::Error(message) => {
                let message = format!("not the server's fault: {message}");
                Err(Failed::from(message))
            }
        }
    })
}
