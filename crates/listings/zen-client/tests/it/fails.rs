//! Every failure is reported in one line.

use std::io;

use crate::harness::{
    Finished, Process, Server, free_port, program, right, run, zen_client,
};

/// A client that failed, with this line on standard error.
fn failed(stdout: &str, stderr: String) -> Finished {
    let (stdout, stderr) = (stdout.into(), format!("zen-client: {stderr}\n"));
    Finished { stdout, stderr, status: Some(1) }
}

#[test]
fn reports_that_no_one_listens() -> io::Result<()> {
    let port = free_port()?;
    let client = run(port, &[])?;
    assert!(client.stderr.starts_with(&format!(
        "zen-client: cannot connect to 127.0.0.1:{port}: "
    )));
    assert!(!client.stderr.contains("os error"));
    let reason = client.stderr.trim_end().rsplit(": ").next().unwrap();
    assert!(!reason.is_empty());
    let stderr = format!("cannot connect to 127.0.0.1:{port}: {reason}");
    assert_eq!(client, failed("", stderr));
    if cfg!(unix) {
        assert_eq!(reason, "Connection refused");
    }
    Ok(())
}

#[test]
fn reports_once_for_many_that_no_one_listens() -> io::Result<()> {
    let port = free_port()?;
    let one = run(port, &[])?.stderr;
    let (_, reason) = one.trim_end().split_once(": ").unwrap();
    let stderr = format!("3 of 3 clients failed; the first: {reason}");
    assert_eq!(run(port, &["--clients", "3"])?, failed("", stderr));
    Ok(())
}

#[test]
fn reports_a_close_before_the_answer() -> io::Result<()> {
    for (answer, stdout) in [("", ""), ("Ug", ""), ("Ugly.Co", "? Ugly.\n")] {
        let server = Server::start(move |listener| {
            let mut sock = listener.accept()?;
            sock.question()?;
            sock.send(answer)?;
            if !stdout.is_empty() {
                sock.question()?;
            }
            Ok(())
        })?;
        let port = server.port;
        let client = run(port, &["--question", "?", "--question", "?"])?;
        server.finish()?;
        let stderr =
            format!("127.0.0.1:{port}: the server closed before the answer");
        assert_eq!(client, failed(stdout, stderr));
    }
    Ok(())
}

#[test]
fn reports_a_close_while_a_slow_client_asks() -> io::Result<()> {
    let server = Server::start(|listener| {
        let mut sock = listener.accept()?;
        assert_eq!(sock.recv()?, b"a");
        Ok(())
    })?;
    let port = server.port;
    let long = "a".repeat(50) + "?";
    let client = run(port, &["--slow", "20", "--question", &long])?;
    server.finish()?;
    assert_eq!((&*client.stdout, client.status), ("", Some(1)));
    assert_eq!(client.stderr.lines().count(), 1);
    if cfg!(target_os = "linux") {
        let stderr =
            format!("127.0.0.1:{port}: the server closed before the answer");
        assert_eq!(client, failed("", stderr));
    }
    Ok(())
}

#[test]
fn reports_a_reset() -> io::Result<()> {
    let server = Server::start(|listener| {
        // Closing a socket with unread bytes sends a reset.
        listener.accept()?.peek()
    })?;
    let port = server.port;
    let client = run(port, &[])?;
    server.finish()?;
    assert_eq!((&*client.stdout, client.status), ("", Some(1)));
    assert_eq!(client.stderr.lines().count(), 1);
    if cfg!(target_os = "linux") {
        let stderr = format!("127.0.0.1:{port}: Connection reset by peer");
        assert_eq!(client, failed("", stderr));
    }
    Ok(())
}

#[test]
fn counts_the_clients_that_fail() -> io::Result<()> {
    let server = Server::start(|listener| {
        for n in 0..4 {
            let mut sock = listener.accept()?;
            sock.question()?;
            if n != 1 {
                sock.send("So.")?;
            }
        }
        Ok(())
    })?;
    let port = server.port;
    let client = run(port, &["--clients", "4", "--question", "?"])?;
    server.finish()?;
    assert_eq!(client.stdout.matches(": ? So.\n").count(), 3);
    let stderr = format!(
        "1 of 4 clients failed; the first: \
         127.0.0.1:{port}: the server closed before the answer"
    );
    assert_eq!(client, failed(&client.stdout, stderr));
    Ok(())
}

#[test]
fn reads_at_most_1024_bytes_of_an_answer() -> io::Result<()> {
    let longest = "a".repeat(1023) + ".";
    for (answer, comes) in
        [(longest.clone(), true), ("a".to_owned() + &longest, false)]
    {
        let server = Server::start(move |listener| {
            let mut sock = listener.accept()?;
            sock.question()?;
            sock.send(answer)?;
            // Closing it with unread bytes sends a reset.
            sock.until_the_end().ok();
            Ok(())
        })?;
        let port = server.port;
        let client = run(port, &["--question", "?"])?;
        server.finish()?;
        if comes {
            assert_eq!(client.stdout, format!("? {longest}\n"));
            assert_eq!(client.status, Some(0));
        } else {
            let why = format!("127.0.0.1:{port}: the answer is too long");
            assert_eq!(client, failed("", why));
        }
    }
    Ok(())
}

#[test]
fn stops_reading_an_answer_without_end() -> io::Result<()> {
    let server = Server::start(|listener| {
        let mut sock = listener.accept()?;
        sock.question()?;
        // Until the client has gone.
        while sock.send([b'a'; 4096]).is_ok() {}
        Ok(())
    })?;
    let port = server.port;
    let client = run(port, &[])?;
    server.finish()?;
    let why = format!("127.0.0.1:{port}: the answer is too long");
    assert_eq!(client, failed("", why));
    Ok(())
}

#[test]
fn accepts_answers_in_any_pieces() -> io::Result<()> {
    let server = Server::start(|listener| {
        let mut sock = listener.accept()?;
        sock.question()?;
        for byte in b"Complex." {
            sock.send([*byte])?;
        }
        sock.question()?;
        sock.send("One.Two.")?;
        sock.question()?;
        sock.recv()
    })?;
    let questions = ["?", "?", "?"].map(|q| ["--question", q]).concat();
    let client = run(server.port, &questions)?;
    assert_eq!(client.stdout, "? Complex.\n? One.\n? Two.\n");
    assert_eq!((&*client.stderr, client.status), ("", Some(0)));
    assert_eq!(server.finish()?, b"");
    Ok(())
}

#[test]
fn escapes_what_could_control_the_terminal() -> io::Result<()> {
    let server = Server::start(|listener| {
        listener
            .accept()?
            .answer(|_| "\x1b]0;owned\x07\x1b[2J\r\n\t\0\u{9b}31m'\x7f.")
    })?;
    let client = run(server.port, &["--question", "\x1b[31m?"])?;
    server.finish()?;
    assert_eq!(
        client.stdout,
        concat!(
            r"\x1b[31m? ",
            r"\x1b]0;owned\x07\x1b[2J\r\n\t\x00\xc2\x9b31m'\x7f.",
            "\n"
        )
    );
    assert_eq!((&*client.stderr, client.status), ("", Some(0)));
    Ok(())
}

#[test]
fn ends_quietly_when_its_reader_has_gone() -> io::Result<()> {
    let server = Server::start(|listener| -> io::Result<()> {
        loop {
            listener.accept()?.answer(right).ok();
        }
    })?;
    let forever = &mut zen_client(server.port, &["--count", "1000000"]);
    let mut client = Process::start(forever)?;
    client.prints(10)?;
    client.stop_reading();
    let client = client.finish()?;
    assert_eq!((&*client.stderr, client.status), ("", Some(0)));
    Ok(())
}

#[test]
fn refuses_a_wrong_command_line_before_connecting() -> io::Result<()> {
    for args in [
        &["--question", "no question mark"][..],
        &["--question", ""],
        &["--question", "two? of them?"],
        &["--question", "??"],
        &["--question", "not at its end?\n"],
        &["--question", "Who?", "--question", "Who"],
        &["--silent", "-1"],
        &["--silent=-0.5"],
        &["--silent", "NaN"],
        &["--silent", "inf"],
        &["--silent", "1e300"],
        &["--silent", "soon"],
        &["--slow", "0.5"],
        &["--slow=-1"],
        &["--slow", "99999999999"],
        &["--count", "0"],
        &["--count", "many"],
        &["--clients", "0"],
        &["--clients", "99999"],
        &["--interactive", "-e"],
        &["--interactive", "--count", "2"],
        &["--interactive", "--clients", "2"],
        &["--interactive", "--question", "Who?"],
        &["-p", "65536"],
        &["one.host", "another.host"],
    ] {
        let client = Process::start(program().args(args))?.finish()?;
        assert_eq!((&*client.stdout, client.status), ("", Some(2)), "{args:?}");
        assert!(client.stderr.starts_with("error: "), "{args:?}");
    }
    Ok(())
}

#[test]
fn help_and_version_name_the_program() -> io::Result<()> {
    let help = Process::start(program().arg("-h"))?.finish()?;
    assert!(help.stdout.contains("7-2, page 120"));
    assert_eq!(help.status, Some(0));
    let version = Process::start(program().arg("-V"))?.finish()?;
    let expected = format!("zen-client {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.stdout, version.status), (expected, Some(0)));
    Ok(())
}

#[test]
#[cfg(target_os = "linux")]
fn reports_a_full_disk() -> io::Result<()> {
    let server = Server::start(|listener| {
        let mut sock = listener.accept()?;
        sock.question()?;
        sock.send("So.")
    })?;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
    let args = ["--question", "?"];
    let command = &mut zen_client(server.port, &args);
    let client = Process::start_onto(full.into(), command)?.finish()?;
    server.finish()?;
    let why = "cannot print: No space left on device";
    assert_eq!(client, failed("", why.into()));
    Ok(())
}
