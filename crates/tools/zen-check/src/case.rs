//! A case: one thing to try, and for which servers it is.

use std::fmt;

use zen_harness::system;

use crate::architecture::Architecture;
use crate::contract::{self, Level, Profile};
use crate::subject::Subject;
use crate::verdict::Verdict;

/// One thing to try.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// The clause that it is about, such as `wire/3`.
    pub(crate) clause: &'static str,
    /// What is expected, with underscores for spaces.
    pub(crate) name: &'static str,
    pub(crate) run: Run,
    /// It is an assignment's, and the book does not know it.
    pub(crate) own: bool,
    /// It would disturb others, or be disturbed: it runs when no other does.
    pub(crate) alone: bool,
    pub(crate) level: Level,
    /// From which profile on it is put, if not from its clause's.
    pub(crate) from: Option<Profile>,
    pub(crate) only: Option<Only>,
    /// It takes a server that serves this many clients at once.
    pub(crate) clients: usize,
    /// It takes a machine that lets this many clients wait to be accepted.
    pub(crate) queue: u64,
}

/// What a case does to a program.
pub(crate) type Run = &'static (dyn Fn(&Subject) -> Verdict + Sync);

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.clause, self.name)
    }
}

/// For which servers a case is, and why not for the others.
pub(crate) type Only = (fn(Architecture) -> bool, &'static str);

impl Case {
    pub(crate) fn group(&self) -> &'static str {
        contract::group(self.clause)
    }

    /// The number of its clause in the group.
    pub(crate) fn number(&self) -> u32 {
        let number = self.clause.split_once('/').unwrap_or_default().1;
        number.parse().unwrap_or_default()
    }

    /// From which profile on it is put.
    pub(crate) fn profile(&self) -> Profile {
        if self.own {
            return Profile::Wire;
        }
        self.from.unwrap_or(match (self.group(), self.number()) {
            ("wire", _) | ("ending", 1..=5) => Profile::Wire,
            ("crowd", 7 | 11) | ("process", 2..=5 | 12 | 15 | 22) => {
                Profile::Listing
            }
            ("ending" | "limit" | "crowd" | "process" | "architecture", _)
            | ("option", 8..=15 | 28 | 29)
            | ("log", 2 | 18 | 19)
            | ("cost", 7 | 8) => Profile::Server,
            _ => Profile::Listing,
        })
    }

    /// What is expected, in words.
    pub(crate) fn sentence(&self) -> String {
        self.name.replace('_', " ")
    }

    /// Whether a person means it by this: a clause, a group, or a name.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        [self.clause, self.group(), self.name].contains(&word)
            || word == self.sentence()
            || word.split_once("::") == Some((self.clause, self.name))
    }

    /// It is about listening, and about the process that listens.
    fn is_inetds(&self) -> bool {
        let clauses = [
            "ending/6", "crowd/6", "crowd/7", "crowd/8", "crowd/9", "crowd/11",
            "log/2", "log/18", "log/19", "cost/7", "cost/8",
        ];
        let names = ["a_client_that_cannot_be_set_up_harms_no_other"];
        self.group() == "process"
            || clauses.contains(&self.clause)
            || names.contains(&self.name)
    }

    /// Why this case is not for such a server, if it is not.
    pub(crate) fn why_not(&self, subject: &Subject) -> Option<String> {
        if let Some((holds, otherwise)) = self.only {
            let Some(architecture) = subject.architecture else {
                return Some("no --architecture is required of it".into());
            };
            if !holds(architecture) {
                return Some(otherwise.into());
            }
        }
        if self.profile() == Profile::Listing && !subject.is_listing() {
            return Some("it is about a listing's own options or log".into());
        }
        if subject.is(|one| one.inetd().is_some()) && self.is_inetds() {
            return Some("inetd does this, and not the program".into());
        }
        if let Some(longest) = system::longest_queue()
            && longest < self.queue
        {
            return Some(format!(
                "here only {longest} clients can wait to be accepted \
                (net.core.somaxconn)"
            ));
        }
        if self.clients < 2 || subject.at_once(self.clients) == self.clients {
            return None;
        }
        Some(match self.clients {
            2 => "it serves one client at a time".into(),
            _ => "it serves fewer at once".into(),
        })
    }
}

/// A function that tries a case, and its name.
pub(crate) type Named = (&'static str, Run);

/// Functions with their names, which are those of cases.
macro_rules! functions {
    ($($name:ident,)+) => { &[$((stringify!($name), &$name)),+] };
}
pub(crate) use functions;
