//! The questions, and what is better than what (page 117).

// ANCHOR: aphorisms
/// Each question that has an answer, beside it.
pub const APHORISMS: [(&[u8], &[u8]); 3] = [
    (b"Beautiful is better than?", b"Ugly."),
    (b"Explicit is better than?", b"Implicit."),
    (b"Simple is better than?", b"Complex."),
];
// ANCHOR_END: aphorisms

/// The answer to any other question.
pub const UNKNOWN_APHORISM: &[u8] = b"Error: unknown aphorism.";

/// The last answer to a client whose question has no end.
pub const QUESTION_TOO_LONG: &[u8] = b"Error: question too long.";

/// The longest answer there is, in bytes.
pub const ANSWER_BYTES_MAX: usize = QUESTION_TOO_LONG.len();

// ANCHOR: get_answer
/// Returns the answer to a question, its `?` included.
///
/// How long an answer takes to work out (the sleep of page 118) is not decided
/// here but in `--think`, because to wait is the business of each listing.
///
/// ```
/// assert_eq!(zen_utils::get_answer(b"Simple is better than?"), b"Complex.");
/// ```
#[must_use]
pub fn get_answer(aphorism: &[u8]) -> &'static [u8] {
    APHORISMS
        .iter()
        .find(|(question, _)| *question == aphorism)
        .map_or(UNKNOWN_APHORISM, |(_, answer)| answer)
}
// ANCHOR_END: get_answer
