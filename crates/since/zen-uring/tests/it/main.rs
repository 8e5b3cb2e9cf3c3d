//! Runs every clause of the contract against the real `zen-uring`.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use zen_check::Architecture;

const PROGRAM: &str = env!("CARGO_BIN_EXE_zen-uring");

fn main() -> ExitCode {
    if let Some(reason) = forbidden() {
        println!("skipped, all of it: {reason}");
        return ExitCode::SUCCESS;
    }
    zen_check::listing(PROGRAM, Architecture::EventLoop)
}

/// What the server says where io_uring is not available.
fn forbidden() -> Option<String> {
    let mut server = Command::new(PROGRAM)
        .args(["--port", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let output = server.stdout.take().expect("a pipe");
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).expect("a line");
    // It listens, or it has ended already.
    server.kill().ok();
    let output = server.wait_with_output().expect("it ends");
    let reason = String::from_utf8_lossy(&output.stderr).trim().to_string();
    (line.is_empty() && reason.contains("no io_uring")).then_some(reason)
}
