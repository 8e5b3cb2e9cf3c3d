//! Puts a script to a server.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::busy::Busy;
use super::{Act, Bound, ClientAct, Part, Script, ServerAct, Step, Times};
use crate::case::Text;
use crate::client::Client;
use crate::process::{self, PATIENCE, wait_until};
use crate::server::{Server, how_it_ended};
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, ensure, ensure_in_time};

/// The running case.
struct Play<'a> {
    subject: &'a Subject,
    server: Server<'a>,
    clients: BTreeMap<&'a str, Actor>,
    /// Only there to be there.
    silent: Vec<Client>,
    busy: Busy,
    /// What clients did: who, when, and the line.
    done: Vec<(&'a str, Duration, &'a str)>,
}

struct Actor {
    client: Client,
    /// When it last began to send something, or to connect: never later than
    /// when the server saw it.
    sent: Instant,
}

impl Text for Script {
    /// Does line after line.
    fn play(&self, subject: &Subject) -> Verdict {
        let options: Vec<_> = self.options.iter().map(String::as_str).collect();
        let mut play = Play {
            subject,
            server: Server::start(subject, &options)?,
            clients: BTreeMap::new(),
            silent: Vec::new(),
            busy: Busy::default(),
            done: Vec::new(),
        };
        let result = self.steps.iter().try_for_each(|step| play.step(step));
        let result = result.and(play.busy.end());
        result.map_err(|fault| self.explained(fault))
    }
}

impl Script {
    fn explained(&self, fault: Fault) -> Fault {
        match (fault, &self.means) {
            (Fault::Server(mut failure), Some(means)) => {
                let seen = failure.means.unwrap_or_default();
                failure.means = Some(format!("{means} {seen}").trim().into());
                Fault::Server(failure)
            }
            (fault, _) => fault,
        }
    }
}

impl<'a> Play<'a> {
    fn step(&mut self, step: &'a Step) -> Verdict {
        let time = self.subject.begun.elapsed();
        let result = match &step.act {
            Act::Client(name, act) => {
                self.done.push((name, time, &step.line));
                self.client_does(name, act)
            }
            Act::Silent(number) => self.some_are_silent(*number),
            Act::Busy(number) => self.some_are_busy(*number),
            Act::Wait(time) => {
                thread::sleep(*time);
                Ok(())
            }
            Act::Server(act) => self.server_does(act),
        };
        result.map_err(|fault| self.told(step, fault))
    }

    /// Adds to a client's own transcript what the others did.
    fn told(&self, step: &Step, fault: Fault) -> Fault {
        let Fault::Server(mut failure) = fault else { return fault };
        let failing = match &step.act {
            Act::Client(name, _) => name.as_str(),
            _ => "",
        };
        if self.clients.len() > 1 && !failing.is_empty() {
            failure.what = format!("client {failing}: {}", failure.what);
        }
        for (name, time, line) in &self.done {
            if *name != failing {
                let time = time.as_secs_f64();
                failure.transcript.push(format!("{time:7.3} s  {line}"));
            }
        }
        Fault::Server(failure)
    }

    fn some_are_silent(&mut self, number: usize) -> Verdict {
        self.subject.note(&format!("{number} silent clients connect"));
        for _ in 0..number {
            self.silent.push(self.server.connect()?);
        }
        Ok(())
    }

    fn some_are_busy(&mut self, number: usize) -> Verdict {
        let subject = self.subject;
        subject.note(&format!("{number} clients come, ask, and leave"));
        self.busy.add(number, self.server.address, subject)
    }

    fn connect(&mut self, name: &'a str, from: Option<IpAddr>) -> Verdict {
        let address = self.server.address;
        let sent = Instant::now();
        let client = match from {
            None => self.server.connect()?,
            Some(from) => Client::connect_from(from, address)?.of(self.subject),
        };
        let actor = Actor { client, sent };
        self.clients.insert(name, actor);
        Ok(())
    }

    fn client_does(&mut self, name: &'a str, act: &'a ClientAct) -> Verdict {
        if let ClientAct::Connect(from) = act {
            return self.connect(name, *from);
        }
        if !self.clients.contains_key(name) {
            self.connect(name, None)?;
        }
        if matches!(act, ClientAct::Close | ClientAct::Reset) {
            let Some(actor) = self.clients.remove(name) else { return Ok(()) };
            return match act {
                ClientAct::Reset => actor.client.reset(),
                _ => Ok(()),
            };
        }
        match self.clients.get_mut(name) {
            Some(actor) => actor.does(act),
            None => Ok(()),
        }
    }

    fn server_does(&mut self, act: &ServerAct) -> Verdict {
        match act {
            ServerAct::Freeze => self.server.freeze(),
            ServerAct::Thaw => self.server.thaw(),
            ServerAct::Signal(signal) => {
                self.server.look_who_listens()?;
                self.server.signal(*signal)
            }
            ServerAct::ExpectExit(expected, times) => {
                let since = Instant::now();
                let status = self.server.wait(PATIENCE)?;
                ensure!(
                    status.code() == Some(*expected),
                    "not exit status {expected}: it {}",
                    how_it_ended(status)
                );
                times.check(since, since)
            }
            ServerAct::ExpectLog(text, lines) => self.expect_log(text, *lines),
            ServerAct::ExpectParts(bound, number, part) => {
                self.expect_parts(*bound, *number, *part)
            }
            ServerAct::Rest(time) => {
                process::stays_asleep(self.server.process()?, *time)
            }
        }
    }

    fn expect_log(&self, text: &str, number: usize) -> Verdict {
        let what = match number {
            1 => format!("seen to print {text:?}"),
            _ => format!("seen to print {text:?} in {number} lines"),
        };
        wait_until(&what, PATIENCE, || {
            let runs = self.subject.runs();
            let lines = runs
                .iter()
                .flat_map(|run| [run.log.lines(), run.errors.lines()])
                .flatten();
            let lines = lines.filter(|line| line.contains(text));
            Ok(lines.count() >= number)
        })
    }

    fn expect_parts(&self, bound: Bound, number: usize, part: Part) -> Verdict {
        let process = self.server.process()?;
        let holds = |count: usize| match bound {
            Bound::Exactly => count == number,
            Bound::AtMost => count <= number,
            Bound::AtLeast => count >= number,
        };
        let count = |parts: process::Parts| -> Verdict<usize> {
            Ok(match part {
                Part::Threads => parts.threads,
                Part::Processes => parts.processes,
                Part::Zombies => parts.zombies,
                Part::Descriptors => parts.descriptors,
                Part::Listeners => self.server.listeners()?.len(),
            })
        };
        let what = format!("{part:?}").to_lowercase();
        // It may be on its way there; but what is to be few must stay so.
        let mut last = 0;
        let came = wait_until(&what, PATIENCE, || {
            last = count(process::parts(process)?)?;
            if !holds(last) {
                // Who looks without pause is starved himself when it is busy.
                thread::sleep(Duration::from_millis(20));
            }
            Ok(holds(last))
        });
        if came.is_ok() {
            last = count(process::parts_at_rest(process)?)?;
        }
        let bound = match bound {
            Bound::Exactly => "",
            Bound::AtMost => "at most ",
            Bound::AtLeast => "at least ",
        };
        ensure!(
            came.is_ok() && holds(last),
            "it has {last} {what}, and not {bound}{number}"
        );
        Ok(())
    }
}

impl Actor {
    fn does(&mut self, act: &ClientAct) -> Verdict {
        let (client, begun) = (&mut self.client, Instant::now());
        let sent = self.sent;
        match act {
            ClientAct::Send(bytes) => {
                client.send(bytes)?;
                self.sent = begun;
                Ok(())
            }
            ClientAct::Expect(bytes, times) => {
                client.expect(bytes)?;
                times.check(sent, begun)
            }
            ClientAct::ExpectEnd(times) => {
                client.expect_eof()?;
                times.check(sent, begun)
            }
            ClientAct::ExpectNothing(time) => client.expect_silence(*time),
            ClientAct::Ask(times) => {
                client.asks()?;
                times.check(begun, begun)?;
                self.sent = begun;
                Ok(())
            }
            ClientAct::Flood(bytes, most) => {
                client.send_until_stalled(bytes, *most)?;
                self.sent = begun;
                Ok(())
            }
            ClientAct::Finish => client.stop_sending().map(|_| ()),
            ClientAct::Leave => client.leave(),
            // These need no connection, or end it.
            ClientAct::Connect(_) | ClientAct::Close | ClientAct::Reset => {
                Ok(())
            }
        }
    }
}

impl Times {
    /// Looks whether now is the time: after what began at `sent`, and within
    /// what began at `begun`.
    fn check(self, sent: Instant, begun: Instant) -> Verdict {
        if let Some(after) = self.after {
            let time = sent.elapsed();
            ensure!(
                time >= after,
                "this came {time:.0?} after the client had sent, and not after \
                {after:?}"
            );
        }
        if let Some(within) = self.within {
            let time = begun.elapsed();
            ensure_in_time!(
                time,
                within,
                "this came after {time:.0?}, and not within {within:?}"
            );
        }
        Ok(())
    }
}
