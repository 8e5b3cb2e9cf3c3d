//! Any server, given as a command: starts it, finds it ready, and ends it.

use std::io;
use std::net::SocketAddr;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::ports::free_port;
use crate::process::{Process, Readiness};
use crate::system;

/// How long a server may take to start, and to end. The contract allows 2 s for
/// the end, but a server is slow while it is traced.
const PATIENCE: Duration = Duration::from_secs(20);

/// The placeholder for the port in a command.
pub const PORT: &str = "{port}";

/// A server that accepts connections. It is killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// The address for its clients.
    pub address: SocketAddr,
    process: Process,
    /// It has the contract's options, and so has to end with status 0.
    is_listing: bool,
}

impl Server {
    /// Starts a listing, quiet and on a port that the system picks.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command.args(["--port", "0", "--quiet"]);
        let mut process = Process::start(command)?;
        let address = process.address(PATIENCE)?;
        Ok(Self { address, process, is_listing: true })
    }

    /// Starts any command. `{port}` in its words is replaced by a free port,
    /// and the server is ready when it accepts a connection. Without `{port}`
    /// the command has to be one of a listing, as for `start`.
    pub fn run(words: &[String]) -> io::Result<Self> {
        let Some((first, others)) = words.split_first() else {
            return Err(io::Error::other("no command"));
        };
        if !words.iter().any(|word| word.contains(PORT)) {
            return Self::start(Command::new(first).args(others));
        }
        let port = free_port()?;
        let with_port = |word: &String| word.replace(PORT, &port.to_string());
        let mut command = Command::new(with_port(first));
        command.args(others.iter().map(with_port));
        let mut process = Process::start(&mut command)?;
        match process.wait_for_port(port, PATIENCE)? {
            Readiness::Connected(address, probe) => {
                process.dismiss(probe)?;
                Ok(Self { address, process, is_listing: false })
            }
            Readiness::Ended(_) => Err(io::Error::other(format!(
                "it ended before it listened at port {port}: {}",
                process.last_words()
            ))),
            Readiness::Late => {
                let what = format!("nothing listens at port {port}");
                Err(io::Error::new(io::ErrorKind::TimedOut, what))
            }
        }
    }

    /// The number of its first process, and of its group.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its first process, for callers that need more than to end it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it with SIGTERM, and kills what is left of it; returns the end of
    /// its standard error.
    pub fn stop(mut self) -> io::Result<String> {
        let Some(status) = self.process.stop(PATIENCE)? else {
            let what = format!("no end within {PATIENCE:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        };
        // Do not kill a tracer: it prints a moment later, when it ends.
        self.process.errors.wait_for_end(PATIENCE).ok();
        // By now every process that shared the pipe has ended.
        let text = self.process.last_words();
        self.process.output.wait_for_end(PATIENCE)?;
        match self.may_end_so(status) {
            true => Ok(text),
            false => Err(io::Error::other(format!("{status}: {text}"))),
        }
    }

    /// Only a listing has to catch SIGTERM.
    fn may_end_so(&self, status: ExitStatus) -> bool {
        let by_signal = system::ended_by(status) == Some(system::SIGTERM)
            || status.code() == Some(128 + system::SIGTERM);
        status.success() || cfg!(not(unix)) || !self.is_listing && by_signal
    }
}
