//! A terminal of a transcript: its commands, run one after another, and what
//! they print.

use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use regex::Regex;

use crate::html::BOOK;

/// No command of a transcript takes nearly so long.
const PATIENCE: Duration = Duration::from_secs(90);

const CARGO_RUN: &str = "cargo run -p ";

pub(crate) struct Terminal {
    child: Option<Child>,
    lines: Receiver<String>,
    pub(crate) printed: Vec<String>,
    is_server: bool,
}

/// The server that a transcript is about.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) process: u32,
}

/// The package that a command runs, if it is one of this workspace.
pub(crate) fn package(command: &str) -> Option<&str> {
    command.strip_prefix(CARGO_RUN)?.split(' ').next()
}

/// The packages that it runs, alone or in a pipe.
pub(crate) fn packages(command: &str) -> impl Iterator<Item = &str> {
    command.split(CARGO_RUN).skip(1).filter_map(|it| it.split(' ').next())
}

fn is_server(command: &str) -> bool {
    package(command)
        .is_some_and(|it| !["zen-client", "zen-check"].contains(&it))
}

impl Terminal {
    pub(crate) fn start(line: &str, server: Option<&Server>) -> Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mut command = command(line, server)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            // Whatever it starts in its turn can be ended with it.
            .process_group(0)
            .env_remove("RUST_BACKTRACE")
            .spawn()
            .with_context(|| line.to_string())?;
        // It holds the writing end of the pipe, which must end with the child.
        drop(command);
        let (to_us, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                let Ok(line) = line else { break };
                if to_us.send(line).is_err() {
                    break;
                }
            }
        });
        let is_server = is_server(line);
        let printed = Vec::new();
        Ok(Self { child: Some(child), lines, printed, is_server })
    }

    /// Where it listens, if it is a server.
    pub(crate) fn server(&mut self) -> Result<Option<Server>> {
        if !self.is_server {
            return Ok(None);
        }
        self.wait_for("Listening at ", 1)?;
        let line = self.printed.last().expect("it has been waited for");
        let port = line.rsplit(':').next().unwrap_or_default().parse()?;
        let process = self.child.as_ref().expect("it has not ended").id();
        Ok(Some(Server { port, process }))
    }

    /// Reads on until so many lines begin so.
    pub(crate) fn wait_for(&mut self, start: &str, times: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let begins = |line: &&String| line.starts_with(start);
        while self.printed.iter().filter(begins).count() < times {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.printed.push(line),
                Err(_) => bail!(
                    "no {times} lines `{start}...`, only\n{}",
                    self.printed.join("\n")
                ),
            }
        }
        Ok(())
    }

    /// Waits for its end, and says whether it went well. A server has to be
    /// interrupted first.
    pub(crate) fn end(&mut self) -> Result<bool> {
        let mut child = self.child.take().context("has ended before")?;
        if self.is_server {
            signal("-INT", &child.id().to_string())?;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.printed.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.child = Some(child);
                    bail!("has not ended after {PATIENCE:?}");
                }
            }
        }
        Ok(child.wait()?.success())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // With all that it has started. If that fails, it has ended already.
        let _ = signal("-KILL", &format!("-{}", child.id()));
        let _ = child.wait();
    }
}

fn signal(which: &str, process: &str) -> Result<()> {
    let status = Command::new("kill").args([which, "--", process]).status()?;
    if !status.success() {
        bail!("kill {which} {process} has failed");
    }
    Ok(())
}

fn command(line: &str, server: Option<&Server>) -> Result<Command> {
    let port = server.map_or(0, |it| it.port).to_string();
    let Some(package) = package(line) else {
        let mut shell = Command::new("sh");
        // The same program may run elsewhere on this machine.
        let by_name =
            Regex::new(r"\bps (.*)-C zen-[a-z-]+").expect("a pattern");
        let line = by_name.replace(line, "ps $1-p $$PID");
        let in_pipe = Regex::new(&format!("{CARGO_RUN}([a-z-]+)(?: --)?"));
        let in_pipe = in_pipe.expect("a pattern");
        let line = in_pipe.replace_all(&line, "\"$$PROGRAMS/$1\"");
        // Whatever it names is a path in this workspace.
        shell.args(["-c", &line]).current_dir(Path::new(BOOK).join(".."));
        shell.env("PROGRAMS", programs()?).env("ZEN_PORT", port);
        if let Some(server) = server {
            shell.env("PID", server.process.to_string());
        }
        return Ok(shell);
    };
    let rest = line.strip_prefix(CARGO_RUN).unwrap_or_default();
    let rest = rest.strip_prefix(package).unwrap_or_default();
    let rest = rest.strip_prefix(" --").unwrap_or(rest);
    let mut command = Command::new(programs()?.join(package));
    command.args(words(rest));
    command.env("ZEN_PORT", port);
    Ok(command)
}

/// The folder of the programs, in which this one is as well.
pub(crate) fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("a program is in a folder")?;
    Ok(folder.to_path_buf())
}

/// The words of a command, some of them in double quotation marks.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_string());
        } else {
            words.extend(part.split_whitespace().map(String::from));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_is_one() {
        assert_eq!(
            words(r#" -p 1 --question "Is it?""#),
            ["-p", "1", "--question", "Is it?"]
        );
        assert_eq!(words(r#"''  """#), ["''", ""]);
    }

    #[test]
    fn a_package_in_a_pipe_is_one_as_well() {
        let line = "echo ? | cargo run -p zen-client -- --interactive";
        assert_eq!(package(line), None);
        assert!(packages(line).eq(["zen-client"]));
        let command = command(line, None).unwrap();
        let shown = format!("{command:?}");
        assert!(shown.contains(r#"/zen-client\" --interactive"#), "{shown}");
    }
}
