//! JUnit's XML, which most things that show the results of tests can read.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::text;
use crate::contract::Level;
use crate::outcome::{CaseResult, Outcome, Report};

pub(super) fn write(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let mut suites: Vec<TestSuite> = Vec::new();
    for result in &report.results {
        let name = result.group();
        let known = suites.iter().position(|it| it.name.as_str() == name);
        let at = known.unwrap_or_else(|| {
            suites.push(suite(name, report));
            suites.len() - 1
        });
        let suite = &mut suites[at];
        suite.time = Some(suite.time.unwrap_or_default() + result.time);
        suite.add_test_case(case(result));
    }
    let mut junit = quick_junit::Report::new("zen-check");
    junit.set_timestamp(DateTime::<Utc>::from(report.started));
    junit.set_time(report.time);
    junit.add_test_suites(suites);
    junit.serialize(to).map_err(io::Error::other)
}

fn suite(name: &str, report: &Report) -> TestSuite {
    let mut suite = TestSuite::new(name);
    suite.add_property(("subject", &*report.subject));
    suite.add_property(("profile", report.profile.name()));
    suite.add_property(("seed", &*report.seed.to_string()));
    suite.add_property(("points of all", &*text::points(report)));
    suite
}

fn case(result: &CaseResult) -> TestCase {
    let mut status = match &result.outcome {
        Outcome::Failed(_) if result.level == Level::Must => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        // A finding that costs nothing must not turn a run red.
        Outcome::Passed | Outcome::Failed(_) => TestCaseStatus::success(),
        Outcome::Error(_) => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Skipped(_) => TestCaseStatus::skipped(),
    };
    match &result.outcome {
        Outcome::Passed => {}
        Outcome::Failed(failure) => {
            status.set_message(&*failure.what);
            status.set_description(failure.lines().join("\n"));
        }
        Outcome::Error(reason) => {
            status.set_message(&**reason);
            status.set_description(text::NO_VERDICT);
        }
        Outcome::Skipped(reason) => _ = status.set_message(&**reason),
    }
    let mut case = TestCase::new(&*result.sentence, status);
    case.set_classname(result.clause);
    case.set_time(result.time);
    if let (Level::Should, Outcome::Failed(it)) =
        (result.level, &result.outcome)
    {
        let details = it.lines().join("\n");
        case.set_system_out(format!("should do better: {details}"));
    }
    case
}
