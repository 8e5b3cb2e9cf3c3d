//! All of a report, for programs: `report.schema.json` says what is where.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{text, utc};
use crate::report::{CaseResult, Crowd, Failure, Level, Outcome, Report};

pub(super) fn write(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let totals = report.totals();
    let observed = report.observed.as_ref().map(|observed| {
        json!({
            "verdict": observed.verdict,
            "crowds": observed.crowds.iter().map(crowd).collect::<Vec<_>>(),
            "notes": observed.notes,
        })
    });
    let value = json!({
        "schema": "zen-check/report/v1",
        "subject": report.subject,
        "profile": report.profile.name(),
        "architecture": report.architecture,
        // A string: many a program reads a number as a double, and a seed
        // that has lost its last digits draws other cuts.
        "seed": report.seed.to_string(),
        "started": utc(report.started),
        "seconds": report.time.as_secs_f64(),
        "verdict": text::verdict(report),
        "exit_status": report.exit_status(),
        "totals": {
            "passed": totals.passed,
            "failed": totals.failed,
            "warned": totals.warned,
            "errors": totals.errors,
            "skipped": totals.skipped,
            "points": totals.points,
            "points_max": totals.points_max,
        },
        "observed": observed,
        "results": report.results.iter().map(result).collect::<Vec<_>>(),
    });
    print(&value, to)
}

/// Writes a value as a file of its own.
pub(super) fn print(value: &Value, to: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *to, value)?;
    writeln!(to)
}

fn crowd(crowd: &Crowd) -> Value {
    json!({
        "clients": crowd.clients,
        "threads": crowd.threads,
        "processes": crowd.processes,
        "descriptors": crowd.descriptors,
        "memory_bytes": crowd.memory_bytes,
        "next_is_answered": crowd.next_is_answered,
    })
}

fn result(result: &CaseResult) -> Value {
    let (outcome, reason, failed) = match &result.outcome {
        Outcome::Passed => ("passed", None, None),
        Outcome::Failed(it) => ("failed", None, Some(failure(it))),
        Outcome::Error(reason) => ("error", Some(reason), None),
        Outcome::Skipped(reason) => ("skipped", Some(reason), None),
    };
    let level = match result.level {
        Level::Must => "must",
        Level::Should => "should",
    };
    json!({
        "clause": result.clause,
        "sentence": result.sentence,
        "level": level,
        "outcome": outcome,
        "reason": reason,
        "failure": failed,
        "seconds": result.time.as_secs_f64(),
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "what": failure.what,
        "bytes": failure.bytes,
        "ending": failure.ending,
        "difference": failure.difference,
        "transcript": failure.transcript,
        "means": failure.means,
        "page": failure.page,
        "again": failure.again,
        "log": failure.log,
    })
}
