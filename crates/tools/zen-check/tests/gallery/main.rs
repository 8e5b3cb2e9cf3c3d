//! The gallery: servers that are wrong, each in its own way, and what is said
//! of each of them. The checker is right when it finds the fault, by the case
//! that is about it, and nothing that is not there.
//!
//! `zen-wrong` makes one mistake at a time, or none; beside it stand two
//! servers in Python, and small servers in other languages, each with and
//! without one mistake; a language that is not installed is left out. For each
//! there is a file in `wrong/golden` with the list of the cases that it fails,
//! which must be the same, and with the report of the case that names the
//! fault, of which all that does not depend on times must be the same.
//!
//! ```sh
//! cargo test -p zen-check --test gallery
//! GALLERY=full cargo test -p zen-check --test gallery    # all cases
//! GALLERY=reports cargo test -p zen-check --test gallery # write the reports
//! GALLERY=bless cargo test -p zen-check --test gallery   # write the files
//! ```
//!
//! By itself it puts to each server only the case that names its fault, and to
//! one that makes no mistake how it talks: so much says in a minute or two that
//! every fault is found. Of some, the first lines of a whole report are in
//! `wrong/causes`. A filter, `--list` and so on are those of any `cargo test`.

mod anonymous;
mod causes;
mod golden;
mod servers;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use zen_check::report::{CaseResult, Level, Outcome};
use zen_check::{Plan, Program};
use zen_harness::system;

use golden::Golden;
use servers::Server;

/// The number of servers whose naming case runs at a time: most wait most of
/// the time, and some measure it.
const SERVERS_AT_ONCE: usize = 3;

/// A server that is wrong makes its cases wait until they lose patience.
const CASES_AT_ONCE: usize = 16;

/// From which every cut is drawn, so that a difference is the same each time.
const SEED: u64 = 1060;

/// How these are to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The case that names the fault.
    Quick,
    /// All cases.
    Full,
    /// The case that names the fault, and its report is right from now on.
    Reports,
    /// All cases, and whatever comes of them is right from now on.
    Bless,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let mode = match std::env::var("GALLERY").unwrap_or_default().as_str() {
        "" => Mode::Quick,
        "full" => Mode::Full,
        "reports" => Mode::Reports,
        "bless" => Mode::Bless,
        other => {
            eprintln!(
                "GALLERY is full, reports, bless or nothing, and not {other:?}"
            );
            return ExitCode::from(2);
        }
    };
    if !cfg!(target_os = "linux") {
        eprintln!("the gallery is left out: what it needs is in /proc");
        return ExitCode::SUCCESS;
    }
    system::take_servers_along();
    // Several of these servers burn all the processor time that there is: in
    // full, none may stand beside another.
    let at_once = match mode {
        Mode::Quick | Mode::Reports => SERVERS_AT_ONCE,
        Mode::Full | Mode::Bless => 1,
    };
    arguments.test_threads.get_or_insert(at_once);
    let trials = servers::all().into_iter().map(|server| {
        let (kind, name) = (server.kind, server.name.clone());
        let test = move || examine(&server, mode);
        Trial::test(name, test).with_kind(kind)
    });
    let causes = causes::ALL.iter().map(|first| {
        let test = move || causes::examine(first, mode);
        Trial::test(format!("causes::{}", first.fault), test).with_kind("cause")
    });
    libtest_mimic::run(&arguments, trials.chain(causes).collect()).exit_code()
}

/// Puts the cases to one server, and compares.
fn examine(server: &Server, mode: Mode) -> Result<(), Failed> {
    let golden = Golden::read(server)?;
    let groups = match mode {
        Mode::Quick | Mode::Reports => golden.naming_case(),
        Mode::Full | Mode::Bless => server.only.clone(),
    };
    let results = put(&server.program, groups);
    let errors = results.iter().find_map(|result| match &result.outcome {
        Outcome::Error(why) => Some(format!("{}: {why}", result.title())),
        _ => None,
    });
    if let Some(error) = errors {
        return Err(error.into());
    }
    match mode {
        Mode::Bless => golden.bless(server, &results),
        Mode::Reports => golden.bless_report(server, &results),
        Mode::Quick => golden.expect_named(server, &results),
        Mode::Full => golden.compare(server, &results),
    }
}

fn put(program: &dyn Fn() -> Program, only: Vec<String>) -> Vec<CaseResult> {
    let plan = Plan { only, jobs: CASES_AT_ONCE, ..Plan::default() };
    let mut program = program();
    program.seed = SEED;
    zen_check::examine(program, "gallery", &plan, &|_| ()).results
}

/// A case as the files name it.
fn title(result: &CaseResult) -> String {
    let should = match result.level {
        Level::Must => "",
        Level::Should => " (SHOULD)",
    };
    format!("{} {}{should}", result.clause, result.sentence)
}
