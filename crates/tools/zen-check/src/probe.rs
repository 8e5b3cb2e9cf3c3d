//! What a program can do, found by trying once, and servers of it that have
//! what a case needs.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::contract::COMPLEX;
use crate::program::{Launch, no_process};
use crate::server::Server;
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict};

/// A server that serves this many silent clients at once is not asked about
/// more.
const AT_ONCE_MAX: usize = 64;

impl Subject {
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

    /// Adds silent clients until the next one is not answered. Other faults of
    /// the server do not matter here.
    fn count_at_once(&self) -> usize {
        let subject = Self::new(&self.program);
        let Ok(server) = subject.start(&[]) else { return 1 };
        let mut silent = Vec::new();
        while silent.len() < AT_ONCE_MAX {
            let mut client = match server.connect() {
                Ok(client) => client,
                // That is no limit of the server's.
                Err(Fault::Checker(_)) => return AT_ONCE_MAX,
                Err(_) => break,
            };
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
            Launch::Running(_) if !options.is_empty() => {
                return Err(no_process());
            }
            Launch::Listing(_) | Launch::Running(_) => return Ok(()),
            Launch::Command(_) => {}
        }
        for option in options.iter().step_by(2) {
            let (found, tried) = match *option {
                "--think" => (&self.known.thinks, "300"),
                "--idle-timeout" => (&self.known.drops_the_idle, "1"),
                option => {
                    return Err(Fault::skipped(format!(
                        "only the profile \"listing\" checks {option}"
                    )));
                }
            };
            if !found.get_or_init(|| self.tries([*option, tried])) {
                let variable = option[2..].replace('-', "_").to_uppercase();
                return Err(Fault::skipped(format!(
                    "it takes neither {option} nor ZEN_{variable} (see \
                    {{options}} in --help)"
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
        // A machine may delay one answer by as much, but hardly each of them.
        (0..4).all(|_| {
            let asked = Instant::now();
            client.send(COMPLEX).is_ok()
                && client.hears(patience)
                && asked.elapsed() >= Duration::from_millis(290)
        })
    }

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
}
