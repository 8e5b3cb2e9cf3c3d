//! A running server: how a case starts it, connects to it, sends it signals,
//! and ends it.

mod ended;
mod expect;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zen_harness::ports::free_port;
use zen_harness::proc::{self, Turns};
use zen_harness::process::{
    self as harness, Ended, Output, Process, Readiness, output,
};
use zen_harness::system;

use crate::client::{Client, connected, is_timeout};
use crate::process::{self, PATIENCE, wait_until};
use crate::program::{Launch, no_process};
use crate::subject::{Started, Subject};
use crate::verdict::{Fault, Verdict, ensure};

/// A client that reads nothing is sent more than this.
const SEND_BUFFER_MAX: u64 = 32 * 1024;

/// A server that can be connected to.
#[derive(Debug)]
pub(crate) struct Server<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) log: Arc<Output>,
    /// Where a client reaches it.
    pub(crate) address: SocketAddr,
    /// None if it was running already.
    child: Option<Process>,
    /// The process that listens: the one that was started, unless that one has
    /// started it, or has handed its listener over.
    listener: u32,
    /// It was told to end, by a signal.
    told: AtomicBool,
    /// It is stopped in its tracks.
    frozen: AtomicBool,
}

/// How a server is started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How<'a> {
    pub(crate) options: &'a [&'a str],
    /// These variables instead of an option `--port`.
    pub(crate) environment: Option<&'a [(String, String)]>,
    /// Another program that starts it, such as `unshare`.
    pub(crate) runner: &'a [&'a str],
    /// None for one of its own.
    pub(crate) port: Option<u16>,
    /// Whether all signals that it may need are blocked.
    pub(crate) blocked: bool,
    /// How many lines of its log are read; None for all.
    pub(crate) lines_max: Option<usize>,
}

impl<'a> Server<'a> {
    /// Starts it on a port of its own, with these options.
    pub(crate) fn start(
        subject: &'a Subject,
        options: &[&str],
    ) -> Verdict<Self> {
        let Launch::Running(address) = subject.launch else {
            return Self::start_as(subject, How { options, ..How::default() });
        };
        Ok(Self::new(subject, address, Arc::default(), None))
    }

    /// Starts a server of its own, and waits until a listing says where it
    /// listens, or until any other can be connected to.
    pub(crate) fn start_as(
        subject: &'a Subject,
        how: How<'_>,
    ) -> Verdict<Self> {
        let is_listing = subject.is_listing();
        let port = match how.port {
            None if is_listing => 0,
            None => free_port()?,
            Some(port) => port,
        };
        let number = port.to_string();
        let mut options = how.options.to_vec();
        if is_listing && how.environment.is_none() {
            options.splice(0..0, ["--port", &number]);
        }
        let mut command = subject.command_line(how.runner, port, &options)?;
        command.envs(how.environment.unwrap_or_default().iter().cloned());
        if how.blocked {
            system::block_signals(&mut command);
        }
        let lines_max = how.lines_max.unwrap_or(usize::MAX);
        let mut server = Self::begin(subject, command, lines_max)?;
        match is_listing {
            true => server.expect_listening()?,
            false => server.expect_connection(port)?,
        }
        Ok(server)
    }

    fn new(
        subject: &'a Subject,
        address: SocketAddr,
        log: Arc<Output>,
        child: Option<Process>,
    ) -> Self {
        let listener = child.as_ref().map_or(0, Process::id);
        let (told, frozen) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { subject, log, address, child, listener, told, frozen }
    }

    /// Waits until a listing says where it listens.
    pub(crate) fn expect_listening(&mut self) -> Verdict {
        let first = self.log.first_line(PATIENCE)?;
        match harness::listening_at(&first) {
            Some(address) => self.address = address,
            None => ensure!(false, "log/4: the first line is {first:?}"),
        }
        Ok(())
    }

    /// Waits until a client can connect to any command.
    fn expect_connection(&mut self, port: u16) -> Verdict {
        let time_max = self.subject.start_time_max;
        match self.child()?.wait_for_port(port, time_max)? {
            Readiness::Connected(address, probe) => {
                self.child()?.dismiss(probe)?;
                self.address = address;
                self.expect_in_the_foreground()?;
                self.listener = self.find_listener()?;
                Ok(())
            }
            Readiness::Ended(status) if status.success() => {
                Err(Fault::certain(
                    "it ended with exit status 0 before a client could \
                    connect; a server has to stay in the foreground",
                ))
            }
            Readiness::Ended(status) => {
                let when = "before a client could connect";
                Err(self.has_ended(status, when))
            }
            Readiness::Late => {
                let seconds = time_max.as_secs();
                let what =
                    format!("nothing listens at port {port} after {seconds} s");
                Err(Fault::late(time_max, what))
            }
        }
    }

    /// A command that has ended cannot be examined, whether or not its port is
    /// served.
    fn expect_in_the_foreground(&mut self) -> Verdict {
        let Some(status) = self.ended()? else { return Ok(()) };
        let ended = how_it_ended(status);
        if self.connect().is_ok() {
            return Err(Fault::server(format!(
                "it has put itself into the background: a process that it has \
                started serves the port, and the command itself {ended}; it \
                has to stay in the foreground"
            )));
        }
        let when = "when its first client had connected and left";
        Err(self.has_ended(status, when))
    }

    /// The first of its processes that has a listening socket.
    fn find_listener(&self) -> Verdict<u32> {
        let leader = self.process()?;
        // One process alone needs no look.
        if process::family(leader).is_ok_and(|family| family.len() < 2) {
            return Ok(leader);
        }
        let listeners = self.listeners().unwrap_or_default();
        Ok(listeners.first().copied().unwrap_or(leader))
    }

    /// Its processes that have the listening socket.
    pub(crate) fn listeners(&self) -> Verdict<Vec<u32>> {
        let mut family = process::family(self.process()?)?;
        family.retain(|&one| proc::listens(one, self.address.port()));
        Ok(family)
    }

    /// Checks whether another process listens by now. As long as the known one
    /// listens, it stays the one, even if others listen too.
    pub(crate) fn look_who_listens(&mut self) -> Verdict {
        let listeners = match self.listeners() {
            // Only the one that was started is known here.
            Err(Fault::Skipped(_)) if self.ended()?.is_none() => return Ok(()),
            listeners => listeners?,
        };
        if !listeners.contains(&self.listener) {
            self.listener = *listeners.first().unwrap_or(&self.listener);
        }
        Ok(())
    }

    pub(crate) fn begin(
        subject: &'a Subject,
        mut command: Command,
        lines_max: usize,
    ) -> Verdict<Self> {
        let child = Process::start_reading(&mut command, lines_max)?;
        let (log, errors) = (child.output.clone(), child.errors.clone());
        let process = child.id();
        subject.note("a server is started");
        let (alive, ended, turns) = (true, None, Turns::default());
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let server = Self::new(subject, address, Arc::clone(&log), Some(child));
        let run = Started { process, alive, ended, turns, log, errors };
        subject.runs().push(run);
        Ok(server)
    }

    /// The number of its first process, and of its group.
    pub(crate) fn process(&self) -> Verdict<u32> {
        self.child.as_ref().map(Process::id).ok_or_else(no_process)
    }

    fn child(&mut self) -> Verdict<&mut Process> {
        self.child.as_mut().ok_or_else(no_process)
    }

    /// A client of this server: it speaks as all clients of its case do.
    pub(crate) fn connect(&self) -> Verdict<Client> {
        Client::connect(self.address, &self.subject.speech)
    }

    fn over(&self, sock: io::Result<TcpStream>) -> Verdict<Client> {
        Client::over(connected(self.address, sock)?, &self.subject.speech)
    }

    /// A client of a server that is stopped, or None if no more clients can
    /// wait there.
    pub(crate) fn queue_up(&self) -> Verdict<Option<Client>> {
        let patience = Duration::from_millis(300);
        match system::connect(self.address, patience) {
            Err(err) if is_timeout(err.kind()) => Ok(None),
            sock => self.over(sock).map(Some),
        }
    }

    /// A client whose connection holds few bytes in each direction.
    pub(crate) fn connect_narrow(&self) -> Verdict<Client> {
        let kept = system::send_buffer().unwrap_or_default();
        if kept > SEND_BUFFER_MAX {
            return Err(Fault::skipped(format!(
                "no answer can be made to wait here: each socket takes {kept} \
                bytes (net.ipv4.tcp_wmem)"
            )));
        }
        self.over(system::connect_narrow(self.address))
    }

    /// A client with this address.
    pub(crate) fn connect_from(&self, from: IpAddr) -> Verdict<Client> {
        self.over(system::connect_from(from, self.address))
    }

    pub(crate) fn listener(&self) -> u32 {
        self.listener
    }

    /// Stops only the process that listens, or lets it go on.
    pub(crate) fn stop_listener(&self, signal: i32) -> Verdict {
        self.process()?;
        self.note_told(signal, "'s process that listens");
        system::signal(self.listener, signal)?;
        wait_until("stopped, or gone on", PATIENCE, || {
            let is_stopped = process::is_stopped(self.listener);
            Ok(is_stopped == (signal == system::SIGSTOP))
        })
    }

    pub(crate) fn signal(&self, signal: i32) -> Verdict {
        self.process()?;
        self.note_told(signal, "");
        self.send_to(self.listener, signal)
    }

    /// While a process is stopped, a signal to it waits for the thread that runs
    /// first when it goes on. In a running process the first thread gets it, if
    /// it takes it: so that is arranged here too.
    fn send_to(&self, process: u32, signal: i32) -> Verdict {
        let sent = match self.is_frozen() {
            true => system::signal_first_thread(process, signal),
            false => system::signal(process, signal),
        };
        match sent {
            Err(_) if process::has_ended(process) => {
                let name = system::signal_name(signal);
                Err(Fault::server(format!(
                    "its process that listens has ended before it gets {name}"
                )))
            }
            sent => Ok(sent?),
        }
    }

    /// A server that was told to end has not ended by itself.
    fn note_told(&self, signal: i32, part: &str) {
        let name = system::signal_name(signal);
        self.subject.note(&format!("the server{part} gets {name}"));
        if [system::SIGTERM, system::SIGINT].contains(&signal) {
            self.told.store(true, Ordering::Relaxed);
        }
    }

    /// As Ctrl-C does: to the server and to all that it has started.
    pub(crate) fn signal_all(&self, signal: i32) -> Verdict {
        self.note_told(signal, " and its group");
        if self.is_frozen() {
            let family = process::family(self.process()?)?;
            return family
                .into_iter()
                .try_for_each(|one| self.send_to(one, signal));
        }
        Ok(system::signal_group(self.process()?, signal)?)
    }

    /// Stops it in its tracks, until SIGCONT.
    pub(crate) fn freeze(&self) -> Verdict {
        self.subject.note("the server is stopped by SIGSTOP");
        system::signal_group(self.process()?, system::SIGSTOP)?;
        self.frozen.store(true, Ordering::Relaxed);
        wait_until("stopped by SIGSTOP", PATIENCE, || {
            Ok(process::is_all_stopped(self.process()?)?)
        })
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Relaxed)
    }

    pub(crate) fn thaw(&self) -> Verdict {
        self.frozen.store(false, Ordering::Relaxed);
        self.subject.note("the server goes on");
        Ok(system::signal_group(self.process()?, system::SIGCONT)?)
    }

    /// Whether it has printed anything on standard error so far.
    pub(crate) fn has_complained(&self) -> bool {
        let errors = self.child.as_ref().map(|child| child.errors.lines());
        errors.is_some_and(|lines| !lines.is_empty())
    }

    /// What it has printed on standard error. That was expected, so it does not
    /// fail the case.
    pub(crate) fn take_errors(&mut self) -> Verdict<Vec<String>> {
        let process = self.process()?;
        for run in self.subject.runs().iter_mut() {
            if run.process == process {
                run.errors = Arc::default();
            }
        }
        let errors = &self.child()?.errors;
        errors.wait_for_end(PATIENCE)?;
        Ok(errors.lines())
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Verdict<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => Ok(child.ended()?),
            None => Ok(None),
        }
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self, patience: Duration) -> Verdict<ExitStatus> {
        let subject = self.subject;
        let status = self.child()?.wait_while(patience, |process| {
            subject.server_had(process, process::turns_of([process]));
            true
        })?;
        status.ok_or_else(|| {
            Fault::server(format!(
                "it does not end: it still runs after {} s",
                patience.as_secs()
            ))
        })
    }

    /// Kills it, and waits until the kernel has freed its port: operations of an
    /// io_uring are cancelled a little later.
    pub(crate) fn kill_and_free_the_port(&mut self) -> Verdict {
        self.kill();
        wait_until("rid of the port of a killed server", PATIENCE, || {
            Ok(proc::is_free(self.address.port()))
        })
    }

    /// Kills it with all that it has started.
    pub(crate) fn kill(&mut self) {
        let Ok(process) = self.process() else { return };
        let family = process::family(process).unwrap_or_default();
        self.subject.server_had(process, process::turns_of(family));
        let status = self.child.as_mut().and_then(|child| {
            let before = child.ended().ok().flatten();
            let after = child.kill();
            // On Windows, what we kill ends with an exit status, as if by
            // itself.
            if cfg!(windows) { before } else { after }
        });
        // One that was ending already has ended as it would have.
        let ended = status.filter(|status| {
            !self.told.load(Ordering::Relaxed)
                && system::ended_by(*status) != Some(system::SIGKILL)
        });
        self.told.store(true, Ordering::Relaxed);
        for run in self.subject.runs().iter_mut() {
            if run.process == process {
                run.alive = false;
                run.ended = run.ended.take().or(ended.map(how_it_ended));
            }
        }
    }
}

/// Expects that this command runs here, which runs another one: namespaces
/// cannot be had everywhere.
pub(crate) fn expect_namespaces(runner: &[&str]) -> Verdict {
    let mut trial = Command::new(runner[0]);
    let trial = output(trial.args(&runner[1..]).arg("true"));
    match trial.is_ok_and(|output| output.status.success()) {
        true => Ok(()),
        false => Err(Fault::skipped("no namespaces can be had here")),
    }
}

/// Expects that a program has ended by itself, with this exit status.
pub(crate) fn expect_status(status: ExitStatus, code: i32) -> Verdict {
    let ended = how_it_ended(status);
    ensure!(
        status.code() == Some(code),
        "it should end with exit status {code}: it {ended}"
    );
    Ok(())
}

/// What an exit status says, such as `was ended by signal 13 (SIGPIPE)`.
pub(crate) fn how_it_ended(status: ExitStatus) -> String {
    match (status.code(), system::ended_by(status)) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (_, Some(signal)) => {
            let name = system::signal_name(signal);
            format!("was ended by signal {signal} ({name})")
        }
        _ => status.to_string(),
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command that has run to its end, and how it has ended.
pub(crate) fn run_to_its_end(
    mut command: Command,
) -> Verdict<(ExitStatus, Ended)> {
    let ended = harness::run(&mut command, PATIENCE)?;
    let Ended { status, output, errors } = &ended;
    let status = status.ok_or_else(|| {
        Fault::server(format!(
            "did not end by itself; printed {output:?} and {errors:?}"
        ))
    })?;
    Ok((status, ended))
}
