//! A server that ends when it should not: whether a client is behind it.

use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use zen_harness::ports::free_port;
use zen_harness::{proc, strace, system};

use super::{Server, how_it_ended};
use crate::outcome::Failure;
use crate::process::PATIENCE;
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict};

/// A server that is up for this long without a client stays up.
const ALONE_TIME: Duration = Duration::from_millis(800);

/// How often it is looked whether it listens: it may end soon after that.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// What a server does without any client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alone {
    EndsEarly,
    EndsBeforeItListens,
    EndsWhileItListens,
    StaysUp,
}

impl Server<'_> {
    /// Why the server could not be examined: it has ended, `when` its client
    /// did something, unless it does so by itself.
    pub(super) fn has_ended(
        &mut self,
        status: ExitStatus,
        when: &str,
    ) -> Fault {
        match self.ends_alone(status) {
            Some(fault) => fault,
            None => self.ended_when(status, &format!(" {when}")),
        }
    }

    /// The same for one that ends by itself; None for any other.
    pub(crate) fn ends_alone(&mut self, status: ExitStatus) -> Option<Fault> {
        let when = match self.alone().unwrap_or(Alone::StaysUp) {
            Alone::EndsEarly => " before a client could connect",
            Alone::EndsBeforeItListens => " before it listened at its port",
            Alone::EndsWhileItListens => {
                " just after it had begun to listen, without any client"
            }
            Alone::StaysUp => return None,
        };
        Some(self.ended_when(status, when))
    }

    fn ended_when(&mut self, status: ExitStatus, when: &str) -> Fault {
        if let Some(child) = &self.child {
            // A process that it has started may hold its output open.
            child.errors.wait_for_end(Duration::from_millis(300)).ok();
        }
        let log = self.subject.log();
        let last = log.iter().rev().find(|line| !line.trim().is_empty());
        let last = last.map_or_else(String::new, |line| {
            format!("; the last line that it printed: {line}")
        });
        let ended = how_it_ended(status);
        Fault::Server(Box::new(Failure {
            what: format!("it {ended}{when}{last}"),
            certain: true,
            starved: system::ended_by(status) == Some(system::SIGKILL),
            ..Failure::default()
        }))
    }

    /// Whether it listens before it ends, if that can be traced: the time may
    /// be too short to be seen.
    fn calls_listen(&self) -> Verdict<Option<bool>> {
        if strace::version().is_err() {
            return Ok(None);
        }
        let subject = Subject::new(&self.subject.program);
        let runner = ["strace", "-c", "-f", "-e", "trace=listen", "--"];
        let command = subject.command_line(&runner, free_port()?, &[])?;
        let mut server = Server::begin(&subject, command, usize::MAX)?;
        server.wait(subject.start_time_max)?;
        let errors = &server.child()?.errors;
        errors.wait_for_end(PATIENCE)?;
        let counts = strace::counts(&errors.text()).unwrap_or_default();
        Ok(Some(counts.contains_key("listen")))
    }

    /// Starts the same command again, and sends it no client.
    fn alone(&self) -> Verdict<Alone> {
        // What this one prints is not of interest.
        let subject = Subject::new(&self.subject.program);
        let port = free_port()?;
        let command = subject.command_line(&[], port, &[])?;
        let mut server = Server::begin(&subject, command, usize::MAX)?;
        let mut deadline = Instant::now() + subject.start_time_max;
        let mut listened = false;
        while Instant::now() < deadline {
            if !listened && !proc::is_free(port) {
                (listened, deadline) = (true, Instant::now() + ALONE_TIME);
            }
            if server.ended()?.is_some() {
                let traced = || self.calls_listen().unwrap_or(None);
                let listened = listened.then_some(true).or_else(traced);
                return Ok(match listened {
                    Some(true) => Alone::EndsWhileItListens,
                    Some(false) => Alone::EndsBeforeItListens,
                    None => Alone::EndsEarly,
                });
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(Alone::StaysUp)
    }
}
