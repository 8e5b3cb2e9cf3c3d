//! A running server: a process of its own group, killed when it goes out of
//! scope, with all that it has started.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::conversation::Client;
use crate::output::Output;
use crate::process::{self, PATIENCE, wait_until};
use crate::subject::{Run, Subject};
use crate::system;
use crate::verdict::{Fault, Verdict, ensure};

/// A server that has said `Listening at`.
#[derive(Debug)]
pub(crate) struct Server<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) log: Arc<Output>,
    /// Where a client reaches it.
    pub(crate) address: SocketAddr,
    child: Child,
}

impl<'a> Server<'a> {
    /// Starts it, and reads `lines_max` lines of its log.
    pub(crate) fn start(
        subject: &'a Subject,
        mut command: Command,
        lines_max: usize,
    ) -> Verdict<Self> {
        let (child, log, errors) = spawn(&mut command, lines_max)?;
        let mut server = Self {
            subject,
            log: Arc::clone(&log),
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            child,
        };
        let process = server.process();
        subject.runs().push(Run { process, alive: true, log, errors });
        let first = server
            .log
            .wait_for("a line", PATIENCE, |lines| lines.first().cloned())?;
        let address = first.strip_prefix("Listening at ");
        match address.and_then(|address| address.parse().ok()) {
            Some(address) => server.address = address,
            None => ensure!(false, "log/4: the first line is {first:?}"),
        }
        if server.address.ip().is_unspecified() {
            server.address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Ok(server)
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> Verdict<Client> {
        Client::connect(self.address)
    }

    /// So many clients, each of which has asked and been answered.
    pub(crate) fn served(&self, clients: usize) -> Verdict<Vec<Client>> {
        let mut served = Vec::new();
        for _ in 0..clients {
            let mut client = self.connect()?;
            client.asks()?;
            served.push(client);
        }
        Ok(served)
    }

    pub(crate) fn expect_line(&self, line: &str) -> Verdict {
        self.log.wait_for(&format!("{line:?}"), PATIENCE, |lines| {
            lines.iter().any(|printed| printed == line).then_some(())
        })
    }

    pub(crate) fn expect_accepted(&self, client: &Client) -> Verdict {
        let address = client.address;
        self.expect_line(&format!("Accepted connection from {address}"))
    }

    pub(crate) fn expect_closed(&self, client: &Client) -> Verdict {
        let address = client.address;
        self.expect_line(&format!("Client socket to {address} has closed"))
    }

    pub(crate) fn expect_error(&self, client: &Client, error: &str) -> Verdict {
        let address = client.address;
        self.expect_line(&format!("Client {address} error: {error}"))
    }

    pub(crate) fn signal(&self, signal: i32) -> Verdict {
        system::signal(self.process(), signal)
    }

    /// As Ctrl-C does: to the server and to all that it has started.
    pub(crate) fn signal_all(&self, signal: i32) -> Verdict {
        system::signal_group(self.process(), signal)
    }

    /// Stops it in its tracks, until SIGCONT.
    pub(crate) fn freeze(&self) -> Verdict {
        self.signal_all(system::SIGSTOP)?;
        wait_until("stopped by SIGSTOP", PATIENCE, || {
            Ok(process::state(self.process())? == "T")
        })
    }

    pub(crate) fn thaw(&self) -> Verdict {
        self.signal_all(system::SIGCONT)
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self, patience: Duration) -> Verdict<ExitStatus> {
        wait_for(&mut self.child, patience)
    }

    /// Sends SIGTERM, and expects that it ends as the contract says.
    pub(crate) fn stop(&mut self) -> Verdict {
        self.signal(system::SIGTERM)?;
        self.expect_exit_0()
    }

    pub(crate) fn expect_exit_0(&mut self) -> Verdict {
        let status = self.wait(PATIENCE)?;
        ensure!(status.code() == Some(0), "not exit status 0, but {status}");
        Ok(())
    }

    /// Kills it with all that it has started.
    pub(crate) fn kill(&mut self) {
        // An error says that nobody is left. On systems without groups, this
        // process is all there is.
        system::signal_group(self.process(), system::SIGKILL).ok();
        self.child.kill().ok();
        self.child.wait().ok();
        let process = self.process();
        for run in self.subject.runs().iter_mut() {
            run.alive &= run.process != process;
        }
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command that has run to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: Vec<String>,
    pub(crate) errors: Vec<String>,
}

impl Ended {
    pub(crate) fn run(mut command: Command) -> Verdict<Self> {
        let (mut child, output, errors) = spawn(&mut command, usize::MAX)?;
        let status = wait_for(&mut child, PATIENCE);
        if status.is_err() {
            child.kill().ok();
            child.wait().ok();
        }
        output.wait_for_end(PATIENCE)?;
        errors.wait_for_end(PATIENCE)?;
        let (output, errors) = (output.lines(), errors.lines());
        match status {
            Ok(status) => Ok(Self { status, output, errors }),
            Err(_) => Err(Fault::Server(format!(
                "did not end by itself; printed {output:?} and {errors:?}"
            ))),
        }
    }
}

type Spawned = (Child, Arc<Output>, Arc<Output>);

fn spawn(command: &mut Command, lines_max: usize) -> Verdict<Spawned> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|err| {
        let program = command.get_program().to_string_lossy();
        Fault::Checker(format!("cannot start {program}: {err}"))
    })?;
    let (Some(output), Some(errors)) =
        (child.stdout.take(), child.stderr.take())
    else {
        return Err(Fault::Checker("a process without output".into()));
    };
    let output = Output::drain(output, lines_max)?;
    let errors = Output::drain(errors, usize::MAX)?;
    Ok((child, output, errors))
}

fn wait_for(child: &mut Child, patience: Duration) -> Verdict<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        ensure!(Instant::now() < deadline, "no end within {patience:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
