//! A case: one thing to try, and for which servers it is.

use std::fmt;

use zen_harness::system;

use crate::architecture::Architecture;
use crate::contract::{self, Level, Profile};
use crate::subject::Subject;
use crate::verdict::Verdict;

/// One thing to try.
#[derive(Clone, Copy)]
pub struct Case {
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
    /// From which profile on it is put.
    pub(crate) from: Profile,
    pub(crate) only: Option<Only>,
    /// It takes a server that serves this many clients at once.
    pub(crate) clients: usize,
    /// It takes a machine that lets this many clients wait to be accepted.
    pub(crate) queue: u64,
    /// It is about what inetd does: to listen, and to start processes.
    pub(crate) inetds: bool,
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
    /// The clause that it is about, such as `netstring/3`.
    #[must_use]
    pub fn clause(&self) -> &'static str {
        self.clause
    }

    pub(crate) fn group(&self) -> &'static str {
        contract::group(self.clause)
    }

    /// What is expected, in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        self.name.replace('_', " ")
    }

    /// Whether a person means it by this: a clause, a group, or a name.
    #[must_use]
    pub fn is_called(&self, word: &str) -> bool {
        [self.clause, self.group(), self.name].contains(&word)
            || word == self.sentence()
            || word.split_once("::") == Some((self.clause, self.name))
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
        if self.from == Profile::Listing && !subject.is_listing() {
            return Some("it is about a listing's own options or log".into());
        }
        if self.inetds && subject.is(|one| one.inetd().is_some()) {
            return Some("inetd does this, and not the program".into());
        }
        let longest = system::longest_queue();
        if let Some(longest) = longest.filter(|&it| it < self.queue) {
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

/// Functions with their names, which are those of cases; `name = run` where
/// several cases are one function.
macro_rules! functions {
    ($($name:ident $(= $run:expr)?,)+) => {
        &[$(functions!(one $name $($run)?)),+]
    };
    (one $name:ident) => { (stringify!($name), &$name) };
    (one $name:ident $run:expr) => { (stringify!($name), &$run) };
}
pub(crate) use functions;
