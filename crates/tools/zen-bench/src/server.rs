//! A running server: a process of its own group, killed when it goes out of
//! scope, with all that it has started.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How long a server may take to start, and to end. The contract says 2 s for
/// the end; a server that is being traced is slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that has said `Listening at`.
#[derive(Debug)]
pub struct Server {
    /// Where a client reaches it.
    pub address: SocketAddr,
    child: Child,
    errors: Option<ChildStderr>,
}

impl Server {
    /// Starts a command line, quiet and on a port that the system picks.
    /// Nothing from our environment changes what it does.
    ///
    /// # Errors
    ///
    /// It does not start, or does not say where it listens.
    pub fn start(command: &mut Command) -> Result<Self> {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ZEN_") {
                command.env_remove(name);
            }
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut child = command
            .args(["--port", "0", "--quiet"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let output = child.stdout.take().context("no standard output")?;
        let errors = child.stderr.take();
        let address = ([0; 4], 0).into();
        // From here on it is killed when something goes wrong.
        let mut server = Self { address, child, errors };
        // The thread reads on until the server ends, so that it never waits
        // for a reader of its log.
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        let line = lines.recv_timeout(PATIENCE).unwrap_or_default();
        match line.strip_prefix("Listening at ").map(str::parse) {
            Some(Ok(address)) => server.address = address,
            _ => bail!("{command:?} does not say where it listens: {line:?}"),
        }
        Ok(server)
    }

    /// The number of its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with SIGTERM, and returns what it has printed on standard
    /// error.
    ///
    /// # Errors
    ///
    /// It does not end, or not with status 0.
    pub fn stop(mut self) -> Result<String> {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::TERM);
        #[cfg(not(unix))]
        self.child.kill()?;
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(Instant::now() < deadline, "no end within {PATIENCE:?}");
            thread::sleep(Duration::from_millis(5));
        };
        let mut text = String::new();
        if let Some(mut errors) = self.errors.take() {
            errors.read_to_string(&mut text)?;
        }
        ensure!(status.success() || cfg!(not(unix)), "{status}: {text}");
        Ok(text)
    }

    /// To the server and to all that it has started. An error says that nobody
    /// is left.
    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let group = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process_group(group, signal).ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Until it is waited for, its number is nobody else's.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            #[cfg(unix)]
            self.signal(rustix::process::Signal::KILL);
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}
