//! Cases that somebody else writes, as data: what clients send and expect, and
//! what is done to the server, line by line. `crates/homework/README.md` has
//! the language.

mod busy;
mod play;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use zen_harness::system;

use crate::case::Case;

/// Nothing that a case waits for, or lets pass, is longer.
const TIME_MAX: Duration = Duration::from_secs(20);

/// What one line sends, or expects, at the most.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// So many silent clients fit into the descriptors of most systems.
const SILENT_MAX: usize = 900;

/// Each busy client is a thread of the checker's.
const BUSY_MAX: usize = 64;

/// A line of a log is not waited for more often.
const LINES_MAX: usize = 1000;

/// A case that an assignment brings along: see `Plan`.
#[derive(Clone, Copy, Debug)]
pub struct OwnCase(pub(crate) &'static Case);

impl OwnCase {
    /// The clause that it is about, such as `netstring/3`.
    #[must_use]
    pub fn clause(self) -> &'static str {
        self.0.clause
    }

    /// Whether a person means it by this: a clause, a group, or a name.
    #[must_use]
    pub fn is_called(self, word: &str) -> bool {
        self.0.is_called(word)
    }
}

/// A case as it was read.
#[derive(Debug, Default)]
pub(crate) struct Script {
    means: Option<String>,
    options: Vec<String>,
    steps: Vec<Step>,
}

/// One line, as it was written, and what it says.
#[derive(Debug)]
struct Step {
    line: String,
    act: Act,
}

#[derive(Debug)]
enum Act {
    Client(String, ClientAct),
    Silent(usize),
    Busy(usize),
    Wait(Duration),
    Server(ServerAct),
}

#[derive(Debug, PartialEq)]
enum ClientAct {
    Connect(Option<IpAddr>),
    Send(Vec<u8>),
    Expect(Vec<u8>, Times),
    ExpectEnd(Times),
    ExpectNothing(Duration),
    Ask(Times),
    Flood(Vec<u8>, usize),
    Finish,
    Leave,
    Close,
    Reset,
}

#[derive(Debug, PartialEq)]
enum ServerAct {
    Freeze,
    Thaw,
    Signal(i32),
    ExpectExit(i32, Times),
    ExpectLog(String, usize),
    ExpectParts(Bound, usize, Part),
    Rest(Duration),
}

/// Not earlier than this, and not later than that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Times {
    after: Option<Duration>,
    within: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    Exactly,
    AtMost,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Threads,
    Processes,
    Zombies,
    Descriptors,
    Listeners,
}

/// Reads the cases of a file; their clauses must belong to `group`. What is
/// read is kept for the life of the process.
///
/// # Errors
/// The number of a line, and what is wrong with it.
pub fn parse(group: &str, text: &str) -> Result<Vec<OwnCase>, String> {
    let mut cases: Vec<(String, String, Script)> = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let result = match (line.strip_prefix("case "), cases.last_mut()) {
            (Some(title), _) => {
                case_begins(group, title).map(|it| cases.push(it))
            }
            (None, Some((_, _, script))) => script.read(line),
            (None, None) => Err("it stands before the first case".into()),
        };
        result.map_err(|what| format!("line {}: {what}", index + 1))?;
    }
    let own = |(clause, name, script): (String, String, Script)| {
        let (clause, name) = (clause.leak(), name.leak());
        let script = Box::leak(Box::new(script));
        OwnCase(Box::leak(Box::new(Case::of_script(clause, name, script))))
    };
    match cases.iter().find(|(_, _, script)| script.steps.is_empty()) {
        Some((clause, name, _)) => Err(format!("{clause}::{name} is empty")),
        None => Ok(cases.into_iter().map(own).collect()),
    }
}

fn case_begins(
    group: &str,
    title: &str,
) -> Result<(String, String, Script), String> {
    let (clause, sentence) = title
        .split_once(':')
        .ok_or("a case is `case GROUP/NUMBER: what is expected`")?;
    let number = clause.strip_prefix(group);
    let number = number.and_then(|rest| rest.strip_prefix('/'));
    if number.and_then(|number| number.parse::<u32>().ok()).is_none() {
        return Err(format!("the clause {clause:?} is not {group}/NUMBER"));
    }
    let name = sentence.trim().replace(' ', "_");
    if name.is_empty() {
        return Err("what is expected?".into());
    }
    Ok((clause.to_string(), name, Script::default()))
}

impl Script {
    fn read(&mut self, line: &str) -> Result<(), String> {
        if let Some(means) = line.strip_prefix("means:") {
            self.means = Some(means.trim().to_string());
        } else if let Some(options) = line.strip_prefix("options:") {
            let words = options.split_whitespace().map(str::to_owned);
            self.options.extend(words);
        } else {
            let act = act(&mut Words(line))?;
            self.steps.push(Step { line: line.to_string(), act });
        }
        Ok(())
    }
}

fn act(words: &mut Words<'_>) -> Result<Act, String> {
    let act = match words.next() {
        "silent" => Act::Silent(words.number(SILENT_MAX)?),
        "busy" => Act::Busy(words.number(BUSY_MAX)?),
        "wait" => Act::Wait(words.time()?),
        "server:" => Act::Server(server_act(words)?),
        name => match name.strip_suffix(':') {
            Some(name) => Act::Client(name.to_string(), client_act(words)?),
            None => return Err(format!("{name:?} is not known here")),
        },
    };
    match words.0.trim() {
        "" => Ok(act),
        rest => Err(format!("{rest:?} is too much")),
    }
}

fn client_act(words: &mut Words<'_>) -> Result<ClientAct, String> {
    Ok(match words.next() {
        "connect" if words.takes("from") => {
            let address = words.next();
            let parsed = address.parse().map_err(|_| {
                format!("{address:?} is no address such as 127.0.0.2")
            })?;
            ClientAct::Connect(Some(parsed))
        }
        "connect" => ClientAct::Connect(None),
        "send" => ClientAct::Send(words.bytes()?),
        "expect" if words.takes("end") => ClientAct::ExpectEnd(words.times()?),
        "expect" if words.takes("nothing") => {
            words.expect("for")?;
            ClientAct::ExpectNothing(words.time()?)
        }
        "expect" => ClientAct::Expect(words.bytes()?, words.times()?),
        "ask" => ClientAct::Ask(words.times()?),
        "flood" => {
            let bytes = words.bytes()?;
            words.expect("at")?;
            words.expect("most")?;
            ClientAct::Flood(bytes, words.size()?)
        }
        "finish" => ClientAct::Finish,
        "leave" => ClientAct::Leave,
        "close" => ClientAct::Close,
        "reset" => ClientAct::Reset,
        word => return Err(format!("no client does {word:?}")),
    })
}

fn server_act(words: &mut Words<'_>) -> Result<ServerAct, String> {
    Ok(match words.next() {
        "freeze" => ServerAct::Freeze,
        "thaw" => ServerAct::Thaw,
        "signal" => ServerAct::Signal(signal(words.next())?),
        "rest" => {
            words.expect("for")?;
            ServerAct::Rest(words.time()?)
        }
        "expect" if words.takes("exit") => {
            let status = words.number(255)?;
            ServerAct::ExpectExit(status as i32, words.times()?)
        }
        "expect" if words.takes("log") => {
            let text = words.bytes()?;
            let text = String::from_utf8(text).map_err(|_| "a log is text")?;
            let lines = match words.takes("in") {
                true => words.number(LINES_MAX)?,
                false => 1,
            };
            if lines != 1 {
                words.expect("lines")?;
            }
            ServerAct::ExpectLog(text, lines)
        }
        "expect" => {
            let mut bound = Bound::Exactly;
            if words.takes("at") {
                bound = match words.next() {
                    "most" => Bound::AtMost,
                    "least" => Bound::AtLeast,
                    word => return Err(format!("at {word:?}?")),
                };
            }
            let number = words.number(100_000)?;
            let part = match words.next() {
                "threads" | "thread" => Part::Threads,
                "processes" | "process" => Part::Processes,
                "zombies" | "zombie" => Part::Zombies,
                "descriptors" => Part::Descriptors,
                "listeners" | "listener" => Part::Listeners,
                word => return Err(format!("a server has no {word:?}")),
            };
            ServerAct::ExpectParts(bound, number, part)
        }
        word => return Err(format!("a server is not told {word:?}")),
    })
}

fn signal(name: &str) -> Result<i32, String> {
    Ok(match name {
        "HUP" => system::SIGHUP,
        "INT" => system::SIGINT,
        "TERM" => system::SIGTERM,
        "USR1" => system::SIGUSR1,
        "USR2" => system::SIGUSR2,
        "CHLD" => system::SIGCHLD,
        name => return Err(format!("{name:?} is no signal for this")),
    })
}

/// What is still to be read of a line.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    /// The next word; an empty one at the end of the line.
    fn next(&mut self) -> &'a str {
        let rest = self.0.trim_start();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.0 = rest;
        word
    }

    /// Whether the next word is this one, which then is read.
    fn takes(&mut self, word: &str) -> bool {
        let before = self.0;
        let takes = self.next() == word;
        if !takes {
            self.0 = before;
        }
        takes
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        match self.takes(word) {
            true => Ok(()),
            false => Err(format!("{word:?} is missing")),
        }
    }

    fn number(&mut self, most: usize) -> Result<usize, String> {
        let word = self.next();
        match word.parse() {
            Ok(number) if number <= most => Ok(number),
            _ => Err(format!("{word:?} is no number up to {most}")),
        }
    }

    fn time(&mut self) -> Result<Duration, String> {
        let word = self.next();
        let number = |text: &str| text.parse().ok();
        let time = match (word.strip_suffix("ms"), word.strip_suffix('s')) {
            (Some(text), _) => number(text).map(Duration::from_millis),
            (None, Some(text)) => number(text).map(Duration::from_secs),
            (None, None) => None,
        };
        time.filter(|time| *time <= TIME_MAX).ok_or_else(|| {
            format!("{word:?} is no time such as 20ms or 2s, up to 20s")
        })
    }

    /// `after TIME`, `within TIME`, both, or neither.
    fn times(&mut self) -> Result<Times, String> {
        let mut times = Times::default();
        if self.takes("after") {
            times.after = Some(self.time()?);
        }
        if self.takes("within") {
            times.within = Some(self.time()?);
        }
        Ok(times)
    }

    fn size(&mut self) -> Result<usize, String> {
        let word = self.next();
        let (number, unit) = match word {
            word if word.ends_with("KiB") => (&word[..word.len() - 3], 1 << 10),
            word if word.ends_with("MiB") => (&word[..word.len() - 3], 1 << 20),
            word => (word, 1),
        };
        let size = number.parse::<usize>().ok();
        let size = size.and_then(|size| size.checked_mul(unit));
        size.filter(|size| *size <= BYTES_MAX)
            .ok_or_else(|| format!("{word:?} is no size up to 32MiB"))
    }

    /// `"..."`, perhaps with `500 *` before it, and more of that behind `+`.
    fn bytes(&mut self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        loop {
            let mut times = 1;
            if !self.0.trim_start().starts_with('"') {
                times = self.number(BYTES_MAX)?;
                self.expect("*")?;
            }
            let literal = self.literal()?;
            if bytes.len() + literal.len().saturating_mul(times) > BYTES_MAX {
                return Err("that is more than 32MiB".into());
            }
            bytes.extend(literal.repeat(times));
            if !self.takes("+") {
                return Ok(bytes);
            }
        }
    }

    fn literal(&mut self) -> Result<Vec<u8>, String> {
        let rest = self.0.trim_start();
        let rest = rest.strip_prefix('"').ok_or("a \" is missing")?;
        let mut bytes = Vec::new();
        let mut chars = rest.chars();
        loop {
            match chars.next().ok_or("the second \" is missing")? {
                '"' => break,
                '\\' => bytes.push(escaped(&mut chars)?),
                c => bytes.extend(c.to_string().bytes()),
            }
        }
        self.0 = chars.as_str();
        Ok(bytes)
    }
}

/// The byte for what stands behind a backslash.
fn escaped(chars: &mut std::str::Chars<'_>) -> Result<u8, String> {
    Ok(match chars.next() {
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('t') => b'\t',
        Some('0') => 0,
        Some(c @ ('\\' | '"')) => c as u8,
        Some('x') => {
            let digits: String = chars.take(2).collect();
            u8::from_str_radix(&digits, 16)
                .map_err(|_| format!("\\x{digits} is no byte"))?
        }
        _ => return Err("\\ is followed by n, r, t, 0, \\, \" or xHH".into()),
    })
}
