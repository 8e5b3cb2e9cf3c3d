//! A copy of a report that is safe to print: no control character, no line
//! that a terminal or a grader would obey, nothing without end.

use crate::report::{CaseResult, Failure, Observation, Outcome, Report};

/// A transcript's line says all in this; what is longer is a flood.
const LINE_BYTES_MAX: usize = 300;

/// A few sentences, or a command with all its options.
const PROSE_BYTES_MAX: usize = 2_000;

/// Of many lines, so many from the beginning and the end tell what happened.
const LINES_MAX: usize = 20;

/// The same report, with nothing in it that a terminal or a grader would obey,
/// and none of it without end.
#[must_use]
pub fn report(report: &Report) -> Report {
    Report {
        subject: prose(&report.subject),
        architecture: report.architecture.as_deref().map(prose),
        observed: report.observed.as_ref().map(|it| Observation {
            verdict: prose(&it.verdict),
            crowds: it.crowds.clone(),
            notes: it.notes.iter().map(|note| prose(note)).collect(),
        }),
        results: report.results.iter().map(result).collect(),
        ..*report
    }
}

fn result(result: &CaseResult) -> CaseResult {
    let outcome = match &result.outcome {
        Outcome::Passed => Outcome::Passed,
        Outcome::Failed(it) => Outcome::Failed(Box::new(failure(it))),
        Outcome::Error(reason) => Outcome::Error(prose(reason)),
        Outcome::Skipped(reason) => Outcome::Skipped(prose(reason)),
    };
    CaseResult { sentence: prose(&result.sentence), outcome, ..*result }
}

fn failure(failure: &Failure) -> Failure {
    Failure {
        what: prose(&failure.what),
        difference: lines(&failure.difference, LINES_MAX),
        transcript: lines(&failure.transcript, LINES_MAX),
        means: failure.means.as_deref().map(prose),
        page: prose(&failure.page),
        again: prose(&failure.again),
        log: lines(&failure.log, 0),
        ..*failure
    }
}

/// At most the first so many lines, and the last ones.
fn lines(lines: &[String], first: usize) -> Vec<String> {
    let clean = |line: &String| printable(line, LINE_BYTES_MAX);
    let left_out = lines.len().saturating_sub(first + LINES_MAX);
    if left_out == 0 {
        return lines.iter().map(clean).collect();
    }
    let (first, rest) = lines.split_at(first);
    let mut shown: Vec<_> = first.iter().map(clean).collect();
    shown.push(format!("({left_out} more lines)"));
    shown.extend(rest[left_out..].iter().map(clean));
    shown
}

fn prose(text: &str) -> String {
    printable(text, PROSE_BYTES_MAX)
}

/// The text in one line of printable characters.
fn printable(text: &str, bytes_max: usize) -> String {
    let mut line = String::new();
    for (at, c) in text.char_indices() {
        if line.len() >= bytes_max {
            line += &format!("... ({} more bytes)", text.len() - at);
            break;
        }
        match c {
            // These are printable; only Rust's own literals escape them.
            '\'' | '"' | '\\' => line.push(c),
            _ => line.extend(c.escape_debug()),
        }
    }
    // A GitHub runner obeys a line of any program's output that begins with
    // two colons, or in which the second of these stands.
    if line.trim_start().starts_with("::") {
        line = line.replacen("::", "\\x3a:", 1);
    }
    line.replace("##[", "##\\x5b")
}
