//! What a run comes to: one model, and everything that is printed or written
//! about a run is made from it.

use std::time::{Duration, SystemTime};

use crate::contract::{self, Level, Profile};

/// All that is known after a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The command, or the address, as a person would type it.
    pub subject: String,
    /// What was asked of it.
    pub profile: Profile,
    /// The architecture that was required, as on the command line.
    pub architecture: Option<String>,
    /// From which all cuts and orders were drawn.
    pub seed: u64,
    /// When the run began.
    pub started: SystemTime,
    /// How long it took.
    pub time: Duration,
    /// The server as the kernel sees it, if that was looked at.
    pub observed: Option<Observation>,
    /// What is behind the failures, as far as that is known.
    pub causes: Vec<Cause>,
    /// In the order of the book's page "The contract".
    pub results: Vec<CaseResult>,
}

/// Why several cases fail: told once, before all of them.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "command", derive(serde::Serialize))]
pub struct Cause {
    /// In a line, about the server.
    pub what: String,
    /// How it was seen, what it usually means, and so on.
    pub lines: Vec<String>,
    /// It explains the failures that are because of this; None if it is worth
    /// a note and no reason to fail.
    #[cfg_attr(feature = "command", serde(skip))]
    pub explains: Option<Because>,
}

/// A reason that may be behind many failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// An answer has other words.
    Words,
    /// The server has ended, and was not told to.
    Ended,
    /// It runs when there is nothing to do.
    Spins,
    /// It does not take questions for what they are.
    Talk,
}

/// One case, tried or left out.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// The clause that it is about, such as `wire/3`.
    pub clause: &'static str,
    /// What is expected, such as `answers any stream cut in any way`.
    pub sentence: String,
    /// Whether it counts.
    pub level: Level,
    /// For how much; nothing if it does not count.
    pub points: usize,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub time: Duration,
}

impl CaseResult {
    /// Its clause and what is expected, in a line.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}: {}", self.clause, self.sentence)
    }

    /// The group of its clause: what stands before the slash.
    #[must_use]
    pub fn group(&self) -> &'static str {
        contract::group(self.clause)
    }
}

/// What came of a case.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The server keeps the contract here.
    Passed,
    /// The server breaks it.
    Failed(Box<Failure>),
    /// The checker or its machine failed, and nothing is known of the server.
    Error(String),
    /// The case was not put to it, for this reason.
    Skipped(String),
}

/// What the server did, for a student who has only this to read.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "command", derive(serde::Serialize))]
pub struct Failure {
    /// What is wrong, in a line.
    pub what: String,
    /// Whether the bytes were right, where the case looks at them.
    pub bytes: Option<bool>,
    /// Whether the connection ended as it must, where the case looks at that.
    pub ending: Option<bool>,
    /// Where expected and received bytes part, with a caret below; each line
    /// is escaped.
    pub difference: Vec<String>,
    /// What was sent and received, with times; each line is escaped.
    pub transcript: Vec<String>,
    /// What it usually means.
    pub means: Option<String>,
    /// Where the book explains it: a page and an anchor, such as
    /// `contract.html#wire-3`.
    pub page: String,
    /// The command that puts this case again.
    pub again: String,
    /// The last lines that the server printed, as it printed them.
    pub log: Vec<String>,
    /// A reason that may be behind other failures too.
    #[cfg_attr(feature = "command", serde(skip))]
    pub because: Option<Because>,
    /// How the server has ended by itself, if it has.
    #[cfg_attr(feature = "command", serde(skip))]
    pub ended: Option<String>,
    /// It is a time that was too long, by this much.
    #[cfg_attr(feature = "command", serde(skip))]
    pub late_by: Option<Duration>,
    /// A busy machine is no excuse: it was not judged by a time.
    #[cfg_attr(feature = "command", serde(skip))]
    pub certain: bool,
    /// Another program of this machine may be the reason: nothing came for a
    /// long time, or something killed the server.
    #[cfg_attr(feature = "command", serde(skip))]
    pub starved: bool,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), ..Self::default() }
    }

    /// All that is known of it, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.what.clone()];
        let judged = |what, is: Option<bool>| {
            Some(format!("the {what} {}", if is? { "right" } else { "wrong" }))
        };
        let bytes = judged("bytes are", self.bytes).into_iter();
        let both = bytes.chain(judged("ending is", self.ending));
        let both: Vec<_> = both.collect();
        lines.extend(Some(both.join(", ")).filter(|it| !it.is_empty()));
        lines.extend(self.difference.iter().map(|line| format!("  {line}")));
        if !self.transcript.is_empty() {
            lines.push("sent and received:".into());
        }
        lines.extend(self.transcript.iter().map(|line| format!("  {line}")));
        if let Some(means) = &self.means {
            lines.push(format!("it usually means: {means}"));
        }
        for (label, text) in [("book", &self.page), ("again", &self.again)] {
            if !text.is_empty() {
                lines.push(format!("{label}: {text}"));
            }
        }
        if !self.log.is_empty() {
            lines.push("last lines of its log:".into());
        }
        lines.extend(self.log.iter().map(|line| format!("  | {line}")));
        lines
    }
}

/// The cases that failed, and how.
pub fn failures(
    results: &[CaseResult],
) -> impl Iterator<Item = (&CaseResult, &Failure)> {
    results.iter().filter_map(|result| match &result.outcome {
        Outcome::Failed(failure) => Some((result, &**failure)),
        _ => None,
    })
}

/// More clauses than these make a list no clearer.
const CLAUSES_MAX: usize = 12;

/// The clauses of cases, of which several of one clause follow each other.
pub(crate) fn in_short(mut clauses: Vec<&str>) -> String {
    clauses.dedup();
    let more = match clauses.len().saturating_sub(CLAUSES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    clauses.truncate(CLAUSES_MAX);
    clauses.join(", ") + &more
}

/// The last line that a server has printed is often the reason why it ended.
pub(crate) fn last_line(log: &[String]) -> Option<String> {
    let last = log.iter().rev().find(|line| !line.trim().is_empty())?;
    Some(format!("the last line that it printed: {last}"))
}

/// One line, of printable characters only. It is cut if it is long, and if what
/// is left out is longer than the words that say so.
pub(crate) fn printable(text: &str, bytes_max: usize) -> String {
    let mut line = String::new();
    for (at, c) in text.char_indices() {
        let left = text.len() - at;
        if line.len() >= bytes_max && left > "... (99 more bytes)".len() {
            line += &format!("... ({left} more bytes)");
            break;
        }
        match c {
            // These are printable; only Rust's own literals escape them.
            '\'' | '"' | '\\' => line.push(c),
            _ => line.extend(c.escape_debug()),
        }
    }
    line
}

/// The server as the kernel sees it.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "command", derive(serde::Serialize))]
pub struct Observation {
    /// In a sentence or two.
    pub verdict: String,
    /// With 0, 1, 5 and 50 silent clients.
    pub crowds: Vec<Crowd>,
    /// What else was seen, a line each.
    pub notes: Vec<String>,
}

/// What there is while this many clients are silent.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "command", derive(serde::Serialize))]
pub struct Crowd {
    /// Silent clients.
    pub clients: usize,
    /// Threads of all its processes.
    pub threads: Option<usize>,
    /// Processes.
    pub processes: Option<usize>,
    /// Open descriptors of all its processes.
    pub descriptors: Option<usize>,
    /// Memory of their own of all its processes, in bytes.
    pub memory_bytes: Option<u64>,
    /// Whether one more client was answered.
    pub next_is_answered: Option<bool>,
}

/// The sums of a report, made in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "command", derive(serde::Serialize))]
pub struct Totals {
    /// Cases that passed, whatever their level.
    pub passed: usize,
    /// Cases that must not fail, and did.
    pub failed: usize,
    /// Cases that count, and passed or failed.
    #[cfg_attr(feature = "command", serde(skip))]
    pub counting: usize,
    /// Cases that should not fail, and did.
    pub warned: usize,
    /// Cases of which nothing is known.
    pub errors: usize,
    /// Cases that were left out.
    pub skipped: usize,
    /// Of the cases that count and passed.
    pub points: usize,
    /// Of all cases that were not skipped: what can be reached does not shrink
    /// because a case came to no verdict.
    pub points_max: usize,
}

impl Report {
    /// Counts the results.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for CaseResult { outcome, level, points, .. } in &self.results {
            match (outcome, level) {
                (Outcome::Passed, _) => {
                    totals.passed += 1;
                    totals.points += points;
                }
                (Outcome::Failed(_), Level::Must) => totals.failed += 1,
                (Outcome::Failed(_), Level::Should) => totals.warned += 1,
                (Outcome::Error(_), _) => totals.errors += 1,
                (Outcome::Skipped(_), _) => totals.skipped += 1,
            }
            if matches!(outcome, Outcome::Passed | Outcome::Failed(_)) {
                totals.counting += usize::from(*level == Level::Must);
            }
            if !matches!(outcome, Outcome::Skipped(_)) {
                totals.points_max += points;
            }
        }
        totals
    }

    /// The cause that explains a result, by its number.
    #[must_use]
    pub fn cause_of(&self, result: &CaseResult) -> Option<usize> {
        let Outcome::Failed(failure) = &result.outcome else { return None };
        let because = failure.because?;
        let mut causes = self.causes.iter();
        causes.position(|cause| cause.explains == Some(because))
    }

    /// 0 if nothing that counts has failed, 1 if something has, 2 if nothing
    /// has and the checker itself failed somewhere.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self.totals() {
            Totals { failed: 1.., .. } => 1,
            Totals { errors: 1.., .. } => 2,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_is_escaped_is_not_escaped_again() {
        // Else the caret below it would stand elsewhere.
        let line = r#"expected b"a\x00\"b""#;
        assert_eq!(printable(line, usize::MAX), line);
        assert_eq!(printable("a\x1b[31m", usize::MAX), r"a\u{1b}[31m");
        assert_eq!(printable("abc", 1), "abc");
        assert_eq!(
            printable(&"a".repeat(99), 9),
            "aaaaaaaaa... (90 more bytes)"
        );
    }
}
