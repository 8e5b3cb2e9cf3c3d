//! System calls, counted by strace where there is one.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::launch::free_port;
use crate::process;
use crate::server::Server;
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict};

/// Answers in the longer one of two runs; there are none in the other.
const ANSWERS: usize = 500;

/// How many system calls a server makes for each answer to a client that asks
/// one question at a time, or None where they cannot be counted.
pub(crate) fn calls_an_answer(subject: &Subject) -> Option<f64> {
    let tries = Command::new("strace")
        .args(["-c", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    tries.ok().filter(|status| status.success())?;
    let without = calls(subject, 0).ok()?;
    let with = calls(subject, ANSWERS).ok()?;
    Some(with.saturating_sub(without) as f64 / ANSWERS as f64)
}

/// The calls of a whole run, from its start to its end.
fn calls(subject: &Subject, answers: usize) -> Verdict<usize> {
    let name = format!("zen-check-{}-{answers}", std::process::id());
    let file = std::env::temp_dir().join(name);
    let path = file.to_string_lossy().into_owned();
    // The server is our child, and not strace's (-DD): so whatever kills us
    // kills it.
    let runner = ["strace", "-DD", "-f", "-c", "-o", &path, "--"];
    let mut server = if subject.is_listing() {
        let command = subject.command_line(&runner, 0, &["--port", "0"])?;
        Server::spawn(subject, command, usize::MAX)?
    } else {
        let port = free_port()?;
        let command = subject.command_line(&runner, port, &[])?;
        Server::spawn_at(subject, command, port, usize::MAX)?
    };
    let mut client = server.connect()?;
    client.asks()?;
    for _ in 0..answers {
        client.asks()?;
        // Else the next question would be there before the server, which is
        // slow while it is traced, looks for it.
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(client);
    // strace writes down what it has counted when the server has ended.
    server.kill();
    process::wait_until("counted", process::PATIENCE, || {
        Ok(fs::read_to_string(&file)?.contains(" total\n"))
    })?;
    let text = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    // % time, seconds, usecs/call, calls, errors, and the word.
    let total = text.lines().find(|line| line.ends_with(" total"));
    let calls = total.and_then(|line| line.split_whitespace().nth(3));
    let calls = calls.and_then(|calls| calls.parse().ok());
    calls.ok_or_else(|| Fault::Checker("strace has counted nothing".into()))
}
