//! Two runs of bytes, laid one under the other, with a caret where they part.

/// This many bytes are shown on either side of the first difference.
const BYTES_BEFORE_MAX: usize = 24;
const BYTES_AFTER_MAX: usize = 48;

/// The lines of a failure: what was expected, what was received, and a caret
/// below the first byte that differs. `end` says what came after the last byte
/// received, if that is known.
pub(crate) fn difference(
    expected: &[u8],
    received: &[u8],
    end: &str,
) -> Vec<String> {
    let same = expected.iter().zip(received).take_while(|(a, b)| a == b);
    let at = same.count();
    let from = at.saturating_sub(BYTES_BEFORE_MAX);
    let window = |bytes: &[u8]| {
        let to = bytes.len().min(at + BYTES_AFTER_MAX);
        let before = if from > 0 { "... " } else { "" };
        let more = bytes.len() - to;
        let after = match more {
            0 => String::new(),
            more => format!(" ... {more} more"),
        };
        let shown = bytes[from..to].escape_ascii();
        format!("{before}b\"{shown}\"{after}")
    };
    let before = received[from..at].escape_ascii().to_string().len();
    let dots = if from > 0 { 4 } else { 0 };
    let caret = " ".repeat("expected ".len() + dots + 2 + before);
    vec![
        format!("expected {}", window(expected)),
        format!("received {}{end}", window(received)),
        format!("{caret}^ they part at byte {at}"),
    ]
}

/// Whether they part inside an answer that is none of the contract's. An answer
/// that came right before has the right words: then bytes are lost, or mixed up.
pub(crate) fn has_other_words(
    expected: &[u8],
    received: &[u8],
    answers: &[Vec<u8>; 5],
) -> bool {
    let mut start = 0;
    while let Some(answer) =
        answers.iter().find(|it| expected[start..].starts_with(it))
    {
        let came = received.get(start..).unwrap_or_default();
        if came.starts_with(answer) {
            start += answer.len();
            continue;
        }
        let known = |it: &Vec<u8>| it.starts_with(came) || came.starts_with(it);
        let before = &expected[..start];
        let had = before.windows(answer.len()).any(|it| it == answer);
        return !had && !answers.iter().any(known);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{difference, has_other_words};
    use crate::contract::Dialect;

    #[test]
    fn another_text_is_told_from_another_answer() {
        let words = |expected: &str, received: &str| {
            let answers = Dialect::default().answers();
            has_other_words(expected.as_bytes(), received.as_bytes(), &answers)
        };
        for other in ["complex.", "\nComplex.", "ComplexUgly.", "Complex!"] {
            assert!(words("Complex.Ugly.", other), "{other}");
            assert!(words("Ugly.Complex.", &format!("Ugly.{other}")));
        }
        for known in ["", "Comp", "Error: unknown aphorism.", "Ugly.Complex."] {
            assert!(!words("Complex.Ugly.", known), "{known}");
        }
        // Bytes of the second one are lost: its words are known.
        assert!(!words("Ugly.Ugly.Ugly.", "Ugly.UgUgly."));
        assert!(!words("", "Welcome!"));
    }

    #[test]
    fn the_caret_stands_below_the_first_byte_that_differs() {
        let lines = difference(b"\x00Ugly.Complex.", b"\x00UglyComplex.", "");
        assert_eq!(
            lines,
            [
                r#"expected b"\x00Ugly.Complex.""#,
                r#"received b"\x00UglyComplex.""#,
                r#"                   ^ they part at byte 5"#,
            ]
        );
    }

    #[test]
    fn the_caret_stands_behind_bytes_that_end_too_early() {
        let lines = difference(b"Ugly.", b"Ug", " and the end");
        assert_eq!(lines[1], r#"received b"Ug" and the end"#);
        assert_eq!(lines[2], r#"             ^ they part at byte 2"#);
    }

    #[test]
    fn of_long_runs_only_what_is_near_the_difference_is_shown() {
        let (mut one, two) = (vec![b'a'; 5000], vec![b'a'; 5000]);
        one[3000] = b'\n';
        let lines = difference(&one, &two, "");
        assert_eq!(lines[0].find("\\n"), lines[2].find('^'));
        assert!(lines.iter().all(|line| line.len() < 120), "{lines:#?}");
    }
}
