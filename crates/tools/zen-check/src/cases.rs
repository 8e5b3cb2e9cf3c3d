//! The table of cases: for each clause of the book's page "The contract", what
//! is done to a server to see whether it keeps it.

mod cost;
mod crowd;
mod ending;
mod limit;
mod log;
mod option;
mod process;
mod wire;

use crate::architecture::Architecture;
use crate::subject::Subject;
use crate::verdict::Verdict;

/// One thing to try.
#[derive(Debug)]
pub(crate) struct Case {
    /// The clause that it is about, such as `wire/3`.
    pub(crate) clause: &'static str,
    /// What is expected, as the name of the function.
    pub(crate) sentence: &'static str,
    pub(crate) run: fn(&Subject) -> Verdict,
    /// It would disturb others, or be disturbed: it runs when no other does.
    pub(crate) alone: bool,
    only: Option<Only>,
}

/// For which servers a case is, and why not for the others.
type Only = (fn(Architecture) -> bool, &'static str);

impl Case {
    const fn only(
        self,
        holds: fn(Architecture) -> bool,
        otherwise: &'static str,
    ) -> Self {
        Self { only: Some((holds, otherwise)), ..self }
    }

    const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// Why this case is not for such a server, if it is not.
    pub(crate) fn why_not(&self, server: Architecture) -> Option<&'static str> {
        let (holds, otherwise) = self.only?;
        (!holds(server)).then_some(otherwise)
    }
}

/// A row of the table: a clause, and the function that tries it.
macro_rules! case {
    ($clause:literal, $run:ident) => {
        crate::cases::Case {
            clause: $clause,
            sentence: stringify!($run),
            run: $run,
            alone: false,
            only: None,
        }
    };
}
use case;

/// All cases, in the order of the page.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let groups = [
        wire::CASES,
        ending::CASES,
        limit::CASES,
        crowd::CASES,
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
