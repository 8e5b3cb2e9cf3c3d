//! What a client cannot make the server do.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use crate::case::{Case, case};
use crate::client::{Client, QUESTIONS_WAITING};
use crate::contract::{COMPLEX, Profile, TOO_LONG, UGLY, UNKNOWN, answers};
use crate::process;
use crate::subject::Subject;
use crate::verdict::{Verdict, ensure, ensure_in_time};

pub(super) const CASES: &[Case] = &[
    case!("limit/1", answers_a_question_of_1024_bytes),
    case!("limit/2", gives_its_verdict_at_byte_1024),
    case!("limit/3", refuses_a_question_that_is_too_long),
    case!("limit/3", answers_the_questions_before_one_that_is_too_long),
    case!("limit/4", what_comes_after_does_not_destroy_the_last_answer),
    case!("limit/4", a_client_that_reads_late_gets_the_last_answer),
    case!("limit/4", is_done_as_soon_as_the_refused_client_closes),
    case!("limit/5", waits_two_seconds_for_a_refused_client_to_close),
    case!("limit/6", throws_away_16_mebibytes_and_no_more),
    case!("limit/7", holds_back_a_client_that_never_reads),
    case!("limit/7", keeps_64_kibibytes_of_answers_and_no_more)
        .only(
            |server| !server.is_process_per_client(),
            "the memory of its processes cannot be told apart",
        )
        .from(Profile::Listing),
    case!("limit/8", a_client_that_was_held_back_gets_every_answer),
];

const MIB: usize = 1024 * 1024;
const ANSWERS_WAITING_MAX: u64 = 64 * 1024;

/// The first bytes of a question by which it is known to be too long.
pub(super) fn too_long(subject: &Subject) -> Vec<u8> {
    vec![b'x'; subject.dialect.question_bytes_max()]
}

fn answers_a_question_of_1024_bytes(subject: &Subject) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    let most = subject.dialect.question_bytes_max();
    let longest = [&vec![b'x'; most - 1], &b"?"[..]].concat();
    client.ask(&longest)?;
    // Bytes that are no text at all are bytes.
    client.ask(&[&vec![0xff; most - 1], &b"?"[..]].concat())?;
    // Cut before the verdict, and right behind another question.
    client.send(&longest[..most - 1])?;
    client.expect_silence(Duration::from_millis(50))?;
    client.send(b"?")?.expect(UNKNOWN)?;
    let both = [COMPLEX, &longest].concat();
    client.send(&both)?.expect(&answers(&both))?.leave()
}

fn gives_its_verdict_at_byte_1024(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let most = subject.dialect.question_bytes_max();
    // The second one has fewer characters than bytes, in UTF-8.
    for bytes in ["x".repeat(most), "\u{e9}".repeat(most / 2)] {
        let (begun, last) = bytes.as_bytes().split_at(most - 1);
        let mut client = server.connect()?;
        client.send(begun)?.expect_silence(Duration::from_millis(100))?;
        client.send(last)?.expect(TOO_LONG)?.expect_eof()?;
        client.leave().ok();
    }
    Ok(())
}

fn refuses_a_question_that_is_too_long(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    for more in [0, 1, 2000] {
        let mut client = server.connect()?;
        let long = [&too_long(subject), &vec![b'x'; more][..]].concat();
        let long = [&long, &b"?"[..], COMPLEX].concat();
        client.send(&long)?.expect(TOO_LONG)?.expect_eof()?;
    }
    server.connect()?.asks()?.leave()
}

fn answers_the_questions_before_one_that_is_too_long(
    subject: &Subject,
) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&["--think", "20"])?;
    client.send(&[COMPLEX, UGLY, &too_long(subject)].concat())?;
    client.expect(b"Complex.Ugly.")?.expect(TOO_LONG)?.expect_eof()
}

fn what_comes_after_does_not_destroy_the_last_answer(
    subject: &Subject,
) -> Verdict {
    let (_server, mut client) = subject.start_for_one(&[])?;
    client.send(&[COMPLEX, &vec![b'x'; 8 * MIB]].concat())?.stop_sending()?;
    client.expect(b"Complex.")?.expect(TOO_LONG)?.expect_eof()
}

fn a_client_that_reads_late_gets_the_last_answer(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let mut client = server.with_answers_waiting()?;
    client.send(&[b'x'; 3000])?;
    client.expect(&UNKNOWN.repeat(QUESTIONS_WAITING))?;
    client.expect(TOO_LONG)?.expect_eof()
}

fn is_done_as_soon_as_the_refused_client_closes(subject: &Subject) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    client.send(&[b'x'; 1100])?.expect(TOO_LONG)?.leave()?;
    let closed = Instant::now();
    server.expect_error(&client, "question too long")?;
    let time = closed.elapsed();
    ensure_in_time!(
        time,
        Duration::from_secs(1),
        "the client had closed, and it took another {time:.2?}"
    );
    Ok(())
}

fn waits_two_seconds_for_a_refused_client_to_close(
    subject: &Subject,
) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    // The server's clock starts after this one, and before the next.
    let asked = Instant::now();
    client.send(&too_long(subject))?.expect(TOO_LONG)?.expect_eof()?;
    let refused = Instant::now();
    // Whoever closes sooner answers one of these bytes with a reset.
    process::while_idle(server.process()?, || {
        while asked.elapsed() < Duration::from_millis(1700) {
            let sent = client.send(b"x").map(drop);
            // The other side may close by now, if it took so long to send.
            sent.or_else(|fault| match asked.elapsed().as_millis() {
                ..1900 => Err(fault),
                _ => Ok(()),
            })?;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    })?;
    server.expect_error(&client, "question too long")?;
    let time = refused.elapsed();
    ensure_in_time!(
        time,
        Duration::from_millis(2600),
        "it threw away for {time:.2?}, and 2 s are allowed"
    );
    Ok(())
}

fn throws_away_16_mebibytes_and_no_more(subject: &Subject) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    let asked = Instant::now();
    client.send(&too_long(subject))?.expect(TOO_LONG)?.expect_eof()?;
    let piece = vec![b'x'; MIB / 4];
    let mut sent = 0;
    while let Ok(n) = client.sock.write(&piece) {
        sent += n;
        // What is on the way when the server closes counts as sent.
        ensure!(
            sent < 64 * MIB,
            "it threw away {} MiB, and 16 are allowed",
            sent / MIB
        );
    }
    let time = asked.elapsed();
    // Who takes so long to send has met the other limit.
    ensure!(
        sent > 15 * MIB || time > Duration::from_millis(1900),
        "it closed after {:.1} MiB and {time:.2?}: before 2 s and 16 MiB",
        sent as f64 / MIB as f64
    );
    server.expect_error(&client, "question too long")
}

/// Fills a connection with questions and reads nothing.
fn overwhelm(client: &mut Client) -> Verdict<usize> {
    // A lone `?` makes the most of the server's work; the others make it
    // visible when the order is wrong.
    let questions = [COMPLEX, &[b'?'; 50], UGLY].concat();
    client.send_until_stalled(&questions, 16 * MIB)
}

fn holds_back_a_client_that_never_reads(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let mut client = server.connect_narrow()?;
    client.asks()?;
    overwhelm(&mut client)?;
    if subject.at_once(2) == 2 {
        server.connect()?.asks()?.leave()?;
    }
    process::come_to_rest(server.process()?)?;
    process::while_idle(server.process()?, || {
        thread::sleep(Duration::from_millis(500));
        Ok(())
    })
}

fn keeps_64_kibibytes_of_answers_and_no_more(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let mut first = server.connect()?;
    first.asks()?.leave()?;
    let before = process::parts(server.process()?)?.memory_bytes;
    let mut clients = Vec::new();
    for _ in 0..subject.at_once(16) {
        let mut client = server.with_answers_waiting()?;
        // Whoever receives these as well has answers of 1.2 MB to keep.
        client.send(&[b'?'; 50_000])?;
        clients.push(client);
    }
    thread::sleep(Duration::from_millis(100));
    let more =
        process::parts(server.process()?)?.memory_bytes.saturating_sub(before);
    // From outside two copies look like twice the answers: a framework may
    // have its own. Half as much for a stack and what the allocator keeps.
    let most = (clients.len() as u64 * 5 + 4) * ANSWERS_WAITING_MAX / 2;
    ensure!(more <= most, "{more} bytes for {} clients", clients.len());
    Ok(())
}

fn a_client_that_was_held_back_gets_every_answer(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let mut client = server.connect_narrow()?;
    let sent = overwhelm(&mut client)?;
    let questions = [COMPLEX, &[b'?'; 50], UGLY].concat();
    let stream: Vec<u8> =
        questions.iter().cycle().take(sent).copied().collect();
    client.expect(&answers(&stream))?;
    let last = stream.rsplit(|&byte| byte == b'?').next().unwrap_or_default();
    let rest = [last, b"?"].concat();
    client.send(b"?")?.expect(&answers(&rest))?.leave()
}
