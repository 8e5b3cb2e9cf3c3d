//! A case that is text, while it runs.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::actor::{Actor, checker};
use super::words::Args;
use zen_harness::process::Ended;

use crate::client::Client;
use crate::process::{self, PATIENCE, wait_until};
use crate::server::Server;
use crate::subject::Subject;
use crate::transcript::in_line;
use crate::verdict::{Fault, Verdict, ensure};

/// How long a busy client stays away: so they do not use up the ports of this
/// machine, of which the kernel keeps each back for a minute.
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Step {
    pub(super) line: String,
    pub(super) act: Act,
    pub(super) args: Args,
}

pub(super) type ServerAct = fn(&mut Play<'_>, &Args) -> Verdict;
pub(super) type ClientAct = fn(&mut Actor, &Server<'_>, &Args) -> Verdict;

#[derive(Debug)]
pub(super) enum Act {
    Client(Who, ClientAct),
    Server(ServerAct),
}

/// A client, or several of the same name: `a`, `a[20]`, `a[19+1]`.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) name: String,
    /// How many there are; None for the one of a plain name.
    pub(super) number: Option<usize>,
    /// How many more the server must have room for.
    pub(super) room: usize,
    /// There are no more than the server serves at once.
    pub(super) limited: bool,
}

/// The running case, or a part of it.
pub(super) struct Play<'a> {
    subject: &'a Subject,
    /// None if the program has run to its end.
    server: Option<Server<'a>>,
    pub(super) ended: Option<(ExitStatus, Ended)>,
    clients: BTreeMap<&'a str, Vec<Actor>>,
    /// Only there to be there.
    silent: Vec<Client>,
    busy: Vec<JoinHandle<Verdict>>,
    /// Tells the busy clients to end.
    enough: Arc<AtomicBool>,
    /// When the server last got a signal.
    pub(super) told: Instant,
    /// What clients did: who, when, and the line.
    done: Vec<(&'a str, Duration, &'a str)>,
}

impl<'a> Play<'a> {
    pub(super) fn new(
        subject: &'a Subject,
        server: Option<Server<'a>>,
        ended: Option<(ExitStatus, Ended)>,
    ) -> Self {
        Self {
            subject,
            server,
            ended,
            clients: BTreeMap::new(),
            silent: Vec::new(),
            busy: Vec::new(),
            enough: Arc::default(),
            told: Instant::now(),
            done: Vec::new(),
        }
    }

    pub(super) fn all(mut self, steps: &'a [Step]) -> Verdict {
        let result = steps.iter().try_for_each(|step| self.step(step));
        result.and(self.end_of_the_busy())
    }

    /// Clients that are there when the case begins.
    pub(super) fn with(mut self, name: &'a str, clients: Vec<Client>) -> Self {
        let actors = clients.into_iter().map(Actor::of).collect();
        self.clients.insert(name, actors);
        self
    }

    fn step(&mut self, step: &'a Step) -> Verdict {
        match &step.act {
            Act::Client(who, act) => {
                let time = self.subject.begun.elapsed();
                self.done.push((&who.name, time, &step.line));
                let result = self.client_does(who, *act, &step.args);
                result.map_err(|fault| self.told(&who.name, fault))
            }
            Act::Server(act) => {
                let result = act(self, &step.args);
                result.map_err(|fault| self.told("", fault))
            }
        }
    }

    /// Adds to a client's own transcript what the others did.
    fn told(&self, failing: &str, fault: Fault) -> Fault {
        let Fault::Server(mut failure) = fault else { return fault };
        if self.clients.len() > 1 && !failing.is_empty() {
            failure.what = format!("client {failing}: {}", failure.what);
        }
        for (name, time, line) in &self.done {
            if *name != failing {
                failure.transcript.push(in_line(*time, line));
            }
        }
        Fault::Server(failure)
    }

    pub(super) fn server(&mut self) -> Verdict<&mut Server<'a>> {
        self.server.as_mut().ok_or_else(|| checker("it has no server"))
    }

    fn client_does(
        &mut self,
        who: &'a Who,
        act: ClientAct,
        args: &Args,
    ) -> Verdict {
        let known = self.clients.contains_key(&*who.name);
        let number = if known { 0 } else { self.number_of(who) };
        let Self { server: Some(server), clients, .. } = self else {
            return Err(checker("there is no server to connect to"));
        };
        let some = clients.entry(&who.name).or_default();
        some.extend((0..number).map(|_| Actor::default()));
        let mut there = some.iter_mut().filter(|it| !it.absent);
        there.try_for_each(|it| act(it, server, args))
    }

    /// How many clients of this name there are to be.
    fn number_of(&self, who: &Who) -> usize {
        let Some(number) = who.number else { return 1 };
        if !who.limited {
            return number;
        }
        let all = self.clients.values().flatten();
        let others = all.filter(|it| it.client.is_some() && !it.left).count();
        let others = others + who.room;
        self.subject.at_once(others + number).saturating_sub(others)
    }

    pub(super) fn some_are_silent(&mut self, number: usize) -> Verdict {
        self.subject.note(&format!("{number} silent clients connect"));
        for _ in 0..number {
            let client = self.server()?.connect()?;
            self.silent.push(client);
        }
        Ok(())
    }

    pub(super) fn some_are_busy(&mut self, number: usize) -> Verdict {
        let subject = self.subject;
        subject.note(&format!("{number} clients come, ask, and leave"));
        let server = self.server()?.address;
        for _ in 0..number {
            let enough = Arc::clone(&self.enough);
            let speech = Arc::clone(&subject.speech);
            let comes_and_goes = move || {
                while !enough.load(Ordering::Relaxed) {
                    Client::connect(server, &speech)?.asks()?.leave()?;
                    thread::sleep(PAUSE);
                }
                Ok(())
            };
            let busy = thread::Builder::new().spawn(comes_and_goes)?;
            self.busy.push(busy);
        }
        Ok(())
    }

    /// Waits until the last busy client has left, and says what went wrong.
    fn end_of_the_busy(&mut self) -> Verdict {
        self.enough.store(true, Ordering::Relaxed);
        let mut verdict = Ok(());
        for client in self.busy.drain(..) {
            let panicked = |_| Err(checker("a busy client panicked"));
            verdict = verdict.and(client.join().unwrap_or_else(panicked));
        }
        verdict.map_err(|fault| fault.after("one of the busy clients"))
    }

    /// What all servers, and a program that has ended, have printed.
    pub(super) fn printed(&self) -> Vec<String> {
        let ended = self.ended.iter().flat_map(|(_, ended)| {
            [ended.output.clone(), ended.errors.clone()]
        });
        let runs = self.subject.runs();
        let runs =
            runs.iter().flat_map(|run| [run.log.lines(), run.errors.lines()]);
        ended.chain(runs).flatten().collect()
    }

    pub(super) fn expect_log(&self, text: &str, number: usize) -> Verdict {
        let what = match number {
            1 => format!("printed: {text:?}"),
            _ => format!("printed in {number} lines: {text:?}"),
        };
        wait_until(&what, PATIENCE, || {
            let lines = self.printed();
            let lines = lines.iter().filter(|line| line.contains(text));
            Ok(lines.count() >= number)
        })
    }

    /// Counts the lines that begin so.
    pub(super) fn expect_lines(&mut self, line: &Args) -> Verdict {
        let text = self.filled(&line.text);
        let server = self.server()?;
        if !server.subject.is_listing() {
            return Ok(());
        }
        if server.ended()?.is_some() {
            server.whole_log()?;
        }
        let lines = server.log.count(&text);
        let words = line.bound.words();
        ensure!(
            line.bound.holds(lines, line.number),
            "it printed {lines} lines that begin with {text:?}, but should \
            print {words}{}",
            line.number
        );
        Ok(())
    }

    /// Compares all that was printed; `...` stands for any text, and a last line
    /// `(more)` for any further ones.
    pub(super) fn expect_whole(
        &self,
        what: &str,
        lines: &[String],
        expected: &[String],
    ) -> Verdict {
        if !self.subject.is_listing() {
            return Ok(());
        }
        let mut lines = lines.iter();
        for (number, expected) in (1..).zip(expected) {
            if expected == "(more)" {
                return Ok(());
            }
            let expected = self.filled(expected);
            let line = lines.next().map_or("", String::as_str);
            ensure!(
                fits(line, &expected),
                "line {number} on standard {what} should be {expected:?}, but \
                is {line:?}"
            );
        }
        let more = lines.next();
        ensure!(
            more.is_none(),
            "on standard {what} it also printed {:?}",
            more.map_or("", String::as_str)
        );
        Ok(())
    }

    /// A text with what it leaves open: `{server}`, `{port}`, `{name}`, and the
    /// address of each client by its name.
    pub(super) fn filled(&self, text: &str) -> String {
        let mut text = text.replace("{name}", &self.subject.name());
        if let Some(Server { address, .. }) = &self.server {
            text = text.replace("{server}", &address.to_string());
            text = text.replace("{port}", &address.port().to_string());
        }
        for (name, actors) in &self.clients {
            if let Some(address) = actors.first().and_then(|it| it.address) {
                let name = format!("{{{name}}}");
                text = text.replace(&name, &address.to_string());
            }
        }
        text
    }

    pub(super) fn expect_parts(&mut self, line: &Args) -> Verdict {
        let Some((what, of_parts)) = line.part else { return Ok(()) };
        let server = self.server()?;
        let process = server.process()?;
        let count = |parts: process::Parts| match of_parts {
            Some(of_parts) => Ok(of_parts(&parts)),
            None => server.listeners().map(|listeners| listeners.len()),
        };
        let holds = |count| line.bound.holds(count, line.number);
        // It may be on its way there; but what is to be few must stay so.
        let mut last = 0;
        let patience = match line.times.within {
            Some(within) => within,
            // Nothing changes any more.
            None if server.is_frozen() => Duration::ZERO,
            None => PATIENCE,
        };
        let came = wait_until(what, patience, || {
            last = count(process::parts(process)?)?;
            if !holds(last) {
                // Counting without a pause would starve a busy server.
                thread::sleep(Duration::from_millis(20));
            }
            Ok(holds(last))
        });
        if came.is_ok() {
            last = count(process::parts_at_rest(process)?)?;
        }
        if came.is_ok() && holds(last) {
            return Ok(());
        }
        let (words, number) = (line.bound.words(), line.number);
        let fault = Fault::server(format!(
            "it has {last} {what}, but should have {words}{number}"
        ));
        // While it is stopped, a busy machine changes nothing.
        Err(if server.is_frozen() { fault.for_certain() } else { fault })
    }
}

/// Whether a line is this one, in which `...` stands for one character or more.
pub(super) fn fits(line: &str, expected: &str) -> bool {
    let Some((begin, rest)) = expected.split_once("...") else {
        return line == expected;
    };
    line.strip_prefix(begin).is_some_and(|line| {
        let mut ends = line.char_indices().skip(1).map(|(at, _)| at);
        let any = ends.any(|at| fits(&line[at..], rest));
        any || !line.is_empty() && rest.is_empty()
    })
}
