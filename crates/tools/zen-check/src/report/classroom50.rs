//! `result.json` of Classroom 50, schema `classroom50/result/v1`.
//!
//! Only cases that count are in it: for any test that has not passed, the
//! classroom marks the whole submission as failed.

use std::io::{self, Write};

use serde_json::json;

use super::json::print;
use super::text::{Settings, utc};
use crate::contract::Level;
use crate::outcome::{Outcome, Report};

pub(super) fn write(
    report: &Report,
    to: &mut dyn Write,
    settings: &Settings<'_>,
) -> io::Result<()> {
    let mut tests = Vec::new();
    for result in report.results.iter().filter(|it| it.level == Level::Must) {
        let (passed, what) = match result.outcome {
            Outcome::Passed => (true, ""),
            Outcome::Failed(_) => (false, ""),
            Outcome::Error(_) => (false, "no verdict: "),
            Outcome::Skipped(_) => continue,
        };
        tests.push(json!({
            "test-name": format!("{what}{}", result.title()),
            "passed": passed,
            "score": if passed { result.points } else { 0 },
            "max-score": result.points,
        }));
    }
    let totals = report.totals();
    let set = |name| {
        let value = settings.variable(name)?;
        Some(value.to_string_lossy().into_owned())
    };
    // No text may be empty. A missing variable, as at home, is named in the
    // text, so the file cannot pass for the result of a classroom.
    let text = |name| set(name).unwrap_or(format!("{name} is not set"));
    let commit = text("COMMIT_URL");
    let submission = set("SUBMISSION_TAG")
        .unwrap_or("submit/SUBMISSION_TAG is not set".into());
    let value = json!({
        "schema": "classroom50/result/v1",
        "classroom": text("CLASSROOM"),
        "assignment": text("ASSIGNMENT"),
        "submission": submission,
        "commit": commit,
        "release": text("RELEASE_URL"),
        "review": set("REVIEW_URL").unwrap_or(commit.clone()),
        "datetime": utc(report.started),
        "score": totals.points,
        "max-score": totals.points_max,
        "tests": tests,
    });
    print(&value, to)
}
