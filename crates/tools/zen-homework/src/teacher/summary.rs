//! What a teacher reads at the end: a line for each work, and how many students
//! have come how far.

use super::gradebook::{Gradebook, UNKNOWN};
use super::table::{Row, cell};
use super::times::duration;
use crate::assignment::Assignment;

/// The table of these works.
pub(crate) fn table(rows: &[&Row]) -> String {
    let wide = rows.iter().map(|it| cell(it, "student").chars().count());
    let wide = wide.max().unwrap_or(0);
    let mut text = String::from("\n");
    for row in rows {
        let of = |column| cell(row, column);
        let late = match of("minutes_late").parse() {
            Ok(minutes) => format!("late by {}", duration(minutes)),
            Err(_) => String::new(),
        };
        let mut notes = vec![of("reason"), &late, of("resembles")];
        notes.retain(|it| !it.is_empty());
        text += &format!(
            "{:wide$}  {:10}  {:>3} of {:<3}  {}\n",
            of("student"),
            of("assignment"),
            of("points"),
            of("points_max"),
            notes.join("; "),
        );
    }
    text + "\n"
}

/// How many works on an assignment stop at each stage.
pub(crate) fn standings(book: &Gradebook, assignment: &Assignment) -> String {
    let rows = book.rows.iter();
    let rows = rows.filter(|it| cell(it, "assignment") == assignment.name);
    let most = assignment.points_max().to_string();
    let not_graded = format!("are not graded ({UNKNOWN})");
    let stands =
        rows.map(|row| match (cell(row, "points"), cell(row, "stopped_at")) {
            (UNKNOWN, _) => not_graded.clone(),
            (points, "") if points == most => "pass all stages".into(),
            (_, "") => "have points of yours".into(),
            (_, stage) => format!("stop at {stage}"),
        });
    let stands: Vec<_> = stands.collect();
    let stages = assignment.stages.iter();
    let stages = stages.map(|it| format!("stop at {}", it.name));
    let ends = ["have points of yours".into(), not_graded];
    let mut parts = Vec::new();
    for what in ["pass all stages".into()].into_iter().chain(stages).chain(ends)
    {
        let number = stands.iter().filter(|it| **it == what).count();
        if number > 0 || parts.is_empty() {
            parts.push(format!("{number} of {} {what}", stands.len()));
        }
    }
    format!("{}: {}\n", assignment.name, parts.join(", "))
}
