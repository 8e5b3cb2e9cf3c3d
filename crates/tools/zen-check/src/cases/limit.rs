//! What a client cannot make the server do.

use std::io::Write;

use super::prelude::*;
use crate::client::{FIRST_BATCH, LAST_BATCH};
use crate::contract::TOO_LONG;

pub(super) const FUNCTIONS: &[Named] = functions![
    waits_two_seconds_for_a_refused_client_to_close,
    throws_away_16_mebibytes_and_no_more,
    keeps_64_kibibytes_of_answers_and_no_more,
];

const MIB: usize = 1024 * 1024;
const ANSWERS_WAITING_MAX: u64 = 64 * 1024;

/// The first bytes of a question by which it is known to be too long.
fn too_long(subject: &Subject) -> Vec<u8> {
    vec![b'x'; subject.dialect.question_bytes_max()]
}

fn waits_two_seconds_for_a_refused_client_to_close(
    subject: &Subject,
) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    // The server's clock starts after this one, and before the next.
    let asked = Instant::now();
    client.send(&too_long(subject))?.expect(TOO_LONG)?.expect_eof()?;
    let refused = Instant::now();
    // A server that closes sooner answers one of these bytes with a reset.
    process::while_idle(server.process()?, || {
        while asked.elapsed() < Duration::from_millis(1700) {
            let sent = client.send(b"x").map(drop);
            // If sending took too long, the other side may close by now.
            sent.or_else(|fault| match asked.elapsed().as_millis() {
                ..1900 => Err(fault),
                _ => Ok(()),
            })?;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    })?;
    server.expect_error(client.address, "question too long")?;
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
    // A client that needs this long to send has met the other limit.
    ensure!(
        sent > 15 * MIB || time > Duration::from_millis(1900),
        "it closed after {:.1} MiB and {time:.2?}: before 2 s and 16 MiB",
        sent as f64 / MIB as f64
    );
    server.expect_error(client.address, "question too long")
}

fn keeps_64_kibibytes_of_answers_and_no_more(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let mut first = server.connect()?;
    first.asks()?.leave()?;
    let before = process::parts(server.process()?)?.memory_bytes;
    let mut clients = Vec::new();
    for _ in 0..subject.at_once(16) {
        let mut client = server.connect_narrow()?;
        client.send_batch(&b"?".repeat(FIRST_BATCH))?;
        client.send_batch(&b"?".repeat(LAST_BATCH))?;
        // A server that receives these as well has answers of 1.2 MB to keep.
        client.send(&[b'?'; 50_000])?;
        clients.push(client);
    }
    thread::sleep(Duration::from_millis(100));
    let more =
        process::parts(server.process()?)?.memory_bytes.saturating_sub(before);
    // From outside two copies look like twice the answers: a framework may
    // have its own. Half as much for a stack and what the allocator keeps.
    let most = (clients.len() as u64 * 5 + 4) * ANSWERS_WAITING_MAX / 2;
    ensure!(
        more <= most,
        "{} clients read no answers, and it keeps {more} bytes for them: {most} \
        are allowed",
        clients.len()
    );
    Ok(())
}
