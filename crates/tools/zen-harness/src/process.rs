//! A process in a group of its own. When it is dropped, it is killed with
//! everything that it has started.

mod output;

use std::io::{self, Read};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

pub use output::{Output, Unprinted};

use crate::proc;
use crate::system;

/// How often to check for events that cause no notification.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOOK_EVERY_MAX: Duration = Duration::from_millis(250);

/// How long a readiness probe may occupy the server.
const PROBE_TIME_MAX: Duration = Duration::from_millis(300);

/// The variable that marks a process and its descendants: a daemon leaves its
/// group, its session and its parent, but keeps its environment.
const MARK: &str = "ZEN_HARNESS_MARK";

/// How a process is started in place of [`Command::spawn`].
type Spawn = Box<dyn Fn(&mut Command) -> io::Result<Child> + Send + Sync>;

static SPAWN: OnceLock<Spawn> = OnceLock::new();

/// Starts every later process in this way, for instance in other namespaces.
/// Only the first call has an effect.
pub fn start_with(
    spawn: impl Fn(&mut Command) -> io::Result<Child> + Send + Sync + 'static,
) {
    SPAWN.get_or_init(|| Box::new(spawn));
}

/// On Linux it is also killed when the thread that started it ends, so that
/// thread has to live as long as the process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    mark: String,
    /// Holds it together with everything that it starts.
    group: Option<system::Group>,
    /// Set when it was waited for: from then on, another process may have its
    /// number.
    status: Option<ExitStatus>,
    /// What it prints on standard output, if that is a pipe.
    pub output: Arc<Output>,
    /// The same for standard error.
    pub errors: Arc<Output>,
}

/// The result of waiting for a port.
#[derive(Debug)]
pub enum Readiness {
    /// The server can be reached at this address; the connection is open.
    Connected(SocketAddr, TcpStream),
    /// The server has ended.
    Ended(ExitStatus),
    /// It still runs, but does not listen.
    Late,
}

/// Removes variables that would change what a server does, unless the command
/// sets them itself.
pub fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let matters = ["ZEN_", "RUST_", "LISTEN_"];
        if matters.iter().any(|start| text.starts_with(start))
            && !command.get_envs().any(|(set, _)| set == name)
        {
            command.env_remove(name);
        }
    }
}

/// The address in a listing's first line, in a form for clients to use.
pub fn listening_at(line: &str) -> Option<SocketAddr> {
    let address = line.strip_prefix("Listening at ")?;
    let mut address: SocketAddr = address.parse().ok()?;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    Some(address)
}

/// Runs a command to its end, and captures its output. Until then,
/// [`system::reset`] waits.
pub fn output(command: &mut Command) -> io::Result<std::process::Output> {
    let _starting = system::STARTING.read();
    command.output()
}

impl Process {
    /// Starts a server: without our environment, with no input, and with all
    /// output captured.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        Self::start_reading(command, usize::MAX)
    }

    /// As `start`, but hangs up after this many lines of standard output.
    pub fn start_reading(
        command: &mut Command,
        lines_max: usize,
    ) -> io::Result<Self> {
        clean_environment(command);
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::spawn_reading(command, lines_max)
    }

    /// Starts any command with the streams that it was given. Outputs that are
    /// pipes are captured.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        Self::spawn_reading(command, usize::MAX)
    }

    fn spawn_reading(
        command: &mut Command,
        lines_max: usize,
    ) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}.{number}", std::process::id());
        system::prepare(command.env(MARK, &mark));
        let starting = system::STARTING.read();
        let child = match SPAWN.get() {
            Some(start) => start(command),
            None => command.spawn(),
        };
        drop(starting);
        let child = child.map_err(|err| {
            let program = command.get_program().to_string_lossy();
            io::Error::new(err.kind(), format!("cannot start {program}: {err}"))
        })?;
        let mut process = Self {
            group: system::Group::of(&child),
            child,
            mark,
            status: None,
            output: Output::nothing(),
            errors: Output::nothing(),
        };
        // If no thread can be started for this, the process is killed.
        if let Some(output) = process.child.stdout.take() {
            process.output = Output::drain(output, lines_max)?;
        }
        if let Some(errors) = process.child.stderr.take() {
            process.errors = Output::drain(errors, usize::MAX)?;
        }
        Ok(process)
    }

    /// Its process number, which is also that of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The other end of its standard input, if that is a pipe; dropping it
    /// sends the end of file.
    pub fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits for a listing's first line, and returns the address in it. If the
    /// line has none, or does not come, the process is killed.
    pub fn address(&mut self, patience: Duration) -> io::Result<SocketAddr> {
        let line = self.output.first_line(patience).unwrap_or_default();
        listening_at(&line).ok_or_else(|| {
            let what = "it does not say where it listens";
            io::Error::other(format!("{what}: {line:?} {}", self.last_words()))
        })
    }

    /// Kills it, and returns what it has printed on standard error.
    pub fn last_words(&mut self) -> String {
        self.kill();
        self.errors.wait_for_end(Duration::from_secs(8)).ok();
        self.errors.lines().join("\n")
    }

    /// Connects repeatedly until a server listens on this port. The connection
    /// counts as a client: see [`dismiss`](Self::dismiss).
    pub fn wait_for_port(
        &mut self,
        port: u16,
        patience: Duration,
    ) -> io::Result<Readiness> {
        let ready = wait_for(patience, || {
            for host in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            {
                let address = SocketAddr::new(host, port);
                match system::connect(address, Duration::from_secs(1)) {
                    Ok(probe) => {
                        return Ok(Some(Readiness::Connected(address, probe)));
                    }
                    // Without IPv6, no address can be assigned.
                    Err(err) if host.is_ipv4() && system::is_own(&err) => {
                        return Err(err);
                    }
                    Err(_) => {}
                }
            }
            Ok(self.ended()?.map(Readiness::Ended))
        })?;
        Ok(ready.unwrap_or(Readiness::Late))
    }

    /// Closes the connection of the readiness probe, and waits until the server
    /// has closed it too and is at rest, for a limited time.
    pub fn dismiss(&self, probe: TcpStream) -> io::Result<()> {
        let deadline = Instant::now() + PROBE_TIME_MAX;
        probe.shutdown(Shutdown::Write).ok();
        probe.set_read_timeout(Some(PROBE_TIME_MAX))?;
        // A server closes when its client does: then there is nothing to read.
        let mut more = [0; 256];
        while Instant::now() < deadline
            && matches!((&probe).read(&mut more), Ok(1..))
        {}
        drop(probe);
        let is_busy = || {
            let states = proc::states(self.id()).unwrap_or_default();
            states.iter().any(|state| "RD".contains(*state))
        };
        while Instant::now() < deadline && is_busy() {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// How it has ended, if it has. Until [`kill`](Self::kill) it keeps its
    /// number, and the processes that it has started go on.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        match self.status {
            Some(status) => Ok(Some(status)),
            None => system::ended(&mut self.child),
        }
    }

    /// Waits until it has ended by itself; None if it still runs.
    pub fn wait(
        &mut self,
        patience: Duration,
    ) -> io::Result<Option<ExitStatus>> {
        self.wait_while(patience, |_| true)
    }

    /// The same, but only while `may_go_on` returns true for its process
    /// number. It is called every few milliseconds.
    pub fn wait_while(
        &mut self,
        patience: Duration,
        mut may_go_on: impl FnMut(u32) -> bool,
    ) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline || !may_go_on(self.id()) {
                return Ok(None);
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until it has ended by itself, or kills it after this time; returns
    /// its result.
    pub fn finish(mut self, patience: Duration) -> io::Result<Ended> {
        let status = self.wait(patience)?;
        if status.is_none() {
            self.kill();
        }
        self.output.wait_for_end(patience)?;
        self.errors.wait_for_end(patience)?;
        let (output, errors) = (self.output.lines(), self.errors.lines());
        Ok(Ended { status, output, errors })
    }

    /// Sends SIGTERM to its whole group, as Ctrl-C sends SIGINT, and waits for
    /// it. On a system without signals it is killed.
    pub fn stop(
        &mut self,
        patience: Duration,
    ) -> io::Result<Option<ExitStatus>> {
        if self.signal_group(system::SIGTERM).is_err() {
            self.child.kill().ok();
        }
        self.wait(patience)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        system::signal(self.id(), signal)
    }

    /// Sends a signal to it and to all processes of its group.
    pub fn signal_group(&self, signal: i32) -> io::Result<()> {
        system::signal_group(self.id(), signal)
    }

    /// Kills it with everything that it has started, and returns how it ended;
    /// None if that is unknown.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        self.output.resume();
        if self.status.is_none() {
            // An error means that no process is left, or that this system has
            // no signals.
            for one in proc::family(self.id()).unwrap_or_default() {
                system::signal(one, system::SIGKILL).ok();
            }
            self.signal_group(system::SIGKILL).ok();
            let mark = format!("{MARK}={}", self.mark);
            for stray in proc::with_variable(&mark).unwrap_or_default() {
                system::signal(stray, system::SIGKILL).ok();
            }
            self.child.kill().ok();
            self.status = self.child.wait().ok();
            system::reap_group(self.id());
            self.group = None;
        }
        self.status
    }
}

/// Kills what is left of all that this process has started, if it has adopted
/// that: see [`system::adopt_orphans`]. To be called when no `Process` is left.
pub fn kill_orphans() {
    // A process that is killed leaves its own children to us.
    for _ in 0..1000 {
        system::reap_all();
        let lineage = proc::lineage(std::process::id());
        let Some((_, orphans @ [_, ..])) = lineage.split_first() else { break };
        for &orphan in orphans {
            system::signal(orphan, system::SIGKILL).ok();
        }
        thread::sleep(LOOK_EVERY);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command that has run to its end.
#[derive(Debug)]
pub struct Ended {
    /// How it ended; None if it had to be killed.
    pub status: Option<ExitStatus>,
    /// The lines of its standard output.
    pub output: Vec<String>,
    /// The lines of its standard error.
    pub errors: Vec<String>,
}

impl Ended {
    /// Whether it ended by itself, with status 0.
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// Runs a command to its end, started as by [`Process::start`], for at most
/// this long.
pub fn run(command: &mut Command, patience: Duration) -> io::Result<Ended> {
    Process::start(command)?.finish(patience)
}

/// The same for a command whose output is needed. If it fails, or has to be
/// killed, what it has printed on standard error is the error.
pub fn output_of(
    command: &mut Command,
    patience: Duration,
) -> Result<String, String> {
    let ended = run(command, patience).map_err(|err| err.to_string())?;
    match ended.succeeded() {
        true => Ok(ended.output.join("\n")),
        false => Err(ended.errors.join("\n")),
    }
}

/// Calls `attempt` until it returns a value; None after this time. It looks
/// less often the longer it waits: on a busy machine each look waits for a
/// processor, and the time of thousands of looks would excuse any server.
pub fn wait_for<T, E>(
    patience: Duration,
    mut attempt: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let begun = Instant::now();
    loop {
        if let Some(found) = attempt()? {
            return Ok(Some(found));
        }
        let elapsed = begun.elapsed();
        let Some(left) = patience.checked_sub(elapsed) else {
            return Ok(None);
        };
        let pause = (elapsed / 16).clamp(LOOK_EVERY, LOOK_EVERY_MAX);
        thread::sleep(pause.min(left));
    }
}
