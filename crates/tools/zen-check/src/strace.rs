//! System calls, counted or made to fail by strace where there is one.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::launch;
use crate::process;
use crate::server::Server;
use crate::subject::Subject;
use crate::system;
use crate::verdict::{Fault, Verdict};

/// Answers in the longer one of two runs; there are none in the other.
const ANSWERS: usize = 500;

/// How many system calls a server makes for each answer to a client that asks
/// one question at a time, or None where they cannot be counted.
pub(crate) fn calls_an_answer(subject: &Subject) -> Option<f64> {
    is_there().ok()?;
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
    let mut server = Server::start_by(subject, &runner, &[], |_| ())?;
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

fn is_there() -> Verdict {
    let tries = Command::new("strace")
        .args(["-c", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    match tries.is_ok_and(|status| status.success()) {
        true => Ok(()),
        false => Err(Fault::skipped("there is no strace that may trace here")),
    }
}

/// The words before a command in which these system calls fail, such as
/// `accept4:error=EBADF`.
pub(crate) fn failing(calls: &str) -> Verdict<Vec<String>> {
    is_there()?;
    // As above, the command stays our child.
    let words = ["strace", "-DD", "-qq", "-f", "-o", "/dev/null"];
    let (names, _) = calls.split_once(':').unwrap_or((calls, ""));
    let inject = format!("inject={calls}");
    let trace = format!("trace={names}");
    let words = words.into_iter().chain(["-e", &trace, "-e", &inject, "--"]);
    Ok(words.map(str::to_owned).collect())
}

/// As long as this is there, these system calls of a running server fail.
#[derive(Debug)]
pub(crate) struct Failing(Child);

impl Failing {
    pub(crate) fn in_all_of(server: &Server, calls: &str) -> Verdict<Self> {
        is_there()?;
        let processes = process::family(server.process()?)?;
        let (names, _) = calls.split_once(':').unwrap_or((calls, ""));
        let mut command = Command::new("strace");
        command.args(["-qq", "-f", "-o", "/dev/null"]);
        command.args(["-e", &format!("trace={names}")]);
        command.args(["-e", &format!("inject={calls}")]);
        for process in &processes {
            command.args(["-p", &process.to_string()]);
        }
        command.stdin(Stdio::null()).stderr(Stdio::null());
        launch::in_own_group(&mut command);
        let mut failing = Self(command.spawn()?);
        process::wait_until("traced", process::PATIENCE, || {
            if failing.0.try_wait()?.is_some() {
                let reason = "strace may not attach to a process here";
                return Err(Fault::skipped(reason));
            }
            Ok(processes.iter().all(|&process| process::is_traced(process)))
        })?;
        Ok(failing)
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        // It lets go of what it traces when it is told to end.
        system::signal(self.0.id(), system::SIGTERM).ok();
        self.0.wait().ok();
    }
}
