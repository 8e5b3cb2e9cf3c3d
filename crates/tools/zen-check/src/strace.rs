//! System calls, counted by strace where there is one.

use std::fs;
use std::time::Duration;

use zen_harness::strace;

use crate::process;
use crate::server::Server;
use crate::subject::Subject;
use crate::verdict::Verdict;

/// Answers in the longer one of two runs; there are none in the other.
const ANSWERS: usize = 500;

/// How many system calls a server makes for each answer to a client that asks
/// one question at a time, or None where they cannot be counted.
pub(crate) fn calls_an_answer(subject: &Subject) -> Option<f64> {
    strace::version().ok()?;
    let without = calls(subject, 0).ok()?;
    let with = calls(subject, ANSWERS).ok()?;
    Some(with.saturating_sub(without) as f64 / ANSWERS as f64)
}

/// The calls of a whole run, from its start to its end.
fn calls(subject: &Subject, answers: usize) -> Verdict<u64> {
    let name = format!("zen-check-{}-{answers}", std::process::id());
    let file = std::env::temp_dir().join(name);
    let path = file.to_string_lossy().into_owned();
    let runner = strace::counting(&path);
    let mut server = Server::start_by(subject, &runner)?;
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
    let mut counts = None;
    let counted = process::wait_until("counted", process::PATIENCE, || {
        counts = strace::counts(&fs::read_to_string(&file)?);
        Ok(counts.is_some())
    });
    fs::remove_file(&file)?;
    counted?;
    Ok(counts.unwrap_or_default().values().sum())
}
