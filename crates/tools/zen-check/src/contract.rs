//! The contract: its words, how much of it is asked, and what usually breaks
//! each of its clauses.

mod dialect;

use std::str::FromStr;

pub use dialect::Dialect;
pub(crate) use dialect::translated;

pub(crate) const UGLY: &[u8] = b"Beautiful is better than?";
pub(crate) const IMPLICIT: &[u8] = b"Explicit is better than?";
pub(crate) const COMPLEX: &[u8] = b"Simple is better than?";
pub(crate) const UNKNOWN: &[u8] = b"Error: unknown aphorism.";
pub(crate) const TOO_LONG: &[u8] = b"Error: question too long.";

/// The answer to one question.
pub(crate) fn answer(question: &[u8]) -> &'static [u8] {
    match question {
        UGLY => b"Ugly.",
        IMPLICIT => b"Implicit.",
        COMPLEX => b"Complex.",
        _ => UNKNOWN,
    }
}

/// All answers to a stream of questions, none of which is too long.
pub(crate) fn answers(stream: &[u8]) -> Vec<u8> {
    let questions = stream.split_inclusive(|&byte| byte == b'?');
    let whole = questions.filter(|question| question.ends_with(b"?"));
    // The contract and this method agree on what white space is.
    let answers = whole.map(|question| answer(question.trim_ascii_start()));
    answers.collect::<Vec<_>>().concat()
}

/// How much of the contract is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "command", derive(serde::Serialize))]
#[cfg_attr(feature = "command", serde(rename_all = "lowercase"))]
pub enum Profile {
    /// Bytes and endings: any program that answers the questions.
    Wire,
    /// Also limits, crowds, signals and restarts: a server that runs alone.
    Server,
    /// Also the command line, the log and what it costs: a listing.
    Listing,
}

impl Profile {
    /// As on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Server => "server",
            Self::Listing => "listing",
        }
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = [Self::Wire, Self::Server, Self::Listing];
        let found = all.into_iter().find(|profile| profile.name() == name);
        found.ok_or_else(|| "it is wire, server or listing".into())
    }
}

/// Whether a case counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "command", derive(serde::Serialize))]
#[cfg_attr(feature = "command", serde(rename_all = "lowercase"))]
pub enum Level {
    /// A server that fails it breaks the contract.
    Must,
    /// A failure is reported and costs nothing.
    Should,
}

/// The clause of a server that cannot be connected to. If it fails, no other
/// case could be put.
pub(crate) const START: &str = "start";

/// The group of a clause: what stands before the slash.
pub(crate) fn group(clause: &str) -> &str {
    clause.split('/').next().unwrap_or_default()
}

/// Where the book explains a clause.
pub(crate) fn page(clause: &str) -> String {
    match clause {
        START => "check.html".into(),
        clause => format!("contract.html#{}", clause.replace('/', "-")),
    }
}

/// What a failure of this clause usually means, for a student who has the
/// report and nothing else; None where the failure says it all.
pub(crate) fn hint(clause: &str) -> Option<String> {
    let mut table = include_str!("contract/hints.txt").split("\n\n");
    table.find_map(|entry| {
        let (clauses, text) = entry.split_once('\n')?;
        let words: Vec<_> = text.split_whitespace().collect();
        clauses.split(' ').any(|it| it == clause).then(|| words.join(" "))
    })
}

/// What the server's last words mean, if they are among the usual ones.
pub(crate) fn hint_of_log(log: &[String]) -> Option<String> {
    let said = |words: &[&str]| {
        log.iter().any(|line| words.iter().any(|word| line.contains(word)))
    };
    let hint = if said(&["ddress already in use", "EADDRINUSE", "AddrInUse"]) {
        "The port was still taken: set SO_REUSEADDR on the listening socket \
        before bind(). (zen-check gives each server a port of its own; only a \
        restart uses one again.)"
    } else if said(&["unrecognized arguments", "unexpected argument"]) {
        "The server does not know an option that it was given in the place of \
        {options}."
    } else if said(&["AddressSanitizer", "runtime error: "]) {
        "A sanitizer has found a mistake in how the server uses its memory: \
        the log below says what was done, and in which line."
    } else {
        return None;
    };
    Some(hint.into())
}
