//! The words of a line: a pattern says which there are, and what is read from
//! them.

use std::net::IpAddr;
use std::time::Duration;

use zen_harness::proc::Parts;
use zen_harness::system;

/// Nothing that a case waits for, or lets pass, is longer.
const TIME_MAX: Duration = Duration::from_secs(20);

/// What one line sends, or expects, at the most.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a line says beside the words of its pattern.
#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) bytes: Bytes,
    pub(super) text: String,
    /// Lines that follow this one.
    pub(super) lines: Vec<String>,
    pub(super) number: usize,
    pub(super) time: Duration,
    pub(super) times: Times,
    pub(super) bound: Bound,
    pub(super) part: Option<Part>,
    pub(super) signal: i32,
    pub(super) address: Option<IpAddr>,
}

/// Not earlier than this, and not later than that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Times {
    pub(super) after: Option<Duration>,
    pub(super) within: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Bound {
    #[default]
    Exactly,
    AtMost,
    AtLeast,
}

impl Bound {
    pub(super) fn holds(self, count: usize, number: usize) -> bool {
        match self {
            Self::Exactly => count == number,
            Self::AtMost => count <= number,
            Self::AtLeast => count >= number,
        }
    }

    /// In words, before a number.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Exactly => "",
            Self::AtMost => "at most ",
            Self::AtLeast => "at least ",
        }
    }
}

/// What can be counted of a server: its name, and where it is counted; None
/// for the processes that listen.
pub(super) type Part = (&'static str, Option<fn(&Parts) -> usize>);

const PARTS: [Part; 5] = [
    ("threads", Some(|parts| parts.threads)),
    ("processes", Some(|parts| parts.processes)),
    ("zombies", Some(|parts| parts.zombies)),
    ("descriptors", Some(|parts| parts.descriptors)),
    ("listeners", None),
];

const SIGNALS: [(&str, i32); 8] = [
    ("HUP", system::SIGHUP),
    ("INT", system::SIGINT),
    ("TERM", system::SIGTERM),
    ("USR1", system::SIGUSR1),
    ("USR2", system::SIGUSR2),
    ("CHLD", system::SIGCHLD),
    ("PIPE", system::SIGPIPE),
    ("ALRM", system::SIGALRM),
];

/// Bytes in pieces, and how often each of them comes.
#[derive(Debug, Default)]
pub(super) struct Bytes(Vec<(Count, Vec<u8>)>);

impl Bytes {
    /// What they are for a server whose questions have at most this many.
    pub(super) fn of(&self, question_bytes_max: usize) -> Vec<u8> {
        let pieces = self.0.iter();
        let pieces = pieces.map(|(n, it)| it.repeat(n.of(question_bytes_max)));
        pieces.collect::<Vec<_>>().concat()
    }
}

/// How often a piece comes: a number, or a part of the most bytes of a
/// question, and a number more or less.
#[derive(Debug)]
struct Count {
    most_by: Option<usize>,
    more: isize,
}

impl Count {
    fn of(&self, question_bytes_max: usize) -> usize {
        let part = self.most_by.map_or(0, |by| question_bytes_max / by);
        part.saturating_add_signed(self.more)
    }
}

/// Why a line does not fit a pattern, and how much of it is left there.
pub(super) type Misfit = (usize, String);

/// Reads a line that a pattern describes. Words in capitals, and ranges of
/// numbers, stand for what is read.
pub(super) fn read(pattern: &str, line: &str) -> Result<Args, Misfit> {
    let mut words = Words(line.trim());
    let mut args = Args::default();
    for wanted in pattern.split(' ') {
        let left = words.0.trim_start().len();
        words.read(wanted, &mut args).map_err(|what| (left, what))?;
    }
    match words.0.trim() {
        "" => Ok(args),
        rest => Err((rest.len(), format!("{rest:?} is too much"))),
    }
}

/// The words of a command line; those in quotes may be empty, and have spaces.
pub(super) fn command_line(text: &str) -> Result<Vec<String>, String> {
    let mut words = Words(text);
    let mut found = Vec::new();
    while !words.0.trim().is_empty() {
        found.push(match words.0.trim_start().starts_with('"') {
            true => text_of(words.literal()?)?,
            false => words.next().to_string(),
        });
    }
    Ok(found)
}

fn text_of(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|_| "that is no text".into())
}

/// What is still to be read of a line.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn read(&mut self, wanted: &str, args: &mut Args) -> Result<(), String> {
        match wanted {
            "BYTES" => args.bytes = self.bytes()?,
            "TEXT" => args.text = text_of(self.bytes()?.of(1024))?,
            "TIME" => args.time = self.time()?,
            "TIMES" => args.times = self.times()?,
            "SIZE" => args.number = self.size()?,
            "BOUND" => args.bound = self.bound()?,
            "SIGNAL" => {
                let word = self.next();
                let known = SIGNALS.iter().find(|it| it.0 == word);
                let known = known.ok_or(format!("{word:?} is no signal here"));
                args.signal = known?.1;
            }
            "PART" => {
                let word = self.next();
                let known = PARTS.into_iter().find(|it| {
                    let one =
                        it.0.strip_suffix("es").or(it.0.strip_suffix('s'));
                    it.0 == word || one == Some(word)
                });
                let known = known.ok_or(format!("a server has no {word:?}"));
                args.part = Some(known?);
            }
            "ADDRESS" => {
                let word = self.next();
                let address = word.parse().map_err(|_| {
                    format!("{word:?} is no address such as 127.0.0.2")
                });
                args.address = Some(address?);
            }
            wanted => match wanted.split_once("..") {
                Some((_, most)) => {
                    args.number = self.number(most.parse().unwrap_or(0))?;
                }
                None if self.takes(wanted) => {}
                None => return Err(format!("{wanted:?} is missing")),
            },
        }
        Ok(())
    }

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

    fn number(&mut self, most: usize) -> Result<usize, String> {
        let word = self.next();
        match word.parse() {
            Ok(number) if number <= most => Ok(number),
            _ => Err(format!("{word:?} is no number up to {most}")),
        }
    }

    /// `at most`, `at least`, or neither.
    fn bound(&mut self) -> Result<Bound, String> {
        if !self.takes("at") {
            return Ok(Bound::Exactly);
        }
        match self.next() {
            "most" => Ok(Bound::AtMost),
            "least" => Ok(Bound::AtLeast),
            word => Err(format!("at {word:?}?")),
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
    fn bytes(&mut self) -> Result<Bytes, String> {
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        loop {
            let mut count = Count { most_by: None, more: 1 };
            if !self.0.trim_start().starts_with('"') {
                count = self.count()?;
                self.read("*", &mut Args::default())?;
            }
            let literal = self.literal()?;
            bytes += literal.len().saturating_mul(count.of(1024));
            if bytes > BYTES_MAX {
                return Err("that is more than 32MiB".into());
            }
            pieces.push((count, literal));
            if !self.takes("+") {
                return Ok(Bytes(pieces));
            }
        }
    }

    /// A number, or `max`, the most bytes of a question: `max/2`, `max-1`.
    fn count(&mut self) -> Result<Count, String> {
        let word = self.next();
        let number =
            |text: &str| text.parse::<u32>().ok().map(|it| it as isize);
        let count = match word.strip_prefix("max") {
            None => number(word).map(|more| Count { most_by: None, more }),
            Some(rest) => {
                let at = rest.find(['+', '-']).unwrap_or(rest.len());
                let (part, more) = rest.split_at(at);
                let by = match part.strip_prefix('/') {
                    Some(by) => number(by).filter(|by| *by > 0),
                    None => Some(1).filter(|_| part.is_empty()),
                };
                let more = match more {
                    "" => Some(0),
                    more => more.parse().ok(),
                };
                by.zip(more).map(|(by, more)| Count {
                    most_by: Some(by as usize),
                    more,
                })
            }
        };
        count.ok_or_else(|| format!("{word:?} is no number"))
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
