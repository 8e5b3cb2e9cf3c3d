//! Merges what is too close together to be told apart.

use std::collections::HashMap;

use crate::lane::{Detail, Lane, Mark, Span};

/// Widens the cells until there are few enough spans; returns their width.
pub(crate) fn merge_spans(
    lanes: &mut [Lane],
    time: (i64, i64),
    detail: Detail,
) -> i64 {
    let whole = time.1 - time.0;
    widen(lanes, whole, detail.cells, detail.spans_max, |lane, cell| {
        lane.spans = merged(&lane.spans, time.0, cell);
        lane.spans.len()
    })
}

/// The same for marks.
pub(crate) fn merge_marks(
    lanes: &mut [Lane],
    time: (i64, i64),
    detail: Detail,
) {
    let whole = time.1 - time.0;
    widen(lanes, whole, detail.mark_cells, detail.marks_max, |lane, cell| {
        lane.marks = merged_marks(&lane.marks, cell);
        lane.marks.len()
    });
}

/// Merges the contents of each cell, and doubles the cells until `merge` leaves
/// at most this many.
fn widen(
    lanes: &mut [Lane],
    whole: i64,
    cells: i64,
    most: usize,
    merge: impl Fn(&mut Lane, i64) -> usize,
) -> i64 {
    let mut cell = (whole / cells).max(1);
    loop {
        let left: usize = lanes.iter_mut().map(|it| merge(it, cell)).sum();
        if left <= most || cell >= whole {
            return cell;
        }
        cell *= 2;
    }
}

/// For each cell, the state that took most of it.
fn merged(spans: &[Span], from: i64, cell: i64) -> Vec<Span> {
    let mut out: Vec<Span> = Vec::new();
    let mut push = |span: Span| match out.last_mut() {
        Some(last)
            if last.state == span.state
                && last.client == span.client
                && last.time.1 == span.time.0 =>
        {
            last.time.1 = span.time.1;
        }
        _ => out.push(span),
    };
    // The parts of the current cell so far.
    let mut parts: Vec<Span> = Vec::new();
    for span in spans {
        let mut at = span.time.0;
        while at < span.time.1 {
            let begin = at - (at - from).rem_euclid(cell);
            let is_new = parts.last().is_none_or(|it| it.time.0 < begin);
            if is_new && !parts.is_empty() {
                push(strongest(&parts));
                parts.clear();
            }
            let whole = span.time.1 - (span.time.1 - from).rem_euclid(cell);
            if at == begin && whole > begin {
                push(Span { time: (at, whole), ..*span });
                at = whole;
                continue;
            }
            let end = span.time.1.min(begin + cell);
            parts.push(Span { time: (at, end), ..*span });
            at = end;
        }
    }
    if !parts.is_empty() {
        push(strongest(&parts));
    }
    out
}

/// The part that takes most of the time, stretched to the whole cell.
fn strongest(parts: &[Span]) -> Span {
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let time_of = |part: &Span| -> i64 {
        let same = parts.iter().filter(|it| it.state == part.state);
        same.map(Span::length).sum()
    };
    let strongest = parts.iter().max_by_key(|part| time_of(part));
    let strongest = strongest.unwrap_or(&first);
    Span { time: (first.time.0, last.time.1), ..*strongest }
}

/// Merges marks that are closer than this.
fn merged_marks(marks: &[Mark], cell: i64) -> Vec<Mark> {
    let mut out: Vec<Mark> = Vec::new();
    // By client and direction: the index of the latest one in `out`.
    let mut last = HashMap::new();
    for mark in marks {
        let key = (mark.client, mark.arrives);
        match last.get(&key).map(|at: &usize| &mut out[*at]) {
            Some(near) if mark.at - near.at < cell => {
                near.bytes += mark.bytes;
                near.calls += mark.calls;
            }
            _ => {
                last.insert(key, out.len());
                out.push(*mark);
            }
        }
    }
    out
}
