//! Values as readers expect them.

/// A time in milliseconds, rounded to what a reader needs.
pub(crate) fn milliseconds(at: i64) -> String {
    match at.abs() {
        0..1_000 => format!("{at} \u{b5}s"),
        1_000..100_000 => format!("{:.1} ms", at as f64 / 1e3),
        _ => format!("{} ms", (at as f64 / 1e3).round()),
    }
}
