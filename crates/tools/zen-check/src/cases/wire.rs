//! Bytes in, bytes out.

use super::prelude::*;
use crate::random::Random;

pub(super) const FUNCTIONS: &[Named] = functions![
    a_question_may_hold_any_byte,
    answers_a_question_that_comes_byte_by_byte,
    answers_two_questions_cut_at_any_place,
    answers_any_stream_cut_in_any_way,
    skips_nothing_but_white_space,
    knows_no_other,
];

/// Asks each question on one connection, and leaves.
fn ask_all(subject: &Subject, questions: &[Vec<u8>]) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    for question in questions {
        client.ask(question)?;
    }
    client.leave()
}

fn a_question_may_hold_any_byte(subject: &Subject) -> Verdict {
    let bytes = (0..=255).filter(|&byte| byte != b'?');
    let mut questions: Vec<_> =
        bytes.clone().map(|byte| vec![b'a', byte, b'?']).collect();
    questions.push(bytes.rev().chain([b'?']).collect());
    ask_all(subject, &questions)
}

fn answers_a_question_that_comes_byte_by_byte(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    for question in [UGLY, IMPLICIT, COMPLEX, b"Who?"] {
        client.send_pieces(question.chunks(1))?.expect(answer(question))?;
    }
    client.leave()
}

fn answers_two_questions_cut_at_any_place(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    let stream = b"Simple is better than? Beautiful is better than?";
    for cut in 1..stream.len() {
        let (piece, later) = stream.split_at(cut);
        client.send_pieces([piece, later])?.expect(b"Complex.Ugly.")?;
    }
    client.leave()
}

fn answers_any_stream_cut_in_any_way(subject: &Subject) -> Verdict {
    let mut random = Random::new(subject.seed);
    let words: [&[u8]; 9] = [
        UGLY, IMPLICIT, COMPLEX, b" ", b"\r\n", b"?", b"a\0b", b"\xff?", b"\t",
    ];
    let mut stream = Vec::new();
    for _ in 0..400 {
        stream.extend_from_slice(words[random.below(words.len())]);
    }
    stream.push(b'?');
    let expected = answers(&stream);
    let (_server, mut client) = subject.start_for_one(&[])?;
    client.send_cut(&stream, subject.seed)?.expect(&expected)?.leave()
}

fn skips_nothing_but_white_space(subject: &Subject) -> Verdict {
    let others = (0..=255).filter(|byte| !b" \t\n\x0c\r?".contains(byte));
    let questions: Vec<_> =
        others.map(|byte| [&[byte], COMPLEX].concat()).collect();
    ask_all(subject, &questions)
}

fn knows_no_other(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    let questions = [
        "?",
        "simple is better than?",
        "imple is better than?",
        "Simple is better tha?",
        "Simple is better thans?",
        "Complex is better than?",
        "SSimple is better than?",
    ];
    for question in questions {
        client.send(question.as_bytes())?;
        client.expect(b"Error: unknown aphorism.")?;
    }
    // Nor one with a zero byte before its end, as C would have it.
    for question in [UGLY, IMPLICIT, COMPLEX] {
        let begun = &question[..question.len() - 1];
        client.ask(&[begun, b"\0?"].concat())?;
        client.ask(&[begun, b"\0 than?"].concat())?;
    }
    // Each aphorism with any one bit of it turned over.
    for question in [UGLY, IMPLICIT, COMPLEX] {
        let last = question.len() - 1;
        let mut stream = Vec::new();
        for bit in 0..8 * last {
            let mut other = question.to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            stream.extend(other);
        }
        client.send(&stream)?.expect(&answers(&stream))?;
    }
    client.leave()
}
