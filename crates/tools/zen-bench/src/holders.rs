//! Client processes that hold connections and say nothing: more of them than
//! one process may have descriptors, or one address has ports.

use std::io::{self, BufRead, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, ensure};
use socket2::SockRef;
use zen_harness::process::Process;
use zen_harness::system;

use crate::machine;

/// How long a process may take to connect what it is told to.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client process. When it is dropped, its connections are reset.
#[derive(Debug)]
pub struct Holder {
    process: Process,
    /// None once it has been told to end.
    input: Option<ChildStdin>,
    told: usize,
}

/// Loopback addresses of which no other process connects.
#[must_use]
pub fn addresses(process: u8, count: u8) -> Vec<Ipv4Addr> {
    (1..=count).map(|last| Ipv4Addr::new(127, 1, process, last)).collect()
}

impl Holder {
    /// Starts this program again, to connect from these addresses in turn.
    pub fn start(server: SocketAddr, from: &[Ipv4Addr]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["hold", &server.to_string()]);
        command.args(from.iter().map(Ipv4Addr::to_string));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::spawn(&mut command)?;
        let input = process.input();
        Ok(Self { process, input, told: 0 })
    }

    /// Connects this many more, and says how long it took. The error is the
    /// limit that was met.
    pub fn connect(&mut self, more: usize) -> Result<Duration> {
        let input = self.input.as_mut().context("it has been ended")?;
        writeln!(input, "{more}")?;
        let told = self.told;
        self.told += 1;
        let reply = self
            .process
            .output
            .wait_for("a reply", PATIENCE, |it| it.get(told).cloned());
        let reply = reply.map_err(|err| Error::msg(err.to_string()))?;
        let seconds = reply.parse().map_err(|_| Error::msg(reply))?;
        Ok(Duration::from_secs_f64(seconds))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.input = None;
        // Otherwise it is killed, and its ports stay in use for a minute.
        self.process.wait(PATIENCE).ok();
    }
}

/// What the client process does: for each number that it reads it connects as
/// many clients more. At the end of its input it resets them all and ends.
pub fn hold(server: SocketAddr, from: &[Ipv4Addr]) -> Result<()> {
    ensure!(server.ip().is_loopback(), "{server} is not a loopback address");
    machine::descriptors_max();
    let mut from = from.iter().map(|it| IpAddr::V4(*it)).cycle();
    let mut held = Vec::new();
    for line in io::stdin().lock().lines() {
        let begun = Instant::now();
        let result = (0..line?.parse()?).try_for_each(|_| -> Result<()> {
            let from = from.next().context("no address to connect from")?;
            held.push(system::connect_from(from, server)?);
            Ok(())
        });
        let reply = match result {
            Ok(()) => begun.elapsed().as_secs_f64().to_string(),
            Err(err) => format!("what a client process met: {err:#}"),
        };
        writeln!(io::stdout(), "{reply}")?;
    }
    for sock in &held {
        // Without this each port would stay in use for a minute.
        SockRef::from(sock).set_linger(Some(Duration::ZERO)).ok();
    }
    Ok(())
}
