//! The program as one case sees it, and every process of it that the case has
//! started.

use std::ops::Deref;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use zen_harness::process::Output;
use zen_harness::system;

use crate::architecture::Architecture;
use crate::conversation::{COMPLEX, Client};
use crate::program::{Launch, Program, no_process};
use crate::server::Server;
use crate::verdict::{Fault, Verdict};

/// A failure shows so many of the last lines of a log.
const LINES_SHOWN_MAX: usize = 30;

/// And so many things that were done to it.
const EVENTS_SHOWN_MAX: usize = 20;

/// Whoever serves so many silent clients at once is not asked about more.
const AT_ONCE_MAX: usize = 64;

/// What a case is put to.
#[derive(Debug)]
pub(crate) struct Subject {
    program: Arc<Program>,
    /// When the case began: all its times count from then.
    pub(crate) begun: Instant,
    runs: Mutex<Vec<Run>>,
    /// What was done to the servers, and when.
    events: Mutex<Vec<String>>,
    /// How long the case itself was without a processor; set at its end.
    case_waited: OnceLock<Duration>,
}

impl Deref for Subject {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

/// One process that was started.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) process: u32,
    /// Nobody has waited for it yet: its number is still its own.
    pub(crate) alive: bool,
    /// How it ended, if that was by itself.
    pub(crate) ended: Option<String>,
    /// How long its processes were ready and without a processor, as far as
    /// was looked.
    pub(crate) waited: Duration,
    pub(crate) log: Arc<Output>,
    pub(crate) errors: Arc<Output>,
}

impl Subject {
    pub(crate) fn new(program: &Arc<Program>) -> Self {
        Self {
            program: Arc::clone(program),
            begun: Instant::now(),
            runs: Mutex::default(),
            events: Mutex::default(),
            case_waited: OnceLock::new(),
        }
    }

    fn events(&self) -> MutexGuard<'_, Vec<String>> {
        self.events.lock().unwrap_or_else(|lock| lock.into_inner())
    }

    /// Remembers what is done to a server, for the transcript of a failure.
    pub(crate) fn note(&self, what: &str) {
        let time = self.begun.elapsed().as_secs_f64();
        let mut events = self.events();
        if events.len() == EVENTS_SHOWN_MAX {
            events.remove(EVENTS_SHOWN_MAX / 2);
        }
        events.push(format!("{time:7.3} s  {what}"));
    }

    /// A client's transcript, and between its lines what was done to the
    /// server.
    pub(crate) fn transcript(&self, of_client: Vec<String>) -> Vec<String> {
        let time = |line: &String| {
            let seconds = line.trim_start().split(' ').next();
            seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(-1.0)
        };
        let mut lines = [self.events().clone(), of_client].concat();
        lines.sort_by(|a, b| f64::total_cmp(&time(a), &time(b)));
        lines
    }

    /// Whether it is required to be of such an architecture.
    pub(crate) fn is(&self, holds: fn(Architecture) -> bool) -> bool {
        self.architecture.is_some_and(holds)
    }

    /// At most `n`, but not more clients than it serves at once: of its
    /// architecture, or as it was found to do.
    pub(crate) fn at_once(&self, n: usize) -> usize {
        let most = match self.architecture {
            Some(architecture) => architecture.clients_at_once(),
            None => self.served_at_once(),
        };
        most.unwrap_or(n).min(n)
    }

    /// How many silent clients it was found to serve at once, if there is a
    /// limit.
    pub(crate) fn served_at_once(&self) -> Option<usize> {
        let most = self.known.at_once.get_or_init(|| self.count_at_once());
        Some(*most).filter(|&most| most < AT_ONCE_MAX)
    }

    /// Silent clients are added until the next one is not answered. Whatever
    /// else may be wrong with the server is not looked at here.
    fn count_at_once(&self) -> usize {
        let subject = Self::new(&self.program);
        let Ok(server) = subject.start(&[]) else { return 1 };
        let mut silent = Vec::new();
        while silent.len() < AT_ONCE_MAX {
            let Ok(mut client) = server.connect() else { break };
            let patience = Duration::from_millis(1000);
            if client.send(COMPLEX).is_err() {
                break;
            }
            if !client.hears(patience) && !server.is_slow(&mut client) {
                break;
            }
            silent.push(client);
        }
        silent.len().max(1)
    }

    /// Leaves the case out if it needs an option that the server does not
    /// take.
    fn takes(&self, options: &[&str]) -> Verdict {
        match self.launch {
            Launch::Listing(_) => return Ok(()),
            Launch::Running(_) if options.is_empty() => return Ok(()),
            Launch::Running(_) => return Err(no_process()),
            Launch::Command(_) => {}
        }
        for option in options.iter().step_by(2) {
            let (found, tried) = match *option {
                "--think" => (&self.known.thinks, ["--think", "300"]),
                "--idle-timeout" => {
                    (&self.known.drops_the_idle, ["--idle-timeout", "1"])
                }
                option => {
                    let reason = format!(
                        "whether it takes {option} is asked \
                        by the profile \"listing\" only"
                    );
                    return Err(Fault::Skipped(reason));
                }
            };
            let takes = *found.get_or_init(|| self.tries(tried));
            if !takes {
                let variable = option[2..].replace('-', "_").to_uppercase();
                return Err(Fault::Skipped(format!(
                    "it takes neither {option} nor ZEN_{variable}"
                )));
            }
        }
        Ok(())
    }

    /// Whether it starts with such an option, if its command line says that
    /// it takes them; else, whether the variable does anything.
    fn tries(&self, option: [&str; 2]) -> bool {
        let subject = Self::new(&self.program);
        let Ok(server) = Server::start(&subject, &option) else {
            return false;
        };
        if self.has_place_for_options() {
            return true;
        }
        let Ok(mut client) = server.connect() else { return false };
        let patience = Duration::from_secs(3);
        if option[0] == "--idle-timeout" {
            return client.rest(patience).is_ok();
        }
        // The first answer may be slow because something is being started.
        let mut answer_time = || {
            let asked = Instant::now();
            client.send(COMPLEX).ok()?;
            client.hears(patience).then(|| asked.elapsed())
        };
        let times = [answer_time(), answer_time()];
        times[1].is_some_and(|time| time >= Duration::from_millis(290))
    }

    /// A command line of this program, to be run to its end.
    pub(crate) fn command(&self, options: &[&str]) -> Verdict<Command> {
        self.command_line(&[], 0, options)
    }

    /// Starts a server with these options, on a port of its own.
    pub(crate) fn start(&self, options: &[&str]) -> Verdict<Server<'_>> {
        self.takes(options)?;
        Server::start(self, options)
    }

    /// The same, and connects a client to it.
    pub(crate) fn start_for_one(
        &self,
        options: &[&str],
    ) -> Verdict<(Server<'_>, Client)> {
        let server = self.start(options)?;
        let client = server.connect()?;
        Ok((server, client))
    }

    pub(crate) fn runs(&self) -> MutexGuard<'_, Vec<Run>> {
        self.runs.lock().unwrap_or_else(|lock| lock.into_inner())
    }

    pub(crate) fn case_has_waited(&self, time: Duration) {
        self.case_waited.set(time).ok();
    }

    /// How long the case itself has waited for one.
    pub(crate) fn case_waited(&self) -> Duration {
        self.case_waited.get().copied().unwrap_or_default()
    }

    /// Remembers how long a server has waited for a processor.
    pub(crate) fn server_has_waited(&self, process: u32, time: Duration) {
        for run in self.runs().iter_mut() {
            if run.process == process {
                run.waited = run.waited.max(time);
            }
        }
    }

    /// How long the case and its servers have waited for a processor.
    pub(crate) fn waited(&self) -> Duration {
        self.case_waited()
            + self.runs().iter().map(|run| run.waited).sum::<Duration>()
    }

    /// Kills what a case that hangs has started.
    pub(crate) fn kill_all(&self) {
        for run in self.runs().iter().filter(|run| run.alive) {
            system::signal_group(run.process, system::SIGKILL).ok();
        }
    }

    /// A listing that listens prints nothing on standard error, whatever
    /// happens to it.
    pub(crate) fn was_quiet(&self) -> Verdict {
        let runs = self.runs();
        match runs.iter().flat_map(|run| run.errors.lines()).next() {
            Some(line) if self.is_listing() => Err(Fault::server(format!(
                "process/5: printed on standard error: {line}"
            ))),
            _ => Ok(()),
        }
    }

    /// How servers have ended that nobody has told to.
    pub(crate) fn ended(&self) -> Option<String> {
        self.runs().iter().find_map(|run| run.ended.clone())
    }

    /// The last lines that the servers have printed, for a failure.
    pub(crate) fn log(&self) -> Vec<String> {
        let mut log = Vec::new();
        for run in self.runs().iter() {
            log.extend(run.log.lines());
            log.extend(run.errors.lines());
        }
        log.split_off(log.len().saturating_sub(LINES_SHOWN_MAX))
    }
}
