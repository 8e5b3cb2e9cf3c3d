//! A terminal of a transcript: its commands run one after another, and their
//! output is captured.

use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
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

/// The package that a command runs, if it belongs to this workspace.
pub(crate) fn package(command: &str) -> Option<&str> {
    command.strip_prefix(CARGO_RUN)?.split(' ').next()
}

/// The packages that a line runs, alone or in a pipe.
pub(crate) fn packages(command: &str) -> impl Iterator<Item = &str> {
    command.split(CARGO_RUN).skip(1).filter_map(|it| it.split(' ').next())
}

fn is_server(command: &str) -> bool {
    package(command)
        .is_some_and(|it| !["zen-client", "zen-check"].contains(&it))
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
        match self.process.wait(PATIENCE)? {
            Some(status) => {
                let text = self.output.text();
                Ok((status.success(), text.lines().map(String::from).collect()))
            }
            None => bail!("has not ended after {PATIENCE:?}"),
        }
    }
}

/// The variable that holds the path of a package's program.
fn variable(package: &str) -> String {
    package.replace('-', "_")
}

fn command(
    line: &str,
    programs: &Programs,
    server: Option<&Server>,
) -> Result<Command> {
    let port = server.map_or(0, |it| it.port).to_string();
    let program = |package: &str| {
        programs.get(package).with_context(|| format!("{package} is not built"))
    };
    let Some(name) = package(line) else {
        let mut shell = Command::new("sh");
        // By path: the same program may also be running from another folder.
        let by_name =
            Regex::new(r"\bps (.*)-C zen-[a-z-]+").expect("a pattern");
        let script = by_name.replace(line, "ps $1-p $$PID");
        let mut script = script.into_owned();
        for name in packages(line) {
            let run = format!("{CARGO_RUN}{name}");
            let place = format!("\"${}\"", variable(name));
            script = script.replace(&format!("{run} --"), &place);
            script = script.replace(&run, &place);
            shell.env(variable(name), program(name)?);
        }
        // The paths in it are relative to the workspace.
        shell.args(["-c", &script]).current_dir(book().join(".."));
        shell.env("ZEN_PORT", port);
        if let Some(server) = server {
            shell.env("PID", server.process.to_string());
        }
        return Ok(shell);
    };
    let rest = line.strip_prefix(CARGO_RUN).unwrap_or_default();
    let rest = rest.strip_prefix(name).unwrap_or_default();
    let rest = rest.strip_prefix(" --").unwrap_or(rest);
    let mut command = Command::new(program(name)?);
    command.args(shlex::split(rest).context("a quote without its end")?);
    command.env("ZEN_PORT", port);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_package_in_a_pipe() {
        let line = "echo ? | cargo run -p zen-client -- --interactive";
        assert_eq!(package(line), None);
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
