//! What several formats share: the words, and what is picked out of a report.

use std::ffi::OsString;
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use crate::contract::{Level, Profile, START};
use crate::outcome::{
    self, CaseResult, Cause, Failure, Observation, Outcome, Report, Totals,
};

/// What is not in the report itself.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// Whether the terminal shows colours.
    pub colour: bool,
    /// Whether the terminal shows all of every failure, not only of the first.
    pub all: bool,
    /// Where environment variables are looked up.
    pub environment: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        let environment = &|name: &str| std::env::var_os(name);
        Self { colour: false, all: false, environment }
    }
}

impl Settings<'_> {
    /// A variable that is set to nothing counts as not set.
    pub(super) fn variable(&self, name: &str) -> Option<OsString> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }
}

/// A failure that costs a point is a `Must`; any other is only a finding. A
/// server that cannot be started is one finding, not one for each case, and what
/// a cause explains is told with the cause.
pub(super) fn failures(
    report: &Report,
    level: Level,
) -> impl Iterator<Item = (&CaseResult, &Failure)> {
    let mut results = &report.results[..];
    if results.first().is_some_and(|first| first.clause == START) {
        results = &results[..1];
    }
    outcome::failures(results).filter(move |(it, _)| {
        it.level == level && report.cause_of(it).is_none()
    })
}

/// The cases in which the checker or its machine failed.
pub(super) fn errors(
    report: &Report,
) -> impl Iterator<Item = (&CaseResult, &str)> {
    report.results.iter().filter_map(|result| match &result.outcome {
        Outcome::Error(reason) => Some((result, &**reason)),
        _ => None,
    })
}

pub(super) fn utc(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Passed or failed, of how many, and by which clauses.
pub(super) fn verdict(report: &Report) -> String {
    let Totals { failed, errors, counting: cases_max, .. } = report.totals();
    let mut verdict = match (failed, cases_max) {
        (_, 0) => "comes to no verdict: no case that counts".to_string(),
        (0, max) if errors > 0 => format!("passes {}", counting(max)),
        (0, 1) => "passes the only case that counts".to_string(),
        (0, max) => format!("passes all {}", counting(max)),
        (failed, max) => {
            let of = format!("fails {failed} of {}", counting(max));
            let causes =
                report.causes.iter().filter(|it| it.explains.is_some());
            let mut why: Vec<_> = causes.map(|it| it.what.clone()).collect();
            why.extend(failed_clauses(report));
            format!("{of}: {}", why.join("; "))
        }
    };
    if errors > 0 {
        verdict += &format!("; nothing is known of {}", cases(errors));
    }
    verdict
}

fn failed_clauses(report: &Report) -> Option<String> {
    let mut failures = failures(report, Level::Must).peekable();
    // Of a server that cannot be started, that is all there is to say.
    if let Some((_, it)) = failures.next_if(|(it, _)| it.clause == START) {
        return Some(it.what.clone());
    }
    let clauses: Vec<_> = failures.map(|(it, _)| it.clause).collect();
    Some(outcome::in_short(clauses)).filter(|list| !list.is_empty())
}

/// How to go on when all that was asked is right.
pub(super) fn next(report: &Report) -> Option<String> {
    let Totals { passed, failed, errors, .. } = report.totals();
    let is_all = report.profile == Profile::Wire && passed > 1;
    (is_all && failed + errors == 0).then(|| {
        "next: the same without --fast and without --profile also asks for \
        limits, crowds, signals and restarts"
            .into()
    })
}

/// The word before a cause.
pub(super) fn label(cause: &Cause) -> &'static str {
    if cause.explains.is_some() { "WHY" } else { "NOTE" }
}

fn counting(number: usize) -> String {
    let verb = if number == 1 { "counts" } else { "count" };
    format!("{} that {verb}", cases(number))
}

fn cases(number: usize) -> String {
    format!("{number} case{}", if number == 1 { "" } else { "s" })
}

/// What it sums up to, in the words of every format.
pub(super) fn points(report: &Report) -> String {
    let Totals { points, points_max, .. } = report.totals();
    format!("{points} of {points_max} points")
}

/// Why what follows does not concern the server.
pub(super) const NO_VERDICT: &str = "No verdict about the server: this machine was too busy, the checker \
    failed, time ran out, or the command is wrong. These cases are in no \
    total: run them again";

/// Each reason to skip, and the clauses that it concerns, in order.
pub(super) fn skipped(report: &Report) -> Vec<(&str, Vec<&'static str>)> {
    let mut reasons: Vec<(&str, Vec<_>)> = Vec::new();
    for result in &report.results {
        let Outcome::Skipped(reason) = &result.outcome else { continue };
        match reasons.iter_mut().find(|(it, _)| it == reason) {
            Some((_, clauses)) => clauses.push(result.clause),
            None => reasons.push((reason, vec![result.clause])),
        }
    }
    for (_, clauses) in &mut reasons {
        clauses.dedup();
    }
    reasons
}

/// What the kernel says, as a table.
pub(super) fn observation(observed: &Observation) -> Vec<String> {
    let number = |it: Option<usize>| it.map_or("-".into(), |n| n.to_string());
    let titles = ["clients", "threads", "processes", "descriptors", "memory"];
    let titles = titles.map(String::from);
    let mut rows = vec![(titles, "next one answered")];
    rows.extend(observed.crowds.iter().map(|crowd| {
        let cells = [
            crowd.clients.to_string(),
            number(crowd.threads),
            number(crowd.processes),
            number(crowd.descriptors),
            crowd.memory_bytes.map_or("-".into(), memory),
        ];
        let next = crowd.next_is_answered;
        (cells, next.map_or("-", |is| if is { "yes" } else { "no" }))
    }));
    let row = |(cells, next): ([String; 5], &str)| {
        let [clients, threads, processes, descriptors, memory] = cells;
        format!(
            "{clients:>7}  {threads:>7}  {processes:>9}  {descriptors:>11}  \
             {memory:>10}  {next}"
        )
    };
    let mut lines: Vec<_> = rows.into_iter().map(row).collect();
    lines.push(observed.verdict.clone());
    lines.extend(observed.notes.iter().cloned());
    lines
}

fn memory(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes / 1024),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(0x10_0000)),
    }
}
