//! What differs from run to run, taken out of a report: times, ports, paths.

use crate::servers;

/// A line of a report as the files show it.
pub(crate) fn shown(line: &str) -> String {
    let line = servers::without_paths(line);
    let line = ports(&line, "127.0.0.1:");
    let line = ports(&line, "('127.0.0.1', ");
    times(&ports(&line, "at port "))
}

/// The same, as far as it must not differ: any number may, the unit of a time,
/// and whether the kernel ends the connections of a server that has died with
/// an end of file or with a reset.
pub(crate) fn compared(line: &str) -> String {
    let line = line
        .replace("came the end of file", "came an end")
        .replace("came a reset, which ends it at once", "came an end");
    let line = shown(&line).replace("Tms", "Ts").replace("Tµs", "Ts");
    replace_numbers(&line, |_, _| Some("N"))
}

/// Hides the number behind these words.
fn ports(line: &str, words: &str) -> String {
    replace_numbers(line, |before, _| before.ends_with(words).then_some("PORT"))
}

/// Hides a number with a point in it and a unit of time behind it.
fn times(line: &str) -> String {
    replace_numbers(line, |before, rest| {
        let digits = |c: char| c.is_ascii_digit() || c == '.';
        let unit = rest.trim_start_matches(digits);
        let number = &rest[..rest.len() - unit.len()];
        let is_unit = ["s", "ms", "µs", " s"].into_iter().any(|name| {
            let behind = unit.strip_prefix(name);
            behind.is_some_and(|it| !it.starts_with(char::is_alphanumeric))
        });
        let is_part = before.ends_with('T');
        let is_time = number.contains('.') && is_unit;
        is_time.then_some("T").filter(|_| !is_part)
    })
}

/// Replaces each run of digits, and of points between them, for which there is
/// something: `by` is told what stands before it, and it and what follows.
fn replace_numbers(
    line: &str,
    by: impl Fn(&str, &str) -> Option<&'static str>,
) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let is_inside = |(at, c): (usize, char)| {
            let next = rest[at + c.len_utf8()..].chars().next();
            let point = c == '.' && next.is_some_and(|c| c.is_ascii_digit());
            !c.is_ascii_digit() && !point
        };
        let end = rest.char_indices().find(|&it| is_inside(it));
        let end = end.map_or(rest.len(), |(at, _)| at);
        text.push_str(by(&text, rest).unwrap_or(&rest[..end]));
        rest = &rest[end..];
    }
    text + rest
}
