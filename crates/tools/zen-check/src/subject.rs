//! The program under examination, and every process of it that a case has
//! started.

use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::architecture::Architecture;
use crate::conversation::Client;
use crate::output::Output;
use crate::server::{Ended, Server};
use crate::system;
use crate::verdict::{Fault, Verdict};

/// A failure shows so many of the last lines of a log.
const LINES_SHOWN_MAX: usize = 30;

/// A program that claims to keep the contract.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) program: String,
    pub(crate) architecture: Architecture,
    /// They choose the variant, and come before all others.
    options: Vec<String>,
    runs: Mutex<Vec<Run>>,
}

/// One process that was started.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) process: u32,
    /// Nobody has waited for it yet: its number is still its own.
    pub(crate) alive: bool,
    pub(crate) log: Arc<Output>,
    pub(crate) errors: Arc<Output>,
}

impl Subject {
    pub(crate) fn new(
        program: &str,
        architecture: Architecture,
        options: &[&str],
    ) -> Self {
        Self {
            program: program.to_string(),
            architecture,
            options: options.iter().map(|&option| option.into()).collect(),
            runs: Mutex::default(),
        }
    }

    /// The name under which it speaks of itself.
    pub(crate) fn name(&self) -> String {
        let path = std::path::Path::new(&self.program);
        let name = path.file_stem().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// A command line of this program, without anything from our environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_through(&[], arguments)
    }

    /// The same, but run by another program, such as `unshare`.
    pub(crate) fn command_through(
        &self,
        runner: &[&str],
        arguments: &[&str],
    ) -> Command {
        let mut words = runner.iter().copied().chain([self.program.as_str()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(&self.options).args(arguments);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("ZEN_") || text.starts_with("RUST_") {
                command.env_remove(name);
            }
        }
        system::prepare(&mut command);
        command
    }

    /// Starts a server on a port that the system picks.
    pub(crate) fn start(&self, arguments: &[&str]) -> Verdict<Server<'_>> {
        let mut all = vec!["--port", "0"];
        all.extend(arguments);
        Server::start(self, self.command(&all), usize::MAX)
    }

    /// The same, and connects a client to it.
    pub(crate) fn start_for_one(
        &self,
        arguments: &[&str],
    ) -> Verdict<(Server<'_>, Client)> {
        let server = self.start(arguments)?;
        let client = server.connect()?;
        Ok((server, client))
    }

    /// Runs a command that is expected to end by itself.
    pub(crate) fn run(&self, command: Command) -> Verdict<Ended> {
        Ended::run(command)
    }

    pub(crate) fn runs(&self) -> MutexGuard<'_, Vec<Run>> {
        self.runs.lock().unwrap_or_else(|lock| lock.into_inner())
    }

    /// Kills what a case that hangs has started.
    pub(crate) fn kill_all(&self) {
        for run in self.runs().iter().filter(|run| run.alive) {
            system::signal_group(run.process, system::SIGKILL).ok();
        }
    }

    /// A server that listens prints nothing on standard error, whatever
    /// happens to it.
    pub(crate) fn was_quiet(&self) -> Verdict {
        let runs = self.runs();
        match runs.iter().flat_map(|run| run.errors.lines()).next() {
            None => Ok(()),
            Some(line) => Err(Fault::Server(format!(
                "process/5: printed on standard error: {line}"
            ))),
        }
    }

    /// What the servers have printed, for a failure.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        for run in self.runs().iter() {
            for (name, output) in [("log", &run.log), ("errors", &run.errors)] {
                let lines = output.lines();
                let first = lines.len().saturating_sub(LINES_SHOWN_MAX);
                if !lines.is_empty() {
                    text += &format!("\n  the server's {name}, to its end:");
                }
                for line in &lines[first..] {
                    text += &format!("\n    {line}");
                }
            }
        }
        text
    }
}
