//! Cases in text form: what clients send and expect, and what is done to the
//! server, line by line. `crates/homework/README.md` has the language,
//! and `cases/README.md` what only the contract's own cases may say.

mod actor;
mod play;
mod steps;
#[cfg(test)]
mod tests;
mod words;

use std::net::{Ipv6Addr, TcpListener};

use crate::architecture;
use crate::case::{Case, Named, Only};
use crate::contract::{Level, Profile};
use crate::full::crowded;
use crate::server::{How, Server, expect_namespaces, run_to_its_end};
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict};
use play::{Play, Step};
use steps::step;
use words::command_line;

/// A case that an assignment brings along: see `Plan`.
pub type OwnCase = &'static Case;

#[derive(Debug, Default)]
struct Script {
    means: Option<String>,
    /// Each has a server of its own.
    parts: Vec<Part>,
}

/// How a program is started, and the lines that follow.
#[derive(Debug, Default)]
struct Part {
    /// An assignment's: it starts with any options.
    own: bool,
    options: Vec<String>,
    /// It gets these variables, and no option for its port.
    environment: Option<Vec<(String, String)>>,
    /// A program that runs it, such as `unshare`.
    within: Vec<String>,
    ipv6: bool,
    start: Start,
    steps: Vec<Step>,
}

#[derive(Debug, Default, PartialEq)]
enum Start {
    #[default]
    AsUsual,
    /// It runs to its end, with these options.
    ToTheEnd,
    WithBlockedSignals,
    OutOfDescriptors,
}

/// Reads the cases of an assignment; their clauses must belong to `group`.
/// What is read is kept for the life of the process.
///
/// # Errors
/// The number of a line, and what is wrong with it.
pub fn parse(group: &str, text: &str) -> Result<Vec<OwnCase>, String> {
    Ok(read(Some(group), text, &[])?.leak().iter().collect())
}

/// Reads cases of the contract, or, with a group, those of an assignment. A
/// case may be one of these functions.
pub(crate) fn read(
    own: Option<&str>,
    text: &str,
    functions: &[Named],
) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Vec<(usize, String)>> = Vec::new();
    // What stands before the first case is true of all.
    let mut head = Vec::new();
    let mut lines = (1..).zip(text.lines().map(str::trim));
    while let Some((number, first)) = lines.next() {
        if first.is_empty() || first.starts_with('#') {
            continue;
        }
        let mut line = first.to_string();
        // What ends with a backslash goes on in the next line.
        while line.ends_with(" \\") {
            let Some((_, more)) = lines.next() else { break };
            line.pop();
            line += more;
        }
        match cases.last_mut() {
            _ if line.starts_with("case ") => {
                cases.push([&[(number, line)], &*head].concat());
            }
            Some(lines) => lines.push((number, line)),
            None if own.is_none() => head.push((number, line)),
            None => {
                return Err(format!(
                    "line {number}: it stands before the first case"
                ));
            }
        }
    }
    let case = |lines: &Vec<_>| read_case(own, lines, functions);
    cases.iter().map(case).collect()
}

fn read_case(
    own: Option<&str>,
    lines: &[(usize, String)],
    functions: &[Named],
) -> Result<Case, String> {
    let at = |number: usize| move |what| format!("line {number}: {what}");
    let (number, title) = &lines[0];
    let (clause, name) = read_title(own, title).map_err(at(*number))?;
    let known = functions.iter().find(|it| it.0 == name);
    let mut case = Case {
        clause,
        name,
        run: known.map_or(&|_| Ok(()), |it| it.1),
        own: own.is_some(),
        alone: false,
        level: Level::Must,
        from: if own.is_some() { Profile::Wire } else { Profile::Listing },
        only: None,
        clients: 1,
        queue: 0,
        inetds: false,
    };
    let mut script = Script::default();
    let each = lines.iter().find_map(|it| it.1.strip_prefix("for each:"));
    for value in each.unwrap_or_default().split(" | ") {
        script.begin_part(case.own);
        for (number, line) in &lines[1..] {
            let line = line.replace("{each}", value.trim());
            script.read(&mut case, &line).map_err(at(*number))?;
        }
    }
    let is_empty = script.parts.iter().any(|part| part.steps.is_empty());
    match (is_empty, known) {
        (true, Some(_)) => {}
        (false, None) => {
            let run = move |subject: &Subject| script.play(subject);
            case.run = Box::leak(Box::new(run));
        }
        (true, None) => return Err(format!("{clause}::{name} is empty")),
        (false, Some(_)) => return Err(format!("{clause}::{name} is both")),
    }
    Ok(case)
}

/// The clause and the name of a case.
fn read_title(
    own: Option<&str>,
    title: &str,
) -> Result<(&'static str, &'static str), String> {
    let (clause, sentence) = title
        .strip_prefix("case ")
        .and_then(|title| title.split_once(':'))
        .ok_or("a case is `case GROUP/NUMBER: what is expected`")?;
    let (group, number) = clause.split_once('/').unwrap_or_default();
    if number.parse::<u32>().is_err() || own.is_some_and(|own| own != group) {
        let group = own.unwrap_or("GROUP");
        return Err(format!("the clause {clause:?} is not {group}/NUMBER"));
    }
    match sentence.trim().replace(' ', "_") {
        name if name.is_empty() => Err("what is expected?".into()),
        name => Ok((clause.to_string().leak(), name.leak())),
    }
}

impl Script {
    fn play(&self, subject: &Subject) -> Verdict {
        let mut parts = self.parts.iter();
        let result = parts.try_for_each(|part| part.play(subject));
        result.map_err(|fault| match (fault, &self.means) {
            (Fault::Server(mut failure), Some(means)) => {
                let seen = failure.means.unwrap_or_default();
                failure.means = Some(format!("{means} {seen}").trim().into());
                Fault::Server(failure)
            }
            (fault, _) => fault,
        })
    }

    fn begin_part(&mut self, own: bool) {
        self.parts.push(Part { own, ..Part::default() });
    }

    /// Reads a line about the case, or about how a server is started, or of
    /// what happens then.
    fn read(&mut self, case: &mut Case, line: &str) -> Result<(), String> {
        let (key, text) = line.split_once(':').unwrap_or((line, ""));
        let (text, own) = (text.trim(), case.own);
        let Some(part) = self.parts.last_mut() else { return Ok(()) };
        match (key, own) {
            ("means", _) => self.means = Some(text.to_string()),
            ("for each", _) => {}
            ("again", _) => self.begin_part(own),
            // It is found by its name.
            ("function", false) => {}
            ("should", false) => case.level = Level::Should,
            ("alone", false) => case.alone = true,
            ("not behind inetd", false) => case.inetds = true,
            ("only", false) => case.only = Some(only(text)?),
            ("from", false) => case.from = text.parse()?,
            ("queue of", false) => {
                let number = text.parse();
                case.queue = number.map_err(|_| "a queue of how many?")?;
            }
            ("options", _) => part.options.extend(command_line(text)?),
            ("run", false) => {
                part.start = Start::ToTheEnd;
                part.options.extend(command_line(text)?);
            }
            ("environment", false) => {
                let pair = |word: String| -> Result<_, String> {
                    let (name, value) = word.split_once('=').ok_or("no =")?;
                    Ok((name.to_string(), value.to_string()))
                };
                let pairs = command_line(text)?.into_iter().map(pair);
                part.environment = Some(pairs.collect::<Result<_, _>>()?);
            }
            ("within", false) => part.within = command_line(text)?,
            ("with IPv6", _) => part.ipv6 = true,
            ("with blocked signals", false) => {
                part.start = Start::WithBlockedSignals;
            }
            ("out of descriptors", false) => {
                part.start = Start::OutOfDescriptors;
            }
            _ => match (key.strip_prefix("for "), part.steps.last_mut()) {
                (Some(number), _) if !own => {
                    let number = number.parse();
                    case.clients = number.map_err(|_| "for how many?")?;
                }
                (_, Some(step)) if line.starts_with('|') => {
                    step.args.lines.push(line[1..].trim_start().into());
                }
                _ => part.steps.push(step(line, own)?),
            },
        }
        Ok(())
    }
}

/// A kind of architecture, and what is said of others.
fn only(text: &str) -> Result<Only, String> {
    let (kind, otherwise) = text.split_once(": ").unwrap_or((text, ""));
    let holds = architecture::kind(&kind.replace(' ', "_"));
    let holds = holds.ok_or(format!("no architecture {kind:?}"))?;
    Ok((holds, otherwise.to_string().leak()))
}

impl Part {
    fn play(&self, subject: &Subject) -> Verdict {
        if self.ipv6 && TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
            return Err(Fault::skipped("this machine has no IPv6"));
        }
        let play = match self.start {
            Start::ToTheEnd => {
                let mut command = subject.command(&words(&self.options))?;
                command.envs(self.environment.iter().flatten().cloned());
                Play::new(subject, None, Some(run_to_its_end(command)?))
            }
            Start::OutOfDescriptors => {
                let (server, served, next) = crowded(subject)?;
                Play::new(subject, Some(server), None)
                    .with("served", served)
                    .with("next", vec![next])
            }
            Start::AsUsual | Start::WithBlockedSignals => {
                Play::new(subject, Some(self.server(subject)?), None)
            }
        };
        play.all(&self.steps)
    }

    fn server<'a>(&self, subject: &'a Subject) -> Verdict<Server<'a>> {
        let (options, runner) = (&words(&self.options), &words(&self.within));
        let environment = self.environment.as_deref();
        let blocked = self.start == Start::WithBlockedSignals;
        if environment.is_none() && runner.is_empty() && !blocked {
            return match self.own {
                true => Server::start(subject, options),
                false => subject.start(options),
            };
        }
        if !runner.is_empty() {
            expect_namespaces(runner)?;
        }
        let how =
            How { options, environment, runner, blocked, ..How::default() };
        let mut server = Server::start_as(subject, how)?;
        if !runner.is_empty() {
            server.look_who_listens()?;
        }
        Ok(server)
    }
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
