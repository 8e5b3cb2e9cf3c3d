//! Bytes in, bytes out.

use std::thread;
use std::time::Duration;

use crate::case::{Case, case};
use crate::client::Client;
use crate::contract::{COMPLEX, IMPLICIT, UGLY, UNKNOWN, answer, answers};
use crate::random::Random;
use crate::subject::Subject;
use crate::verdict::{Verdict, ensure};

pub(super) const CASES: &[Case] = &[
    case!("wire/1", says_nothing_before_it_is_asked),
    case!("wire/2", a_question_may_hold_any_byte),
    case!("wire/2", a_question_ends_at_its_first_question_mark),
    case!("wire/3", answers_a_question_that_comes_byte_by_byte),
    case!("wire/3", answers_two_questions_cut_at_any_place),
    case!("wire/3", answers_any_stream_cut_in_any_way),
    case!("wire/4", answers_several_questions_in_one_segment),
    case!("wire/5", skips_white_space_before_a_question),
    case!("wire/6", skipped_white_space_counts_toward_no_limit),
    case!("wire/6", white_space_completes_no_question),
    case!("wire/7", skips_nothing_but_white_space),
    case!("wire/7", skips_nothing_inside_a_question),
    case!("wire/8", knows_three_aphorisms),
    case!("wire/9", knows_no_other),
    case!("wire/10", answers_in_the_order_of_the_questions),
    case!("wire/10", sends_nothing_after_an_answer),
];

/// Long enough for two pieces to be received as two. It waits for nothing: if
/// they are received as one all the same, the case asks for less, not for
/// something wrong.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);

fn says_nothing_before_it_is_asked(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    client.expect_silence(Duration::from_millis(200))
}

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

fn a_question_ends_at_its_first_question_mark(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    client.send(b"Simple is better than??")?.expect(b"Complex.")?;
    client.expect(UNKNOWN)?.ask(b"?")?.leave()
}

/// Sends each piece as a segment of its own.
fn send_pieces<'a>(
    client: &mut Client,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Verdict {
    for piece in pieces {
        client.send(piece)?;
        thread::sleep(BETWEEN_PIECES);
    }
    Ok(())
}

fn answers_a_question_that_comes_byte_by_byte(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    for question in [UGLY, IMPLICIT, COMPLEX, b"Who?"] {
        send_pieces(&mut client, question.chunks(1))?;
        client.expect(answer(question))?;
    }
    client.leave()
}

fn answers_two_questions_cut_at_any_place(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    let stream = b"Simple is better than? Beautiful is better than?";
    for cut in 1..stream.len() {
        send_pieces(&mut client, [&stream[..cut], &stream[cut..]])?;
        client.expect(b"Complex.Ugly.")?;
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
    let mut rest = &stream[..];
    while !rest.is_empty() {
        let (piece, later) =
            rest.split_at(rest.len().min(1 + random.below(90)));
        send_pieces(&mut client, [piece])?;
        rest = later;
    }
    client.expect(&expected)?.leave()
}

fn answers_several_questions_in_one_segment(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    let stream = [UGLY, COMPLEX, b"Who?", IMPLICIT, UGLY].concat();
    client.send(&stream)?.expect(&answers(&stream))?.leave()
}

fn skips_white_space_before_a_question(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    for space in [" ", "\t", "\n", "\x0c", "\r", "\r\n", " \t\n\x0c\r \n"] {
        let stream = [space.as_bytes(), UGLY].concat();
        client.send(&stream)?.expect(b"Ugly.")?;
    }
    client.send(b"\n")?;
    thread::sleep(BETWEEN_PIECES);
    client.send(UGLY)?.expect(b"Ugly.")?;
    // One and any two of them between two questions in a segment.
    for one in b" \t\n\x0c\r" {
        for two in b" \t\n\x0c\r" {
            for space in [&[*one][..], &[*one, *two]] {
                let stream = [COMPLEX, space, UGLY].concat();
                client.send(&stream)?.expect(b"Complex.Ugly.")?;
            }
        }
    }
    client.send(b"\r\n")?.leave()
}

fn skipped_white_space_counts_toward_no_limit(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    // Not the longest question: that one is asked by limit/1.
    let most = subject.dialect.question_bytes_max();
    let long = [&vec![b'x'; most * 7 / 8], &b"?"[..]].concat();
    client.send(&[b' '; 5000])?.send(&long)?.expect(UNKNOWN)?;
    client.send(&vec![b'\n'; most])?.asks()?.leave()
}

fn white_space_completes_no_question(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    client.send(b" \t\n\x0c\r\n")?;
    client.expect_silence(Duration::from_millis(100))?;
    client.leave()
}

fn skips_nothing_but_white_space(subject: &Subject) -> Verdict {
    let others = (0..=255).filter(|byte| !b" \t\n\x0c\r?".contains(byte));
    let questions: Vec<_> =
        others.map(|byte| [&[byte], COMPLEX].concat()).collect();
    ask_all(subject, &questions)
}

fn skips_nothing_inside_a_question(subject: &Subject) -> Verdict {
    let questions: [&[u8]; 4] = [
        b"Simple is better than ?",
        b"Simple  is better than?",
        b"Simple is better than\n?",
        b"Simple is\nbetter than?",
    ];
    ask_all(subject, &questions.map(<[u8]>::to_vec))
}

fn knows_three_aphorisms(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    client.send(b"Beautiful is better than?")?.expect(b"Ugly.")?;
    client.send(b"Explicit is better than?")?.expect(b"Implicit.")?;
    client.send(b"Simple is better than?")?.expect(b"Complex.")?;
    client.leave()
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

fn answers_in_the_order_of_the_questions(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    let mut random = Random::new(subject.seed);
    let all = [UGLY, IMPLICIT, COMPLEX, b"Who?"];
    let stream: Vec<u8> =
        (0..1000).flat_map(|_| all[random.below(4)]).copied().collect();
    client.send(&stream)?.expect(&answers(&stream))?.leave()
}

fn sends_nothing_after_an_answer(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    client.asks()?.expect_silence(Duration::from_millis(100))?;
    client.stop_sending()?;
    let (bytes, _) = client.rest(Duration::from_secs(5))?;
    ensure!(bytes.is_empty(), "{} bytes too many", bytes.len());
    Ok(())
}
