//! A terminal of a transcript: its commands run one after another, and their
//! output is captured.

use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use regex::Regex;
use zen_harness::process::{Output, Process};
use zen_harness::system;
use zen_harness::workspace::Programs;

use crate::html::book;

/// How long a command of a transcript may take; none needs nearly as long.
const PATIENCE: Duration = Duration::from_secs(90);

const CARGO_RUN: &str = "cargo run -p ";

pub(crate) struct Terminal {
    process: Process,
    /// Both of its streams, as a terminal shows them.
    output: Arc<Output>,
    is_server: bool,
}

/// The server of a transcript.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) process: u32,
}

/// The packages that a line runs, alone or in a pipe.
pub(crate) fn packages(command: &str) -> impl Iterator<Item = &str> {
    command.split(CARGO_RUN).skip(1).filter_map(|it| it.split(' ').next())
}

fn is_server(command: &str) -> bool {
    let others = ["zen-client", "zen-check"];
    let first = packages(command).next();
    command.starts_with(CARGO_RUN)
        && first.is_some_and(|it| !others.contains(&it))
}

impl Terminal {
    pub(crate) fn start(
        line: &str,
        programs: &Programs,
        server: Option<&Server>,
    ) -> Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mut command = command(line, programs, server)?;
        command.env_remove("RUST_BACKTRACE").stdin(Stdio::null());
        command.stdout(writer.try_clone()?).stderr(writer);
        let process = Process::spawn(&mut command)?;
        // The command holds the pipe's writing end, which would keep it open.
        drop(command);
        let output = Output::drain(reader, usize::MAX)?;
        Ok(Self { process, output, is_server: is_server(line) })
    }

    /// The port and process of the server, if this is one.
    pub(crate) fn server(&self) -> Result<Option<Server>> {
        if !self.is_server {
            return Ok(None);
        }
        const LISTENS: &str = "Listening at ";
        let port = self.output.wait_for(LISTENS, PATIENCE, |lines| {
            let line = lines.iter().find(|line| line.starts_with(LISTENS))?;
            line.rsplit(':').next()?.parse().ok()
        })?;
        Ok(Some(Server { port, process: self.process.id() }))
    }

    /// Waits until this many lines have this beginning.
    pub(crate) fn wait_for(&self, start: &str, times: usize) -> Result<()> {
        let what = format!("{times} lines `{start}...`");
        let waited = self.output.wait_for(&what, PATIENCE, |lines| {
            let lines = lines.iter().filter(|line| line.starts_with(start));
            (lines.count() >= times).then_some(())
        });
        waited.with_context(|| self.output.lines().join("\n"))
    }

    /// Waits until it ends; returns whether it succeeded, and its output. A
    /// server is interrupted when it has printed this many lines: it notices
    /// that a client has left only after that client has ended.
    pub(crate) fn end(&mut self, lines: usize) -> Result<(bool, Vec<String>)> {
        if self.is_server {
            let all = |it: &[String]| (it.len() >= lines).then_some(());
            // If they do not come, the comparison says what is missing.
            self.output.wait_for("its lines", PATIENCE, all).ok();
            self.process.signal(system::SIGINT)?;
        }
        self.output.wait_for_end(PATIENCE)?;
        let status = self.process.wait(PATIENCE)?;
        let status = status
            .with_context(|| format!("has not ended after {PATIENCE:?}"))?;
        let text = self.output.text();
        Ok((status.success(), text.lines().map(String::from).collect()))
    }
}

/// The variable that holds the path of a package's program.
fn variable(package: &str) -> String {
    package.replace('-', "_")
}

/// The command, run by a shell from the folder of the workspace.
fn command(
    line: &str,
    programs: &Programs,
    server: Option<&Server>,
) -> Result<Command> {
    let mut shell = Command::new("sh");
    // By path: the same program may also be running from another folder.
    let by_name = Regex::new(r"\bps (.*)-C zen-[a-z-]+").expect("a pattern");
    let mut script = by_name.replace(line, "ps $1-p $$PID").into_owned();
    for name in packages(line) {
        let program = programs.get(name);
        let program =
            program.with_context(|| format!("{name} is not built"))?;
        let run = format!("{CARGO_RUN}{name}");
        // A program alone takes the place of its shell, to get its signals.
        let exec = if script.starts_with(&run) { "exec " } else { "" };
        let place = format!("{exec}\"${}\"", variable(name));
        script = script.replace(&format!("{run} --"), &place);
        script = script.replace(&run, &place);
        shell.env(variable(name), program);
    }
    shell.args(["-c", &script]).current_dir(book().join(".."));
    shell.env("ZEN_PORT", server.map_or(0, |it| it.port).to_string());
    if let Some(server) = server {
        shell.env("PID", server.process.to_string());
    }
    Ok(shell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_package_in_a_pipe() {
        let line = "echo ? | cargo run -p zen-client -- --interactive";
        assert!(!is_server(line) && is_server("cargo run -p zen-poll -- -q"));
        assert!(packages(line).eq(["zen-client"]));
        let place = "/a place/zen-client";
        let programs = [("zen-client".into(), place.into())].into();
        let command = command(line, &programs, None).unwrap();
        let words: Vec<_> = command.get_args().collect();
        assert_eq!(words[1], r#"echo ? | "$zen_client" --interactive"#);
        let mut variables = command.get_envs();
        assert!(variables.any(|it| it.1.is_some_and(|it| it == place)));
    }
}
