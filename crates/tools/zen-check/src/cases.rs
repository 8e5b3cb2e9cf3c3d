//! The table of cases: for each clause of the book's page "The contract", what
//! is done to a server to see whether it keeps it. Most are text, in files
//! that end in `.cases`; the others need an algorithm.

mod architecture;
mod cost;
mod crowd;
mod family;
mod limit;
mod load;
mod log;
mod option;
mod process;
mod race;
mod surroundings;
mod wire;

use std::sync::LazyLock;

use crate::case::Case;
use crate::script;

const TEXTS: [&str; 7] = [
    include_str!("cases/wire.cases"),
    include_str!("cases/ending.cases"),
    include_str!("cases/limit.cases"),
    include_str!("cases/crowd.cases"),
    include_str!("cases/process.cases"),
    include_str!("cases/option.cases"),
    include_str!("cases/log.cases"),
];

const FUNCTIONS: [&[Case]; 12] = [
    wire::CASES,
    limit::CASES,
    crowd::CASES,
    race::CASES,
    load::CASES,
    family::CASES,
    surroundings::CASES,
    architecture::CASES,
    process::CASES,
    option::CASES,
    log::CASES,
    cost::CASES,
];

/// The groups of clauses, in the order of the page.
const GROUPS: [&str; 9] = [
    "wire",
    "ending",
    "limit",
    "crowd",
    "architecture",
    "process",
    "option",
    "log",
    "cost",
];

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let mut cases: Vec<Case> = FUNCTIONS.concat();
    for text in TEXTS {
        match script::read(None, text) {
            Ok(of_text) => cases.extend(of_text),
            Err(message) => panic!("a file of cases is wrong: {message}"),
        }
    }
    cases.sort_by_key(|case| {
        let group = GROUPS.iter().position(|group| *group == case.group());
        (group, case.number())
    });
    cases
});

/// All cases, in the order of the page.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    CASES.iter()
}

/// The clauses that no case is about, and what checks them.
pub(crate) const ELSEWHERE: &[(&str, &str)] = &[
    ("client/1", "the tests of zen-client"),
    ("client/2", "the tests of zen-client"),
    ("log/13", "the tests of zen-inetd"),
    ("cost/1", "a script that counts allocations"),
    ("cost/4", "a script that counts system calls"),
    ("cost/5", "a script that counts system calls"),
];
