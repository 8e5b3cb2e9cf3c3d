//! What each client does, and when: a file that a student can read and write.
//!
//! ```text
//! # The rest of a line after a hash is a comment.
//! title A word and a half
//! client hasty
//!     at 100                              # ms since the beginning
//!     connect
//!     ask "Simple is better than?" 3      # three times, each after an answer
//!     send "Explicit is bet"              # \n \t \\ \" and \xNN are known
//!     wait 300                            # ms
//!     send "ter than?"
//!     answer                              # wait for one; `answer 2` for two
//!     finish                              # shut down sending, still read
//!     leave
//! ```
//!
//! Everything is bounded: clients, steps, bytes and time.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// With more lanes, no reader could tell them apart.
const CLIENTS_MAX: usize = 64;

/// The most steps of one client; each repetition counts.
const STEPS_MAX: usize = 2_000;

/// The most bytes that one step sends; they fit into any socket's buffers.
const SEND_BYTES_MAX: usize = 16 * 1024;

/// The longest wait of a step, and the longest that a scenario may take.
pub const TIME_MAX: Duration = Duration::from_secs(60);

pub const DEFAULT: &str = include_str!("default.scenario");

#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// One line above the picture.
    pub title: String,
    /// In the order of the file.
    pub clients: Vec<Script>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    pub name: String,
    /// In the order in which they are taken.
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Do nothing until this long after the beginning.
    At(Duration),
    Wait(Duration),
    Connect,
    Send(Vec<u8>),
    /// Read until this many more answers have arrived.
    Answer(usize),
    Finish,
    Leave,
}

impl Scenario {
    pub fn parse(text: &str) -> Result<Self> {
        let title = "A scenario".to_string();
        let mut scenario = Self { title, clients: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            scenario.line(line).with_context(|| format!("line {number}"))?;
        }
        ensure!(!scenario.clients.is_empty(), "it has no client");
        Ok(scenario)
    }

    fn line(&mut self, line: &str) -> Result<()> {
        let words = words(line)?;
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let Some((&first, others)) = words.split_first() else {
            return Ok(());
        };
        let text = |words: &[&[u8]]| {
            String::from_utf8_lossy(&words.join(&b' ')).into_owned()
        };
        match (first, others) {
            (b"title", [_, ..]) => self.title = text(others),
            (b"client", [name]) => {
                let name = text(&[name]);
                let is_new = self.clients.iter().all(|it| it.name != name);
                ensure!(is_new, "a second client {name}");
                ensure!(
                    self.clients.len() < CLIENTS_MAX,
                    "more than {CLIENTS_MAX} clients"
                );
                self.clients.push(Script { name, steps: Vec::new() });
            }
            _ => {
                let steps = steps(first, others)?;
                let client = self.clients.last_mut();
                let client = client.context("no `client NAME` before it")?;
                client.steps.extend(steps);
                ensure!(
                    client.steps.len() <= STEPS_MAX,
                    "more than {STEPS_MAX} steps of one client"
                );
            }
        }
        Ok(())
    }
}

fn steps(first: &[u8], others: &[&[u8]]) -> Result<Vec<Step>> {
    Ok(match (first, others) {
        (b"at", [time]) => vec![Step::At(milliseconds(time)?)],
        (b"wait", [time]) => vec![Step::Wait(milliseconds(time)?)],
        (b"connect", []) => vec![Step::Connect],
        (b"send", [bytes]) => vec![Step::Send(sendable(bytes)?)],
        (b"ask", [question]) => ask(question, 1)?,
        (b"ask", [question, times]) => ask(question, number(times)?)?,
        (b"answer", []) => vec![Step::Answer(1)],
        (b"answer", [count]) => vec![Step::Answer(number(count)?)],
        (b"finish", []) => vec![Step::Finish],
        (b"leave", []) => vec![Step::Leave],
        _ => bail!(
            "not a step: title, client, at, wait, connect, send, ask, answer, \
             finish, leave"
        ),
    })
}

fn ask(question: &[u8], times: usize) -> Result<Vec<Step>> {
    ensure!(times <= STEPS_MAX / 2, "more than {} times", STEPS_MAX / 2);
    let ask = [Step::Send(sendable(question)?), Step::Answer(1)];
    Ok(ask.iter().cycle().take(2 * times).cloned().collect())
}

fn sendable(bytes: &[u8]) -> Result<Vec<u8>> {
    let range = 1..=SEND_BYTES_MAX;
    ensure!(range.contains(&bytes.len()), "not 1 to {SEND_BYTES_MAX} bytes");
    Ok(bytes.to_vec())
}

fn milliseconds(word: &[u8]) -> Result<Duration> {
    let time = Duration::from_millis(number(word)? as u64);
    ensure!(time <= TIME_MAX, "more than {TIME_MAX:?}");
    Ok(time)
}

fn number(word: &[u8]) -> Result<usize> {
    let word = String::from_utf8_lossy(word);
    word.parse().with_context(|| format!("`{word}` is not a number"))
}

/// The words of a line, quoted or not, without a comment.
fn words(line: &str) -> Result<Vec<Vec<u8>>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, behind) = match rest.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (rest.as_bytes()[..end].to_vec(), &rest[end..])
            }
        };
        words.push(word);
        rest = behind.trim_start();
    }
    Ok(words)
}

/// The bytes up to the closing quotation mark, and the rest of the line.
fn unquoted(text: &str) -> Result<(Vec<u8>, &str)> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok((bytes, chars.as_str())),
            '\\' => match chars.next() {
                Some('n') => bytes.push(b'\n'),
                Some('t') => bytes.push(b'\t'),
                Some(c @ ('\\' | '"')) => bytes.push(c as u8),
                Some('x') => {
                    let rest = chars.as_str();
                    let digits = rest.get(..2).unwrap_or_default();
                    let byte = u8::from_str_radix(digits, 16);
                    bytes.push(byte.context("\\x and two digits, 0 to f")?);
                    chars = rest[2..].chars();
                }
                _ => bail!("known are \\n, \\t, \\\\, \\\" and \\xNN"),
            },
            c => bytes.extend(c.to_string().into_bytes()),
        }
    }
    bail!("a quotation mark is missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_has_four_clients() {
        let scenario = Scenario::parse(DEFAULT).unwrap();
        let names = scenario.clients.iter().map(|it| &*it.name);
        let names: Vec<_> = names.collect();
        assert_eq!(names, ["slow", "silent", "hurry", "quitter"]);
        let sends = |it: &&Step| matches!(it, Step::Send(_));
        assert_eq!(scenario.clients[1].steps.iter().find(sends), None);
        assert_eq!(scenario.clients[2].steps.iter().filter(sends).count(), 90);
        let last = scenario.clients[3].steps.iter().rfind(sends);
        assert!(matches!(last, Some(Step::Send(bytes)) if bytes[0] == b'E'));
    }

    #[test]
    fn reads_every_step() {
        let text = "title  A \"B  C\" # no\n\nclient x\nat 5\nwait 6\nconnect\n\
                    send \"#\\n\\x3f\\\"\"\nask a? 2\nanswer 3\nfinish\nleave";
        let scenario = Scenario::parse(text).unwrap();
        assert_eq!(scenario.title, "A B  C");
        let ask = [Step::Send(b"a?".to_vec()), Step::Answer(1)];
        let begin = [
            Step::At(Duration::from_millis(5)),
            Step::Wait(Duration::from_millis(6)),
            Step::Connect,
            Step::Send(b"#\n?\"".to_vec()),
        ];
        let end = [Step::Answer(3), Step::Finish, Step::Leave];
        let steps = [&begin[..], &ask, &ask, &end].concat();
        assert_eq!(scenario.clients[0].steps, steps);
    }

    #[test]
    fn reports_errors_with_their_line() {
        let long = format!("client x\nsend {}", "a".repeat(16 * 1024 + 1));
        for (text, line, message) in [
            ("client x\nsing", 2, "not a step"),
            ("connect", 1, "no `client NAME`"),
            ("client x\n\nclient x", 3, "a second client x"),
            ("client x\nwait soon", 2, "`soon` is not a number"),
            ("client x\nwait 60001", 2, "more than 60s"),
            ("client x\nask ? 1001", 2, "more than 1000 times"),
            ("client x\nask ? 999\nask ? 2", 3, "more than 2000 steps"),
            ("client x\nsend \"\"", 2, "not 1 to 16384 bytes"),
            ("client x\nsend \"a", 2, "a quotation mark is missing"),
            ("client x\nsend \"\\xfü\"", 2, "two digits"),
            (&long, 2, "not 1 to 16384 bytes"),
        ] {
            let error = format!("{:#}", Scenario::parse(text).unwrap_err());
            assert!(error.contains(message), "{text}: {error}");
            assert!(error.starts_with(&format!("line {line}: ")), "{error}");
        }
        assert!(Scenario::parse("# empty").is_err());
    }

    #[test]
    fn no_input_makes_it_panic() {
        arbtest::arbtest(|u| {
            let text: String = u.arbitrary()?;
            Scenario::parse(&text).ok();
            Scenario::parse(&format!("client x\nsend \"{text}")).ok();
            Ok(())
        });
    }
}
