//! Merges what is too close together to be told apart.

use std::collections::HashMap;

use crate::lane::{Lane, Mark, Span};

/// Merges the contents of each cell, and doubles the cells until `merge` leaves
/// at most this many on all lanes. Returns the width of a cell.
pub(crate) fn widen(
    lanes: &mut [Lane],
    whole: i64,
    (cells, most): (i64, usize),
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

/// For each cell, the state that took most of it. Cells begin at `from`.
pub(crate) fn merged(spans: &[Span], from: i64, cell: i64) -> Vec<Span> {
    let cell_of = |at: i64| (at - from).div_euclid(cell);
    let pieces = spans.iter().flat_map(|span| {
        let (begin, end) = span.time;
        // The end of a cell, whole cells, and the beginning of another.
        let up = from + cell * cell_of(begin + cell - 1);
        let down = up.max(from + cell * cell_of(end));
        let times = [(begin, up.min(end)), (up, down), (down, end)];
        let times = times.into_iter().filter(|(begin, end)| begin < end);
        times.map(|time| Span { time, ..*span })
    });
    let pieces: Vec<_> = pieces.collect();
    let cells = pieces.chunk_by(|a, b| cell_of(a.time.0) == cell_of(b.time.0));
    let mut merged: Vec<_> = cells.map(strongest).collect();
    merged.dedup_by(|next, last| {
        let goes_on = (last.state, last.client, last.time.1)
            == (next.state, next.client, next.time.0);
        if goes_on {
            last.time.1 = next.time.1;
        }
        goes_on
    });
    merged
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
pub(crate) fn merged_marks(marks: &[Mark], cell: i64) -> Vec<Mark> {
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
