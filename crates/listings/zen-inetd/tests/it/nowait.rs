//! Listing 7-10: the socket is a client's. The program serves it and ends.

use std::io;
use std::time::{Duration, Instant};

use zen_harness::system;

use crate::stand_in::{BOTH, How, start_for_one};

#[test]
fn wire_10_answers_its_client_and_ends() -> io::Result<()> {
    for how in BOTH {
        let (mut client, mut started) = start_for_one(how, &[])?;
        client.asks()?;
        client.send(b"\r\nBeautiful is better than?Who? Explicit is bet")?;
        client.receives(b"Ugly.Error: unknown aphorism.")?;
        client.send(b"ter than?")?;
        client.stops_sending()?;
        client.receives_to_the_end(b"Implicit.")?;
        let address = client.address;
        let expected = [
            format!("Accepted connection from {address}"),
            format!("Client socket to {address} has closed"),
        ];
        assert_eq!(started.ends_well()?, expected);
    }
    Ok(())
}

#[test]
fn wire_3_answers_a_question_sent_byte_by_byte() -> io::Result<()> {
    let (mut client, _started) = start_for_one(How::Inetd, &[])?;
    for byte in b"Simple is better than?" {
        client.send(&[*byte])?;
    }
    client.receives(b"Complex.")
}

#[test]
fn ending_3_shows_a_question_that_was_cut_short() -> io::Result<()> {
    let (mut client, mut started) = start_for_one(How::Inetd, &[])?;
    client.send(b"Who \xff")?;
    client.stops_sending()?;
    client.receives_to_the_end(b"")?;
    let address = client.address;
    let error = "error: received b\"Who \\xff\" then socket closed";
    let logged = started.ends_well()?;
    assert_eq!(logged[1..], [format!("Client {address} {error}")]);
    Ok(())
}

#[test]
fn ending_5_logs_a_reset_as_an_error_of_that_client() -> io::Result<()> {
    let (mut client, mut started) = start_for_one(How::Inetd, &[])?;
    client.send(b"Who?")?;
    client.leaves_unread()?;
    let address = client.address;
    drop(client);
    let error = "error: Connection reset by peer";
    let logged = started.ends_well()?;
    let expected = format!("Client {address} {error}");
    assert!(logged[1].starts_with(&expected), "{logged:?}");
    assert_eq!(logged.len(), 2, "{logged:?}");
    Ok(())
}

#[test]
fn limit_4_delivers_the_answer_to_a_question_too_long() -> io::Result<()> {
    let (mut client, mut started) = start_for_one(How::Inetd, &[])?;
    client.send(b"Simple is better than?")?;
    client.send(&[b'x'; 5000])?;
    client.receives_to_the_end(b"Complex.Error: question too long.")?;
    let address = client.address;
    drop(client);
    let expected = format!("Client {address} error: question too long");
    assert_eq!(started.ends_well()?[1..], [expected]);
    Ok(())
}

#[test]
fn option_15_thinks_for_every_answer() -> io::Result<()> {
    let (mut client, _started) =
        start_for_one(How::Inetd, &["--think", "100"])?;
    let begun = Instant::now();
    client.send(b"??")?;
    client.receives(b"Error: unknown aphorism.Error: unknown aphorism.")?;
    assert!(begun.elapsed() >= Duration::from_millis(200));
    Ok(())
}

#[test]
fn option_17_thinks_for_several_clients_at_once() -> io::Result<()> {
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(start_for_one(How::Inetd, &["--think", "1000"])?);
    }
    let begun = Instant::now();
    for (client, _) in &mut all {
        client.send(b"?")?;
    }
    for (client, _) in &mut all {
        client.receives(b"Error: unknown aphorism.")?;
    }
    assert!(begun.elapsed() < Duration::from_millis(2500));
    Ok(())
}

#[test]
fn process_9_answers_whole_questions_after_a_signal() -> io::Result<()> {
    for how in BOTH {
        let (mut client, mut started) =
            start_for_one(how, &["--think", "300"])?;
        client.send(b"Simple is better than?Beau")?;
        let address = client.address;
        started.logs(&format!("Accepted connection from {address}"))?;
        client.hears_nothing_for(Duration::from_millis(100))?;
        started.signal(system::SIGTERM)?;
        client.receives_to_the_end(b"Complex.")?;
        let logged = started.ends_well()?;
        let error = "error: received b\"Beau\" then socket closed";
        let expected =
            ["Shutting down".to_string(), format!("Client {address} {error}")];
        assert_eq!(logged[1..], expected);
    }
    Ok(())
}

#[test]
fn process_11_ends_in_time_despite_a_client_that_does_not_read()
-> io::Result<()> {
    let (mut client, mut started) = start_for_one(How::Inetd, &[])?;
    // More than the buffers of a connection hold: it blocks in send().
    client.sends_until_stalled(b'?')?;
    started.signal(system::SIGTERM)?;
    let begun = Instant::now();
    assert_eq!(started.end()?.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    Ok(())
}
