//! A person at the keyboard.

use std::io::{self, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::harness::{DEADLINE, Finished, Process, Server, zen_client};

fn interactive(port: u16, args: &[&str]) -> io::Result<Process> {
    let args = [&["--interactive"], args].concat();
    Process::start(&mut zen_client(port, &args))
}

#[test]
fn sends_what_is_typed_and_shows_what_arrives() -> io::Result<()> {
    let (more, next) = mpsc::channel();
    let server = Server::start(move |listener| {
        let mut sock = listener.accept()?;
        assert_eq!(sock.recv()?, b" Who\xff\n");
        sock.send("M")?;
        next.recv_timeout(DEADLINE).unwrap();
        sock.send("\x1be.Too")?;
        // The client has shut its sending side down, and still reads.
        assert_eq!(sock.until_the_end()?, b"half a line");
        sock.send(" late.end")
    })?;
    let mut client = interactive(server.port, &[])?;
    let mut keyboard = client.keyboard()?;
    keyboard.write_all(b" Who\xff\n")?;
    assert_eq!(client.prints(1)?, "M");
    more.send(()).unwrap();
    assert_eq!(client.line()?, "\\x1be.\n");
    assert_eq!(client.prints(3)?, "Too");
    keyboard.write_all(b"half a line")?;
    drop(keyboard);
    server.finish()?;
    let stdout = " late.\nend\n".into();
    let finished = Finished { stdout, stderr: String::new(), status: Some(0) };
    assert_eq!(client.finish()?, finished);
    Ok(())
}

#[test]
fn interactive_can_be_silent_and_slow() -> io::Result<()> {
    let server = Server::start(move |listener| {
        let mut sock = listener.accept()?;
        assert_eq!(sock.question()?, "Who?");
        sock.send("I.")
    })?;
    let args = ["--slow", "20", "--silent", "0.1"];
    let begun = Instant::now();
    let mut client = interactive(server.port, &args)?;
    let mut keyboard = client.keyboard()?;
    keyboard.write_all(b"Who?")?;
    drop(keyboard);
    server.finish()?;
    // The silence, and a pause between each two of four bytes.
    assert!(begun.elapsed() >= Duration::from_millis(160));
    let finished = client.finish()?;
    assert_eq!((&*finished.stdout, finished.status), ("I.\n", Some(0)));
    Ok(())
}

#[test]
fn reports_a_close_in_the_middle_of_typing() -> io::Result<()> {
    let server = Server::start(|listener| {
        let mut sock = listener.accept()?;
        assert_eq!(sock.question()?, "Who?");
        sock.send("I.")?;
        assert_eq!(sock.recv()?, b"\nhalf a question\n");
        Ok(())
    })?;
    let mut client = interactive(server.port, &[])?;
    let mut keyboard = client.keyboard()?;
    keyboard.write_all(b"Who?")?;
    assert_eq!(client.line()?, "I.\n");
    keyboard.write_all(b"\nhalf a question\n")?;
    let port = server.port;
    server.finish()?;
    let finished = client.finish()?;
    drop(keyboard);
    let line = "the server closed before the answer";
    let stderr = format!("zen-client: 127.0.0.1:{port}: {line}\n");
    let expected = Finished { stdout: String::new(), stderr, status: Some(1) };
    assert_eq!(finished, expected);
    Ok(())
}

#[test]
fn ends_when_the_server_closes_while_nothing_is_typed() -> io::Result<()> {
    let server = Server::start(|listener| {
        let mut sock = listener.accept()?;
        sock.question()?;
        sock.send("Bye.")
    })?;
    let mut client = interactive(server.port, &[])?;
    let mut keyboard = client.keyboard()?;
    keyboard.write_all(b"Who?")?;
    server.finish()?;
    // The keyboard is still open: the client must not wait for it.
    let finished = client.finish()?;
    drop(keyboard);
    let stdout = "Bye.\n".into();
    let expected = Finished { stdout, stderr: String::new(), status: Some(0) };
    assert_eq!(finished, expected);
    Ok(())
}

#[test]
fn an_answer_that_never_came_is_missed() -> io::Result<()> {
    let server = Server::start(|listener| {
        let mut sock = listener.accept()?;
        assert_eq!(sock.until_the_end()?, b"One?Two?");
        sock.send("One.Tw")
    })?;
    let port = server.port;
    let mut client = interactive(port, &[])?;
    client.keyboard()?.write_all(b"One?Two?")?;
    server.finish()?;
    let why = "the server closed before the answer";
    let stderr = format!("zen-client: 127.0.0.1:{port}: {why}\n");
    let stdout = "One.\nTw\n".into();
    let expected = Finished { stdout, stderr, status: Some(1) };
    assert_eq!(client.finish()?, expected);
    Ok(())
}
