//! Client processes that hold silent connections: more of them than one process
//! may have descriptors, or one address has ports.

use std::io::{self, BufRead, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, ensure};
use zen_harness::process::Process;
use zen_harness::system;

use crate::machine;

/// How long a process may take to make the connections of one step.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client process. When this is dropped, its connections are reset.
#[derive(Debug)]
pub struct Holder {
    process: Process,
    /// None after the process was told to end.
    input: Option<ChildStdin>,
    told: usize,
}

/// Loopback addresses from which no other process connects.
#[must_use]
pub fn addresses(process: u8, count: u8) -> Vec<Ipv4Addr> {
    (1..=count).map(|last| Ipv4Addr::new(127, 1, process, last)).collect()
}

impl Holder {
    /// Starts this program again, which connects from these addresses in turn.
    pub fn start(server: SocketAddr, from: &[Ipv4Addr]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["hold", &server.to_string()]);
        command.args(from.iter().map(Ipv4Addr::to_string));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::spawn(&mut command)?;
        let input = process.input();
        Ok(Self { process, input, told: 0 })
    }

    /// Connects this many more, and returns how long it took. The error names
    /// the limit reached.
    pub fn connect(&mut self, more: usize) -> Result<Duration> {
        let input = self.input.as_mut().context("it was told to end before")?;
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
        // If it has to be killed, its ports stay in use for a minute.
        self.process.wait(PATIENCE).ok();
    }
}

/// The client process: for each number that it reads it connects that many more
/// clients. At the end of its input it resets them all and exits.
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
            Err(err) => format!("an error in a client process: {err:#}"),
        };
        writeln!(io::stdout(), "{reply}")?;
    }
    for sock in &held {
        // Without this each port would stay in use for a minute.
        system::reset_on_close(sock).ok();
    }
    Ok(())
}
