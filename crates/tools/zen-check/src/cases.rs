//! The table of cases: for each clause of the book's page "The contract", what
//! is done to a server to see whether it keeps it.

mod architecture;
mod cost;
mod crowd;
mod ending;
mod family;
mod limit;
mod load;
mod log;
mod option;
mod process;
mod race;
mod surroundings;
mod wire;

use crate::case::Case;

/// All cases, in the order of the page.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let groups = [
        wire::CASES,
        ending::CASES,
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
    groups.into_iter().flatten()
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
