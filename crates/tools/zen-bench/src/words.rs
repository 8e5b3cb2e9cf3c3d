//! How experiments put numbers and names into sentences.

/// The outcome where nothing could be measured.
pub(crate) const NOTHING: &str = "Nothing could be measured here: only Linux \
                                  reports what a process has used.";

/// Seconds, in a unit that suits the value.
pub(crate) fn seconds(value: f64) -> String {
    match value {
        1.0.. => format!("{value:.1} s"),
        0.01.. => format!("{:.0} ms", value * 1e3),
        0.001.. => format!("{:.1} ms", value * 1e3),
        0.000_01.. => format!("{:.0} µs", value * 1e6),
        _ => format!("{:.1} µs", value * 1e6),
    }
}

/// A number with thousands separators.
pub(crate) fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `one, two and three`.
pub(crate) fn list(names: impl IntoIterator<Item = String>) -> String {
    let mut names: Vec<_> = names.into_iter().collect();
    match (names.pop(), names.is_empty()) {
        (None, _) => "none".into(),
        (Some(name), true) => name,
        (Some(last), false) => format!("{} and {last}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_has_its_own_unit() {
        let times = [2.5, 0.25, 0.0025, 0.000_025, 0.000_001_3].map(seconds);
        assert_eq!(times, ["2.5 s", "250 ms", "2.5 ms", "25 µs", "1.3 µs"]);
        let counts = [5.0, 999.4, 1000.0, 1_298_000.0].map(count);
        assert_eq!(counts, ["5", "999", "1,000", "1,298,000"]);
    }
}
