//! Bytes in, questions and answers out. Nothing here knows of sockets.

use crate::faults::faulty;

/// The most bytes of a question, its `?` included.
const QUESTION_BYTES_MAX: usize = 1024;

const APHORISMS: [(&[u8], &[u8]); 3] = [
    (b"Beautiful is better than?", b"Ugly."),
    (b"Explicit is better than?", b"Implicit."),
    (b"Simple is better than?", b"Complex."),
];
const UNKNOWN: &[u8] = b"Error: unknown aphorism.";
const TOO_LONG: &[u8] = b"Error: question too long.";

/// Cuts what one client sends into questions.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    /// The question that has begun: filled byte by byte, emptied by its end.
    question: Vec<u8>,
    /// A question was too long: the client has been told its last answer.
    pub(crate) refused: bool,
}

impl Framing {
    /// Takes the next byte, and has an answer if that one brings it about.
    pub(crate) fn push(&mut self, byte: u8) -> Option<&'static [u8]> {
        if self.question.is_empty() && is_space(byte) {
            return None;
        }
        self.question.push(byte);
        if self.is_whole() {
            let mut answer = answer(&self.question);
            if faulty("refuses-late")
                && self.question.len() > QUESTION_BYTES_MAX
            {
                self.refused = true;
                answer = TOO_LONG;
            }
            self.question.clear();
            return Some(answer);
        }
        let mut bytes_max = QUESTION_BYTES_MAX;
        if faulty("wrong-limit") {
            bytes_max += 1;
        }
        if faulty("no-question-limit") || faulty("refuses-late") {
            bytes_max = usize::MAX;
        }
        if self.question.len() >= bytes_max {
            self.refused = true;
            return Some(TOO_LONG);
        }
        None
    }

    fn is_whole(&self) -> bool {
        if faulty("newline-framing") {
            return self.question.ends_with(b"?\n");
        }
        // As C's strchr() would look for it.
        if faulty("stops-at-zero") && self.question.contains(&0) {
            return false;
        }
        self.question.ends_with(b"?")
    }

    /// Another recv() has returned.
    pub(crate) fn begin_segment(&mut self) {
        if faulty("last-segment-only") {
            self.question.clear();
        }
    }
}

fn is_space(byte: u8) -> bool {
    // As C's isspace() and Python's strip() have it.
    if faulty("skips-vertical-tabs") && byte == b'\x0b' {
        return true;
    }
    matches!(byte, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r')
}

pub(crate) fn answer(question: &[u8]) -> &'static [u8] {
    let question = match faulty("newline-framing") {
        true => question.trim_ascii(),
        false => question,
    };
    let found = APHORISMS.iter().find(|(known, _)| is_same(known, question));
    found.map_or(UNKNOWN, |(_, answer)| answer)
}

fn is_same(known: &[u8], question: &[u8]) -> bool {
    if faulty("case-blind") {
        return known.eq_ignore_ascii_case(question);
    }
    if faulty("strips-inside") {
        let bare = |text: &[u8]| -> Vec<u8> {
            text.iter().copied().filter(|&byte| !is_space(byte)).collect()
        };
        return bare(known) == bare(question);
    }
    known == question
}
