//! How experiments put numbers and names into sentences.

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

/// A number in another unit, with this many decimals.
pub(crate) fn fixed(value: f64, places: usize, unit: Option<f64>) -> String {
    format!("{:.places$}", value / unit.unwrap_or(1.0))
}

/// `one, two and three`, of any items that are not blank.
pub(crate) fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items = items.into_iter().map(one_line);
    let mut names: Vec<_> = items.filter(|it| !it.is_empty()).collect();
    match (names.pop(), names.is_empty()) {
        (None, _) => "none".into(),
        (Some(name), true) => name,
        (Some(last), false) => format!("{} and {last}", names.join(", ")),
    }
}

/// Text without line breaks, and with one space between words.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A number as a person would write it, with three digits at most.
pub(crate) fn shown(value: f64) -> String {
    let size = value.abs();
    let (value, unit) = match size {
        1e9.. => (value / 1e9, " G"),
        1e6.. => (value / 1e6, " M"),
        1e4.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let places = (2.0 - value.abs().log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.places$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{unit}")
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

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (1000.0, "1000"),
            (12_345.0, "12.3 k"),
            (2e6, "2 M"),
            (0.25, "0.25"),
            (99.96, "100"),
            (0.001_234, "0.00123"),
            (5.0, "5"),
        ];
        for (value, text) in cases {
            assert_eq!(shown(value), text);
        }
    }
}
