//! A copy of a report that is safe to print: no control character, no line
//! that a terminal or a grader would obey, and nothing of unlimited length.

use crate::outcome::{self, Outcome, Report};

/// Enough for a line of a transcript; what is longer is a flood.
const LINE_BYTES_MAX: usize = 300;

/// Enough for a few sentences, or for a command with all its options.
const PROSE_BYTES_MAX: usize = 2_000;

/// This many of the first and of the last lines tell what happened.
const LINES_MAX: usize = 20;

/// The same report with every text printable and short.
#[must_use]
pub fn report(report: &Report) -> Report {
    let mut report = report.clone();
    clean(&mut report.subject);
    report.architecture.iter_mut().for_each(clean);
    if let Some(observed) = &mut report.observed {
        clean(&mut observed.verdict);
        observed.notes.iter_mut().for_each(clean);
    }
    for cause in &mut report.causes {
        clean(&mut cause.what);
        shorten(&mut cause.lines, LINES_MAX);
    }
    for result in &mut report.results {
        clean(&mut result.sentence);
        match &mut result.outcome {
            Outcome::Passed => {}
            Outcome::Error(reason) | Outcome::Skipped(reason) => clean(reason),
            Outcome::Failed(failure) => {
                clean(&mut failure.what);
                failure.means.iter_mut().for_each(clean);
                clean(&mut failure.page);
                clean(&mut failure.again);
                shorten(&mut failure.difference, LINES_MAX);
                shorten(&mut failure.transcript, LINES_MAX);
                shorten(&mut failure.log, 0);
            }
        }
    }
    report
}

fn clean(text: &mut String) {
    *text = printable(text, PROSE_BYTES_MAX);
}

/// Keeps this many of the first lines, and the last ones.
fn shorten(lines: &mut Vec<String>, first: usize) {
    let left_out = lines.len().saturating_sub(first + LINES_MAX);
    if left_out > 0 {
        let note = format!("({left_out} more lines)");
        lines.splice(first..first + left_out, [note]);
    }
    for line in lines {
        *line = printable(line, LINE_BYTES_MAX);
    }
}

/// One line that no reader obeys.
fn printable(text: &str, bytes_max: usize) -> String {
    let mut line = outcome::printable(text, bytes_max);
    // A GitHub runner obeys a line of any program's output that begins with
    // two colons, or that contains the second of these.
    if line.trim_start().starts_with("::") {
        line = line.replacen("::", "\\x3a:", 1);
    }
    line.replace("##[", "##\\x5b")
}
