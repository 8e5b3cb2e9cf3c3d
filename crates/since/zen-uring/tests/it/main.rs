//! Every clause of the contract, put to the real `zen-uring`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use zen_check::Architecture;

const PROGRAM: &str = env!("CARGO_BIN_EXE_zen-uring");

fn main() -> ExitCode {
    if let Some(reason) = forbidden() {
        println!("skipped, all of it: {reason}");
        return ExitCode::SUCCESS;
    }
    zen_check::listing(PROGRAM, Architecture::EventLoop)
}

/// What the server says where it can have no io_uring.
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
    let answers = || {
        let address = line.trim().strip_prefix("Listening at ")?;
        let mut sock = TcpStream::connect(address).ok()?;
        sock.write_all(b"?").ok()?;
        sock.read(&mut [0]).ok().filter(|&n| n > 0)
    };
    if answers().is_some() {
        server.kill().ok();
        server.wait().ok();
        return None;
    }
    // It is ending, or else something is wrong, and the cases will find it.
    let asked = Instant::now();
    while let (Ok(None), true) =
        (server.try_wait(), asked.elapsed() < Duration::from_secs(8))
    {
        thread::sleep(Duration::from_millis(1));
    }
    server.kill().ok();
    let output = server.wait_with_output().expect("it ends");
    let reason = String::from_utf8_lossy(&output.stderr).trim().to_string();
    reason.contains("no io_uring").then_some(reason)
}
