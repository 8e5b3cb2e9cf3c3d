//! What the client sends, when, and what it prints.

use std::collections::HashSet;
use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::harness::{Process, Server, program, right, run, zen_client};

const THREE: [&str; 3] = [
    "Beautiful is better than?",
    "Explicit is better than?",
    "Simple is better than?",
];

/// What is printed when these questions get the right answers.
fn lines(questions: &[String]) -> String {
    questions.iter().map(|q| format!("{q} {}\n", right(q))).collect()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn asks_three_questions_each_after_the_answer_before() -> io::Result<()> {
    let server = Server::start(|listener| {
        let mut sock = listener.accept()?;
        let mut questions = Vec::new();
        for _ in 0..3 {
            // In one piece, as the book's servers need it, and nothing after.
            let question = sock.recv()?;
            assert!(!sock.has_bytes()?);
            let question = String::from_utf8(question).unwrap();
            sock.send(right(&question))?;
            questions.push(question);
        }
        assert_eq!(sock.recv()?, b"");
        Ok(questions)
    })?;
    let client = run(server.port, &[])?;
    let mut questions = server.finish()?;
    assert_eq!(client.stdout, lines(&questions));
    assert_eq!((&*client.stderr, client.status), ("", Some(0)));
    questions.sort();
    assert_eq!(questions, THREE);
    Ok(())
}

#[test]
fn asks_in_random_order() -> io::Result<()> {
    let server = Server::start(|listener| {
        (0..60).map(|_| listener.accept()?.answer(right)).collect()
    })?;
    let client = run(server.port, &["--count", "60"])?;
    let conversations: Vec<Vec<String>> = server.finish()?;
    assert_eq!(client.stdout, lines(&conversations.concat()));
    assert_eq!(client.status, Some(0));
    let orders: HashSet<_> = conversations.into_iter().collect();
    // All 6 except in one run of ten thousand, and never only one.
    assert!(orders.len() >= 3, "{orders:?}");
    Ok(())
}

#[test]
fn cause_error_sends_a_question_without_its_last_byte() -> io::Result<()> {
    for (args, sent) in [
        (&["-e"][..], "Beautiful is better than"),
        (&["-e", "--question", "Who?", "--question", "What?"], "Who"),
        (&["--slow", "1", "-e", "--question", "Who?"], "Who"),
    ] {
        let server = Server::start(|listener| {
            let mut sock = listener.accept()?;
            let sent = sock.until_the_end()?;
            Ok(String::from_utf8(sent).unwrap())
        })?;
        let client = run(server.port, args)?;
        assert_eq!((&*client.stdout, &*client.stderr), ("", ""));
        assert_eq!(client.status, Some(0));
        assert_eq!(server.finish()?, sent);
    }
    Ok(())
}

#[test]
fn asks_given_questions_in_their_order() -> io::Result<()> {
    let server =
        Server::start(|listener| listener.accept()?.answer(|_| "So."))?;
    let questions = ["What's \"z\"?", "?", "a\\b?", "?"];
    let args = questions.map(|question| ["--question", question]).concat();
    let client = run(server.port, &args)?;
    assert_eq!(client.stdout, "What's \"z\"? So.\n? So.\na\\b? So.\n? So.\n");
    assert_eq!((&*client.stderr, client.status), ("", Some(0)));
    assert_eq!(server.finish()?, questions);
    Ok(())
}

#[test]
fn silent_connects_and_sends_nothing() -> io::Result<()> {
    let server = Server::start(|listener| {
        let mut sock = listener.accept()?;
        Ok((sock.has_bytes()?, sock))
    })?;
    let hour = &mut zen_client(server.port, &["--silent", "3600"]);
    let _client = Process::start(hour)?;
    let (said_something, _sock) = server.finish()?;
    assert!(!said_something);
    Ok(())
}

#[test]
fn silent_asks_in_the_end() -> io::Result<()> {
    let server = Server::start(|listener| listener.accept()?.answer(right))?;
    let begun = Instant::now();
    let client = run(server.port, &["--silent", "0.25"])?;
    assert!(begun.elapsed() >= Duration::from_millis(250));
    assert_eq!(client.stdout, lines(&server.finish()?));
    assert_eq!(client.status, Some(0));
    Ok(())
}

#[test]
fn slow_sends_byte_by_byte() -> io::Result<()> {
    let server = Server::start(|listener| {
        let mut sock = listener.accept()?;
        Ok((sock.recv()?, sock.has_bytes()?, sock))
    })?;
    let args = ["--question", "Who?", "--slow", "3600000"];
    let _client = Process::start(&mut zen_client(server.port, &args))?;
    let (first, more, _sock) = server.finish()?;
    assert_eq!((&*first, more), (&b"W"[..], false));
    Ok(())
}

#[test]
fn slow_pauses_between_the_bytes_of_a_question() -> io::Result<()> {
    let server = Server::start(|listener| listener.accept()?.answer(right))?;
    let args = ["--question", "Who?", "--question", "???"];
    assert_eq!(run(server.port, &args)?.status, Some(2));
    let args = ["--question", "Who?", "--question", "Me?", "--slow", "50"];
    let begun = Instant::now();
    let client = run(server.port, &args)?;
    // Three pauses and two: none before a question, none after it.
    assert!(begun.elapsed() >= Duration::from_millis(250));
    assert_eq!(client.stdout, lines(&server.finish()?));
    assert_eq!(client.status, Some(0));
    Ok(())
}

#[test]
fn holds_conversations_one_after_another() -> io::Result<()> {
    let server = Server::start(|listener| {
        let mut questions = Vec::new();
        for _ in 0..3 {
            let mut sock = listener.accept()?;
            sock.peek()?;
            assert!(!listener.has_client_waiting()?);
            questions.extend(sock.answer(right)?);
        }
        Ok(questions)
    })?;
    let client = run(server.port, &["--count", "3"])?;
    let questions = server.finish()?;
    assert_eq!(questions.len(), 9);
    assert_eq!(client.stdout, lines(&questions));
    assert_eq!((&*client.stderr, client.status), ("", Some(0)));
    Ok(())
}

#[test]
fn clients_are_connected_at_the_same_time() -> io::Result<()> {
    let server = Server::start(|listener| {
        let socks: io::Result<Vec<_>> =
            (0..3).map(|_| listener.accept()).collect();
        // The last is answered first: no client waits for another.
        for mut sock in socks?.into_iter().rev() {
            assert_eq!(sock.answer(right)?, ["Who?", "Me?"]);
        }
        Ok(())
    })?;
    let args = ["--clients", "3", "--question", "Who?", "--question", "Me?"];
    let client = run(server.port, &args)?;
    server.finish()?;
    let expected: Vec<String> = (1..=3)
        .flat_map(|n| ["Me?", "Who?"].map(|q| format!("{n}: {q} {}", right(q))))
        .collect();
    assert_eq!(sorted(&client.stdout), expected);
    assert_eq!((&*client.stderr, client.status), ("", Some(0)));
    Ok(())
}

#[test]
fn the_options_combine() -> io::Result<()> {
    let server = Server::start(|listener| {
        for _ in 0..2 {
            let (mut one, mut two) = (listener.accept()?, listener.accept()?);
            two.answer(right)?;
            one.answer(right)?;
        }
        Ok(())
    })?;
    let args = [
        ["--clients", "2"],
        ["--count", "2"],
        ["--silent", "0.01"],
        ["--slow", "1"],
        ["--question", "Simple is better than?"],
    ];
    let client = run(server.port, &args.concat())?;
    server.finish()?;
    assert_eq!(
        sorted(&client.stdout),
        [
            "1: Simple is better than? Complex.",
            "1: Simple is better than? Complex.",
            "2: Simple is better than? Complex.",
            "2: Simple is better than? Complex.",
        ]
    );
    assert_eq!((&*client.stderr, client.status), ("", Some(0)));
    Ok(())
}

#[test]
fn takes_the_address_from_the_environment_unless_given() -> io::Result<()> {
    for (args, host, port) in [
        (&[][..], Some("127.0.0.1"), "PORT"),
        (&["127.0.0.1"], Some("nowhere.invalid"), "PORT"),
        (&["-p", "PORT"], Some(""), "nonsense"),
        (&["-p", "PORT"], Some("localhost"), ""),
        (&["", "-p", "PORT"], None, "1"),
        (&["0.0.0.0", "-p", "PORT"], None, "1"),
    ] {
        let server =
            Server::start(|listener| listener.accept()?.answer(right))?;
        let number = server.port.to_string();
        let mut command = program();
        command.args(args.iter().map(|arg| arg.replace("PORT", &number)));
        command.env("ZEN_PORT", port.replace("PORT", &number));
        command.envs(host.map(|host| ("ZEN_HOST", host)));
        let client = Process::start(&mut command)?.finish()?;
        assert_eq!((&*client.stderr, client.status), ("", Some(0)));
        assert_eq!(client.stdout, lines(&server.finish()?));
    }
    Ok(())
}

#[test]
fn connects_over_ipv6() -> io::Result<()> {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        println!("skipped: this machine has no IPv6");
        return Ok(());
    };
    let server =
        Server::on(listener, |listener| listener.accept()?.answer(right))?;
    let client = run(server.port, &["::1"])?;
    assert_eq!(client.stdout, lines(&server.finish()?));
    assert_eq!(client.status, Some(0));
    Ok(())
}
