//! The table of cases: for each clause of the book's page "The contract", what
//! is done to a server to see whether it keeps it. All are in files that end
//! in `.cases`; those that need an algorithm are functions of the same name.

mod architecture;
mod cost;
mod crowd;
mod family;
mod limit;
mod load;
mod log;
mod option;
mod prelude;
mod process;
mod race;
mod surroundings;
mod wire;

use std::sync::LazyLock;

use crate::case::{Case, Named};
use crate::script;

/// A file of cases: its name and its text.
macro_rules! files {
    ($($name:literal),+) => {
        [$(($name, include_str!(concat!("cases/", $name)))),+]
    };
}

/// The groups of clauses, in the order of the page.
const TEXTS: [(&str, &str); 9] = files![
    "wire.cases",
    "ending.cases",
    "limit.cases",
    "crowd.cases",
    "architecture.cases",
    "process.cases",
    "option.cases",
    "log.cases",
    "cost.cases"
];

const FUNCTIONS: [&[Named]; 12] = [
    wire::FUNCTIONS,
    limit::FUNCTIONS,
    crowd::FUNCTIONS,
    race::FUNCTIONS,
    load::FUNCTIONS,
    family::FUNCTIONS,
    surroundings::FUNCTIONS,
    architecture::FUNCTIONS,
    process::FUNCTIONS,
    option::FUNCTIONS,
    log::FUNCTIONS,
    cost::FUNCTIONS,
];

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let functions = FUNCTIONS.concat();
    let cases = |(name, text)| match script::read(None, text, &functions) {
        Ok(cases) => cases,
        Err(message) => panic!("{name}: {message}"),
    };
    TEXTS.into_iter().flat_map(cases).collect()
});

/// All cases, in the order of the page.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    CASES.iter()
}

/// The clauses that no case is about, and what checks them.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("client/1", "the tests of zen-client"),
    ("client/2", "the tests of zen-client"),
    ("log/13", "the tests of zen-inetd"),
    ("cost/1", "a script that counts allocations"),
    ("cost/4", "a script that counts system calls"),
    ("cost/5", "a script that counts system calls"),
];

#[cfg(test)]
mod tests {
    use super::{CASES, FUNCTIONS};

    #[test]
    fn every_function_is_a_case() {
        let functions = FUNCTIONS.concat();
        for (name, _) in functions {
            assert!(CASES.iter().any(|case| case.name == name), "{name}");
        }
    }
}
