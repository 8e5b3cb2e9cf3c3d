//! Where one question ends and the next begins. No I/O.
//!
//! The chapter's `recv_until` (page 118) checks whether the bytes received so
//! far *end* in `?`, so it takes two questions in one segment for a single
//! unknown one. Here the bytes are cut at each `?`, however recv() delivers
//! them.

use memchr::memchr;

/// The longest question, its `?` included, in bytes.
///
/// Long enough for any aphorism, and short enough that ten thousand clients in
/// the middle of a question cost no more than twenty megabytes.
pub const QUESTION_BYTES_MAX: usize = 1024;

/// Byte number [`QUESTION_BYTES_MAX`] of a question was not its `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuestionTooLong;

/// Cuts a stream of bytes into questions.
#[derive(Debug, Default)]
pub struct Framer {
    /// The beginning of a question that has not arrived completely; empty
    /// otherwise. Filled and emptied by `next_question`.
    bytes_received: Vec<u8>,
}

impl Framer {
    /// Takes the next complete question from the front of `input`. If `input`
    /// ends first, keeps what is there of the question and returns `None`.
    ///
    /// A question that arrives in one piece is borrowed from `input`, not
    /// copied. White space before a question is skipped: it counts toward no
    /// limit and begins no question.
    ///
    /// # Errors
    ///
    /// [`QuestionTooLong`], after which this framer must not be used again.
    ///
    /// ```
    /// let mut framer = zen_utils::framing::Framer::default();
    /// let mut input = &b"Who? \nWh"[..];
    /// assert_eq!(framer.next_question(&mut input), Ok(Some(&b"Who?"[..])));
    /// assert_eq!(framer.next_question(&mut input), Ok(None));
    /// assert_eq!(framer.question_begun(), Some(&b"Wh"[..]));
    /// ```
    // ANCHOR: next_question
    pub fn next_question<'a, 'input: 'a>(
        &'a mut self,
        input: &mut &'input [u8],
    ) -> Result<Option<&'a [u8]>, QuestionTooLong> {
        if self.question_begun().is_none() {
            // Not clear(): a silent client should not hold any memory.
            self.bytes_received = Vec::new();
            *input = input.trim_ascii_start();
        }
        let room = QUESTION_BYTES_MAX - self.bytes_received.len();
        let within_limit = &input[..room.min(input.len())];
        let Some(end) = memchr(b'?', within_limit) else {
            if within_limit.len() == room {
                return Err(QuestionTooLong);
            }
            self.bytes_received.extend_from_slice(input);
            *input = &[];
            return Ok(None);
        };
        let (question, rest) = input.split_at(end + 1);
        *input = rest;
        if self.bytes_received.is_empty() {
            return Ok(Some(question));
        }
        self.bytes_received.extend_from_slice(question);
        Ok(Some(&self.bytes_received))
    }
    // ANCHOR_END: next_question

    /// The beginning of a question that is not complete yet. At end of file,
    /// this means that the question was cut short.
    #[must_use]
    pub fn question_begun(&self) -> Option<&[u8]> {
        match self.bytes_received.as_slice() {
            [] | [.., b'?'] => None,
            begun => Some(begun),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut framer = Framer::default();
        let mut questions = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(question) = framer.next_question(&mut piece).unwrap()
            {
                questions.push(question.to_vec());
            }
        }
        questions
    }

    #[test]
    fn a_question_may_have_1024_bytes_and_no_more() {
        let mut longest = vec![b'x'; QUESTION_BYTES_MAX - 1];
        let mut framer = Framer::default();
        assert_eq!(framer.next_question(&mut &longest[..]), Ok(None));
        assert_eq!(framer.next_question(&mut &b"y?"[..]), Err(QuestionTooLong));
        longest.push(b'?');
        assert_eq!(questions(&[&longest]), [longest.clone()]);
        assert_eq!(
            questions(&[&longest[..9], &longest[9..]]),
            [longest.clone()]
        );
    }

    #[test]
    fn white_space_before_a_question_is_no_part_of_it() {
        let spaces = [b' '; 5000];
        assert_eq!(
            questions(&[&spaces, b"\t\n\x0c\rA b?", b"\r\n", b"C", b" ?"]),
            [&b"A b?"[..], b"C ?"]
        );
    }

    #[test]
    fn a_vertical_tab_begins_a_question() {
        assert_eq!(questions(&[b"\x0b?"]), [b"\x0b?"]);
    }

    #[test]
    fn a_question_in_one_piece_is_not_copied() {
        let text = *b"Who?";
        let mut framer = Framer::default();
        let question = framer.next_question(&mut &text[..]).unwrap().unwrap();
        assert!(std::ptr::eq(question, &text[..]));
        assert_eq!(framer.bytes_received.capacity(), 0);
    }

    #[test]
    fn an_answered_question_leaves_nothing_behind() {
        let mut framer = Framer::default();
        for mut piece in [&b"Wh"[..], b"o?"] {
            while framer.next_question(&mut piece).unwrap().is_some() {}
        }
        assert_eq!(framer.bytes_received.capacity(), 0);
    }
}
