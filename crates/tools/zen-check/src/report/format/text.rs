//! The words that several formats share.

use crate::report::{Level, Observation, Outcome, Report, Totals};

/// More clauses than these make a verdict no clearer.
const CLAUSES_MAX: usize = 12;

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
            format!("{of}: {}", failed_clauses(report))
        }
    };
    if errors > 0 {
        verdict += &format!("; nothing is known of {}", cases(errors));
    }
    verdict
}

fn failed_clauses(report: &Report) -> String {
    let failures = super::failures(report, Level::Must);
    let mut clauses: Vec<_> = failures.map(|(it, _)| it.clause).collect();
    // Several cases of one clause follow each other.
    clauses.dedup();
    let more = clauses.len().saturating_sub(CLAUSES_MAX);
    clauses.truncate(CLAUSES_MAX);
    let clauses = clauses.join(", ");
    match more {
        0 => clauses,
        _ => format!("{clauses} and {more} more"),
    }
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
pub(super) const NOT_THE_SERVER: &str = "The checker or its machine failed here, the time was over, or the command \
     is wrong: it is not the server; these cases are in no total, and should be \
     put again";

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
    let number = |number: Option<usize>| match number {
        Some(number) => number.to_string(),
        None => "-".to_string(),
    };
    let row = |cells: [&str; 6]| {
        let [clients, threads, processes, descriptors, memory, next] = cells;
        format!(
            "{clients:>7}  {threads:>7}  {processes:>9}  {descriptors:>11}  \
             {memory:>10}  {next}"
        )
    };
    let mut lines = vec![row([
        "clients",
        "threads",
        "processes",
        "descriptors",
        "memory",
        "next one answered",
    ])];
    for crowd in &observed.crowds {
        lines.push(row([
            &crowd.clients.to_string(),
            &number(crowd.threads),
            &number(crowd.processes),
            &number(crowd.descriptors),
            &crowd.memory_bytes.map_or("-".into(), memory),
            match crowd.next_is_answered {
                Some(true) => "yes",
                Some(false) => "no",
                None => "-",
            },
        ]));
    }
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
