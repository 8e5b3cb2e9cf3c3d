//! Words for people.

/// A moment as people like to read it.
#[must_use]
pub(crate) fn milliseconds(at: i64) -> String {
    match at.abs() {
        0..1_000 => format!("{at} \u{b5}s"),
        1_000..100_000 => format!("{:.1} ms", at as f64 / 1e3),
        _ => format!("{} ms", (at as f64 / 1e3).round()),
    }
}

/// Text that may stand between tags and in quotation marks.
#[must_use]
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            // XML has no way to say others; and no line is blank.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
