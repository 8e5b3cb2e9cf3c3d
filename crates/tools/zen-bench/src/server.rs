//! A running server: a process of its own group, killed when it goes out of
//! scope, with all that it has started.
//!
//! How it is started is [`zen_check::launch`]'s. The rest is not: a server of
//! the checker's belongs to a case and keeps a record for its transcript, and
//! this one is to cost as little as it can while it is measured.

use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use zen_check::launch::{self, TakenAlong};

use crate::drain::Drain;

/// How long a server may take to start, and to end. The contract says 2 s for
/// the end; a server that is being traced is slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a connection by which a server was found may take to be let go.
const PROBE_TIME_MAX: Duration = Duration::from_millis(500);

/// Where the words of a command are told the port.
pub const PORT: &str = "{port}";

/// A server that can be connected to. On Linux it is killed when the thread
/// ends that has started it.
#[derive(Debug)]
pub struct Server {
    /// Where a client reaches it.
    pub address: SocketAddr,
    child: Child,
    output: Arc<Drain>,
    errors: Arc<Drain>,
    /// It keeps the contract's command line, and so ends with status 0.
    is_listing: bool,
    has_been_ended: bool,
    /// Whoever interrupts us means it as well.
    _along: TakenAlong,
}

impl Server {
    /// Starts a listing, quiet and on a port that the system picks.
    ///
    /// # Errors
    ///
    /// It does not start, or does not say where it listens.
    pub fn start(command: &mut Command) -> Result<Self> {
        command.args(["--port", "0", "--quiet"]);
        let mut server = Self::spawn(command, true)?;
        let line = server.output.first_line(PATIENCE);
        let address = line.strip_prefix("Listening at ").map(str::parse);
        let Some(Ok(address)) = address else {
            let errors = server.last_words()?;
            bail!(
                "{} does not say where it listens: {line:?} {errors}",
                command.get_program().display()
            );
        };
        server.address = address;
        if server.address.ip().is_unspecified() {
            server.address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Ok(server)
    }

    /// Starts any command. In its words `{port}` stands for a port that is
    /// free, and the server is ready when it can be connected to; where no
    /// word contains it, the command is one of a listing, as for `start`.
    ///
    /// # Errors
    ///
    /// It does not start, or nobody listens after a while.
    pub fn run(words: &[String]) -> Result<Self> {
        let (first, others) = words.split_first().context("no command")?;
        if !words.iter().any(|word| word.contains(PORT)) {
            return Self::start(Command::new(first).args(others));
        }
        let port = launch::free_port()?;
        let with_port = |word: &String| word.replace(PORT, &port.to_string());
        let mut command = Command::new(with_port(first));
        command.args(others.iter().map(with_port));
        let mut server = Self::spawn(&mut command, false)?;
        server.wait_for(port)?;
        Ok(server)
    }

    fn spawn(command: &mut Command, is_listing: bool) -> Result<Self> {
        launch::prepare(command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let along = TakenAlong::new(child.id());
        let drain = |from: Option<Box<dyn Read + Send>>| {
            from.map(Drain::start).unwrap_or_default()
        };
        let output = drain(child.stdout.take().map(|it| Box::new(it) as _));
        let errors = drain(child.stderr.take().map(|it| Box::new(it) as _));
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let has_been_ended = false;
        Ok(Self {
            address,
            child,
            output,
            errors,
            is_listing,
            has_been_ended,
            _along: along,
        })
    }

    /// Connects, again and again, until somebody listens at this port.
    fn wait_for(&mut self, port: u16) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(1);
        loop {
            let hosts =
                [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            for address in hosts.map(|host| SocketAddr::new(host, port)) {
                let time_max = Duration::from_secs(1);
                if let Ok(probe) =
                    TcpStream::connect_timeout(&address, time_max)
                {
                    self.address = address;
                    dismiss(probe)?;
                    return Ok(());
                }
            }
            if self.has_ended()? {
                let errors = self.last_words()?;
                bail!("it ended before it listened at port {port}: {errors}");
            }
            let now = Instant::now();
            ensure!(now < deadline, "nobody listens at port {port}");
            thread::sleep(pause);
            pause = (2 * pause).min(Duration::from_millis(50));
        }
    }

    /// The number of its first process, and of its group.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with SIGTERM, and then with SIGKILL what is left of its group;
    /// returns the last of what it has printed on standard error.
    ///
    /// # Errors
    ///
    /// It does not end, or not as it should.
    pub fn stop(mut self) -> Result<String> {
        self.end_well()?;
        Ok(self.errors.text())
    }

    /// The same, and returns what it has printed on standard output.
    ///
    /// # Errors
    ///
    /// It does not end, or not as it should.
    pub fn stop_and_read(mut self) -> Result<String> {
        self.end_well()?;
        Ok(self.output.text())
    }

    fn end_well(&mut self) -> Result<()> {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::TERM);
        #[cfg(not(unix))]
        self.child.kill()?;
        let deadline = Instant::now() + PATIENCE;
        while !self.has_ended()? {
            ensure!(Instant::now() < deadline, "no end within {PATIENCE:?}");
            thread::sleep(Duration::from_millis(5));
        }
        let status = self.end()?;
        // Those who held the other ends are gone.
        self.output.whole(PATIENCE);
        let text = self.errors.whole(PATIENCE);
        ensure!(self.may_end_so(status), "{status}: {text}");
        Ok(())
    }

    fn may_end_so(&self, status: ExitStatus) -> bool {
        #[cfg(unix)]
        if !self.is_listing {
            use std::os::unix::process::ExitStatusExt;
            let term = rustix::process::Signal::TERM.as_raw();
            // Not every program cares to catch it.
            return status.success()
                || status.signal() == Some(term)
                || status.code() == Some(128 + term);
        }
        status.success() || cfg!(not(unix)) || !self.is_listing
    }

    /// Whether the first process has ended. Until `end`, its number is
    /// nobody else's.
    fn has_ended(&mut self) -> Result<bool> {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
            let options = WaitIdOptions::EXITED
                | WaitIdOptions::NOWAIT
                | WaitIdOptions::NOHANG;
            let leader = WaitId::Pid(Pid::from_child(&self.child));
            Ok(waitid(leader, options)?.is_some())
        }
        #[cfg(not(unix))]
        Ok(self.child.try_wait()?.is_some())
    }

    /// Ends what is of no use, and returns what it has printed on standard
    /// error.
    fn last_words(&mut self) -> Result<String> {
        self.end()?;
        Ok(self.errors.whole(PATIENCE))
    }

    /// Kills what is left of the group.
    fn end(&mut self) -> Result<ExitStatus> {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::KILL);
        #[cfg(not(unix))]
        self.child.kill().ok();
        self.has_been_ended = true;
        Ok(self.child.wait()?)
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
        // After that its number may be another's.
        if !self.has_been_ended {
            self.end().ok();
        }
    }
}

/// The connection by which a server was found is a client like others: it
/// takes a place until the server has let it go. One that never does is not
/// waited for.
fn dismiss(mut probe: TcpStream) -> Result<()> {
    probe.shutdown(std::net::Shutdown::Write)?;
    let deadline = Instant::now() + PROBE_TIME_MAX;
    let mut buffer = [0; 256];
    loop {
        let time_left = deadline.saturating_duration_since(Instant::now());
        if time_left.is_zero() {
            return Ok(());
        }
        probe.set_read_timeout(Some(time_left))?;
        if !matches!(probe.read(&mut buffer), Ok(1..)) {
            return Ok(());
        }
    }
}
