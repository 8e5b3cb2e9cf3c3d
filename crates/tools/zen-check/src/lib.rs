//! Black-box conformance tests: checks a server against every clause of the
//! contract.
//!
//! A server is a program: it is started as a process, gets questions and
//! signals, and its log is read. Nothing here knows how it is built, so the
//! same cases fit every architecture and any language.
//!
//! The modules are layers. Each uses only those above it:
//!
//! - `contract`, `architecture`: the words, the clauses with a hint for each,
//!   the [`Dialect`]; what is required of one server and forbidden to another;
//! - `outcome`, `verdict`: what a run and a case come to;
//! - `heard`: the words of a server, and of the clients that speak to it;
//! - `program`, `subject`: the [`Program`], and one case's record of it;
//! - `client`: a client that checks every byte;
//! - `server`, `process`, `probe`, `observe`, `full`: a running server, what a
//!   case expects of it, and what it is as the kernel sees it;
//! - `case`: what a case is; `cases`: the table of them; [`script`]: cases in
//!   text form, such as those of an assignment;
//! - [`examine`]: which cases are put, and what is tried again on a busy
//!   machine;
//! - `report`: the formats; then `main` and `matrix`.
//!
//! `zen-harness` starts and ends servers, and knows what the operating system
//! tells of them.
//!
//! A listing's tests are this line; its manifest says what it is:
//!
//! ```ignore
//! fn main() -> std::process::ExitCode {
//!     zen_check::listing!()
//! }
//! ```

mod architecture;
mod case;
mod cases;
mod client;
mod contract;
mod examine;
mod full;
mod heard;
mod observe;
mod outcome;
mod probe;
mod process;
mod program;
mod random;
#[cfg(feature = "command")]
pub mod report;
pub mod script;
mod server;
mod subject;
mod transcript;
mod verdict;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use zen_harness::inetd;
use zen_harness::listing::Listing;

pub use architecture::Architecture;
use case::Case;
pub use cases::ELSEWHERE;
pub use contract::Dialect;
use examine::Machine;
pub use examine::{CASES_AT_ONCE, Plan, Progress, examine, list, unknown};
use outcome::Outcome;
pub use program::{Program, quoted};

#[doc(hidden)]
pub use zen_harness as harness;

/// Checks the package whose test this is against the whole contract, once for
/// each of its variants. It takes the command line of any `cargo test`: a
/// filter, `--list`, and so on.
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

/// Runs the cases of each program's profile as tests, which are shown with the
/// name of the program.
fn tests(programs: Vec<(String, Program)>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(CASES_AT_ONCE);
    let programs: Vec<_> = programs
        .into_iter()
        .map(|(name, program)| {
            let seed = seed_of_now();
            (name, Arc::new(Program { seed, ..program }))
        })
        .collect();
    let machine = Arc::new(Machine::default());
    let mut trials = Vec::new();
    // Those that need the machine to themselves come last, so that no other
    // case has to wait for them.
    for alone in [false, true] {
        for (name, program) in &programs {
            let cases = examine::chosen(program.profile, &[]).into_iter();
            let cases = cases.filter(|case| case.alone == alone);
            trials.extend(cases.map(|case| {
                let (program, machine) =
                    (Arc::clone(program), Arc::clone(&machine));
                trial(case, program, machine).with_kind(name)
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

fn trial(
    case: &'static Case,
    program: Arc<Program>,
    machine: Arc<Machine>,
) -> Trial {
    let name = format!("{}::{}", case.clause, case.name);
    Trial::ignorable_test(name, move || {
        if let Some(why) = machine.has_seen_enough() {
            return Err(Failed::from(why));
        }
        let outcome = machine.shared(case, &program);
        let outcome = outcome.unwrap_or_else(|| machine.alone(case, &program));
        match outcome {
            Outcome::Passed => Ok(Completion::Completed),
            Outcome::Skipped(why) => Ok(Completion::ignored_with(why)),
            Outcome::Failed(failure) => {
                let lines = failure.lines().into_iter();
                // What is escaped already is not escaped again: the caret
                // stands below its byte.
                let lines = lines.map(|it| outcome::printable(&it, usize::MAX));
                let lines: Vec<_> = lines.collect();
                Err(Failed::from(lines.join("\n")))
            }
            Outcome::Error(message) => Err(Failed::from(message)),
        }
    })
}
