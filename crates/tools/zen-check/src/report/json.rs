//! All of a report, for programs: `report.schema.json` says what is where.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::text::{utc, verdict};
use crate::outcome::{CaseResult, Outcome, Report};

pub(super) fn write(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let value = json!({
        "schema": "zen-check/report/v1",
        "subject": report.subject,
        "profile": report.profile,
        "architecture": report.architecture,
        // A string: many programs read a number as a double, and a seed that
        // has lost its last digits draws other cuts.
        "seed": report.seed.to_string(),
        "started": utc(report.started),
        "seconds": report.time.as_secs_f64(),
        "verdict": verdict(report),
        "exit_status": report.exit_status(),
        "totals": report.totals(),
        "observed": report.observed,
        "causes": report.causes,
        "results": report.results.iter().map(result).collect::<Vec<_>>(),
    });
    print(&value, to)
}

/// Writes a value as a file of its own.
pub(super) fn print(value: &Value, to: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *to, value)?;
    writeln!(to)
}

fn result(result: &CaseResult) -> Value {
    let (outcome, reason, failure) = match &result.outcome {
        Outcome::Passed => ("passed", None, None),
        Outcome::Failed(failure) => ("failed", None, Some(&**failure)),
        Outcome::Error(reason) => ("error", Some(reason), None),
        Outcome::Skipped(reason) => ("skipped", Some(reason), None),
    };
    json!({
        "clause": result.clause,
        "sentence": result.sentence,
        "level": result.level,
        "outcome": outcome,
        "reason": reason,
        "failure": failure,
        "seconds": result.time.as_secs_f64(),
    })
}
