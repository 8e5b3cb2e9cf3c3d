//! One case's record of a program: the servers that it has started, what was
//! done to them, and how long everything had to wait.

use std::ops::Deref;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use zen_harness::proc::Turns;
use zen_harness::process::Output;
use zen_harness::system;

use crate::architecture::Architecture;
use crate::heard::Speech;
use crate::program::Program;
use crate::transcript::Transcript;
use crate::verdict::{Fault, Verdict};

/// A failure shows this many of the last lines of a log.
const LINES_SHOWN_MAX: usize = 30;

/// And this much of each: a server may print without end.
const CHARS_SHOWN_MAX: usize = 1000;

/// And this many of the things that were done to it.
const EVENTS_SHOWN_MAX: usize = 20;

/// A program, and what a case has done with it so far.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) program: Arc<Program>,
    /// When the case began: all its times count from then.
    pub(crate) begun: Instant,
    /// How its clients speak.
    pub(crate) speech: Arc<Speech>,
    runs: Mutex<Vec<Started>>,
    /// What was done to the servers, and when.
    events: Mutex<Transcript<String>>,
}

impl Deref for Subject {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

/// One process that was started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: u32,
    /// It was not waited for yet: its number is still its own.
    pub(crate) alive: bool,
    /// How it ended, if that was by itself.
    pub(crate) ended: Option<String>,
    /// How long its processes have computed, and how long they were ready and
    /// without a processor, as far as was looked.
    pub(crate) turns: Turns,
    pub(crate) log: Arc<Output>,
    pub(crate) errors: Arc<Output>,
}

impl Subject {
    pub(crate) fn new(program: &Arc<Program>) -> Self {
        let heard = program.known.heard.get().cloned();
        let speech = Speech::new(&program.dialect, program.patience(), heard);
        Self {
            program: Arc::clone(program),
            begun: speech.begun,
            speech: Arc::new(speech),
            runs: Mutex::default(),
            events: Mutex::new(Transcript::of(EVENTS_SHOWN_MAX)),
        }
    }

    fn events(&self) -> MutexGuard<'_, Transcript<String>> {
        self.events.lock().unwrap_or_else(|lock| lock.into_inner())
    }

    /// Remembers what is done to a server, for the transcript of a failure.
    pub(crate) fn note(&self, what: &str) {
        self.events().add(self.begun.elapsed(), what.into());
    }

    /// A client's transcript, and between its lines what was done to the
    /// server.
    pub(crate) fn transcript(&self, of_client: Vec<String>) -> Vec<String> {
        let time = |line: &String| {
            let seconds = line.trim_start().split(' ').next();
            seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(-1.0)
        };
        let mut lines = [self.events().lines(), of_client].concat();
        lines.sort_by(|a, b| f64::total_cmp(&time(a), &time(b)));
        lines
    }

    /// Whether it is required to be of such an architecture.
    pub(crate) fn is(&self, holds: fn(Architecture) -> bool) -> bool {
        self.architecture.is_some_and(holds)
    }

    /// A command line of this program, to be run to its end.
    pub(crate) fn command(&self, options: &[&str]) -> Verdict<Command> {
        self.command_line(&[], 0, options)
    }

    /// How many loops accept clients, each for itself.
    pub(crate) fn loops(&self) -> usize {
        self.architecture.map_or(1, Architecture::loops)
    }

    pub(crate) fn runs(&self) -> MutexGuard<'_, Vec<Started>> {
        self.runs.lock().unwrap_or_else(|lock| lock.into_inner())
    }

    /// Remembers how long a server has computed and waited for a processor.
    pub(crate) fn server_had(&self, process: u32, turns: Turns) {
        for run in self.runs().iter_mut() {
            if run.process == process {
                let Turns { cpu, delay } = run.turns;
                run.turns.cpu = cpu.max(turns.cpu);
                run.turns.delay = delay.max(turns.delay);
            }
        }
    }

    /// How long the case, which has waited for `case_waited`, and its servers
    /// have waited for a processor that others had. While a server computes, its
    /// other threads and the case wait for the server and not for the machine.
    pub(crate) fn waited(&self, case_waited: Duration) -> Duration {
        let runs = self.runs();
        let waited: Duration = runs.iter().map(|run| run.turns.delay).sum();
        let computed = runs.iter().map(|run| run.turns.cpu).sum();
        (case_waited + waited).saturating_sub(computed)
    }

    /// The processor time of a server that has computed where it should wait.
    pub(crate) fn spun(&self) -> Option<Duration> {
        const SPUN_MIN: Duration = Duration::from_secs(2);
        let most = self.runs().iter().map(|run| run.turns.cpu).max();
        most.filter(|&cpu| cpu >= SPUN_MIN)
    }

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

    /// How a server has ended without being told to.
    pub(crate) fn ended(&self) -> Option<String> {
        self.runs().iter().find_map(|run| run.ended.clone())
    }

    /// The last lines that the servers have printed, for a failure.
    pub(crate) fn log(&self) -> Vec<String> {
        let mut log = Vec::new();
        for run in self.runs().iter() {
            for output in [&run.log, &run.errors] {
                log.extend(output.last_lines(LINES_SHOWN_MAX, CHARS_SHOWN_MAX));
            }
        }
        log.split_off(log.len().saturating_sub(LINES_SHOWN_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Profile;

    #[test]
    fn a_server_that_spins_does_not_wait_for_the_machine() {
        let words = vec!["server".into()];
        let program = Program::command(words, Profile::Server, None);
        let subject = Subject::new(&Arc::new(program));
        let seconds = Duration::from_secs;
        let (log, errors) = (Arc::default(), Arc::default());
        subject.runs().push(Started {
            process: 1,
            alive: false,
            ended: None,
            turns: Turns { cpu: seconds(5), delay: seconds(6) },
            log,
            errors,
        });
        assert_eq!(subject.waited(seconds(2)), seconds(3));
    }
}
