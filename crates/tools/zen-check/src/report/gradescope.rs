//! `results.json`, as <https://gradescope-autograders.readthedocs.io> has it.
//!
//! The points stand with the tests, and there is no sum beside them that could
//! say something else. A case of which nothing is known is not among them: to
//! Gradescope a test has passed or failed, and this one has done neither.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::json::print;
use super::text::{self, errors};
use crate::contract::Level;
use crate::outcome::{CaseResult, Outcome, Report};

pub(super) fn write(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let tests: Vec<_> = report.results.iter().filter_map(test).collect();
    let value = json!({
        "tests": tests,
        "output": output(report),
        "output_format": "text",
        "execution_time": report.time.as_secs_f64(),
        "visibility": "visible",
        // What is printed beside this is the teacher's.
        "stdout_visibility": "hidden",
    });
    print(&value, to)
}

fn test(result: &CaseResult) -> Option<Value> {
    // A test needs no status: one without a verdict has none.
    let (status, output) = match &result.outcome {
        Outcome::Passed => (Some("passed"), String::new()),
        Outcome::Failed(it) => (Some("failed"), it.lines().join("\n")),
        Outcome::Error(_) => (None, "There is no verdict.".into()),
        Outcome::Skipped(_) => return None,
    };
    let max_score = result.points;
    let name = match result.level {
        Level::Must => result.title(),
        Level::Should => format!("{} (no points)", result.title()),
    };
    let score = if status == Some("passed") { max_score } else { 0 };
    let mut test = json!({
        "name": name,
        "score": score,
        "max_score": max_score,
        "output": output,
        "output_format": "text",
    });
    if let Some(status) = status {
        test["status"] = status.into();
    }
    Some(test)
}

/// What stands above the tests.
fn output(report: &Report) -> String {
    let mut lines = vec![
        format!("The server {}.", text::verdict(report)),
        format!("{}; seed {}", text::points(report), report.seed),
    ];
    for cause in &report.causes {
        lines.push(format!("{}: {}", text::label(cause), cause.what));
        lines.extend(cause.lines.iter().map(|line| format!("  {line}")));
    }
    if report.totals().errors > 0 {
        lines.push(format!("FOR THE TEACHER: {}:", text::NO_VERDICT));
    }
    for (result, reason) in errors(report) {
        lines.push(format!("  {}: {reason}", result.title()));
    }
    for (reason, clauses) in text::skipped(report) {
        lines.push(format!("Skipped, {reason}: {}", clauses.join(", ")));
    }
    lines.join("\n")
}
