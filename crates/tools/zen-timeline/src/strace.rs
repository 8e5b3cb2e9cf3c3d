//! Reads what `strace -f -ttt -T -yy -o FILE` writes: a line for each system
//! call, or two if another thread came between its beginning and its end.
//!
//! ```text
//! 841 1795769897.414 recvfrom(7<TCP:[…]>, "Simple is", 2560, 0, …) = 9 <0.000014>
//! 841 1795769897.415 recvfrom(7<TCP:[…]>,  <unfinished ...>
//! 842 1795769897.416 +++ exited with 0 +++
//! 841 1795769897.517 <... recvfrom resumed>"", 2560, 0, …) = 0 <0.102>
//! ```
//!
//! All other lines are skipped and counted.

use std::collections::HashMap;

/// Only this much of a call's arguments is read.
const ARGUMENT_BYTES_MAX: usize = 4096;

/// Something that strace saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The kernel's number of the thread.
    pub task: u32,
    /// Microseconds since 1970; for a call, when it returned.
    pub at: i64,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A call has begun; its end is on a later line.
    Begun(Syscall),
    /// A call has returned.
    Call(Syscall),
    /// A signal was delivered, such as `SIGTERM`.
    Signal(String),
    /// A signal has stopped it, until its next event.
    Stopped,
    /// It has ended, for this reason.
    Gone(String),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Syscall {
    pub name: String,
    /// Its arguments, as strace prints them.
    pub arguments: String,
    /// When it began, in microseconds since 1970.
    pub begin: i64,
    /// How many microseconds it took.
    pub took: i64,
    /// What it returned, if it returned.
    pub result: Option<i64>,
    /// strace's note on the result: a descriptor's file, or an error's name.
    pub remark: String,
}

impl Syscall {
    /// The descriptor in its first argument, with strace's note on it.
    pub fn descriptor(&self) -> Option<(i64, Descriptor)> {
        let digits = self.arguments.bytes().take_while(u8::is_ascii_digit);
        let (number, rest) = self.arguments.split_at(digits.count());
        Some((number.parse().ok()?, Descriptor::parse(rest)))
    }

    /// The descriptor that it returned.
    pub fn returned(&self) -> Descriptor {
        Descriptor::parse(&self.remark)
    }

    /// The port in the address that the kernel filled in.
    pub fn port(&self) -> Option<u16> {
        let (_, rest) = self.arguments.split_once("htons(")?;
        rest.split(')').next()?.parse().ok()
    }
}

/// What is behind a descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Descriptor {
    /// A TCP socket that is connected to this port.
    Connected(u16),
    /// Another TCP socket: it listens, or strace cannot tell.
    Tcp,
    Other,
}

impl Descriptor {
    /// Parses `<TCP:[127.0.0.1:1060->127.0.0.1:41468]>` and similar.
    fn parse(text: &str) -> Self {
        let inner = text
            .strip_prefix("<TCP:[")
            .or_else(|| text.strip_prefix("<TCPv6:["));
        let Some((inner, _)) = inner.and_then(|it| it.split_once("]>")) else {
            return Self::Other;
        };
        // An IPv6 address has brackets of its own.
        let peer = inner.split_once("->").map(|(_, peer)| peer);
        let port = peer.and_then(|peer| peer.rsplit(':').next()?.parse().ok());
        port.map_or(Self::Tcp, Self::Connected)
    }
}

/// Joins the two halves of a call.
#[derive(Debug, Default)]
pub struct Reader {
    /// Calls that have begun, by task: filled by `<unfinished ...>`, emptied by
    /// `resumed` and by the task's end.
    begun: HashMap<u32, Syscall>,
    /// The number of lines that it could not read.
    pub unread: usize,
}

impl Reader {
    /// The event on a line, if there is one.
    pub fn line(&mut self, line: &str) -> Option<Event> {
        let event = self.event(line.trim_end());
        if event.is_none() && !line.trim().is_empty() {
            self.unread += 1;
        }
        event
    }

    fn event(&mut self, line: &str) -> Option<Event> {
        let (task, rest) = line.split_once(' ')?;
        let task = task.parse().ok()?;
        let (at, rest) = rest.trim_start().split_once(' ')?;
        let at = microseconds(at)?;
        let what = self.what(task, at, rest.trim_start())?;
        let at = match &what {
            What::Call(call) => call.begin.saturating_add(call.took),
            _ => at,
        };
        Some(Event { task, at, what })
    }

    fn what(&mut self, task: u32, at: i64, text: &str) -> Option<What> {
        if let Some(text) = text.strip_prefix("+++ ") {
            let text = text.strip_suffix(" +++")?;
            self.begun.remove(&task);
            return Some(What::Gone(text.to_string()));
        }
        if let Some(text) = text.strip_prefix("--- ") {
            if text.starts_with("stopped by ") {
                return Some(What::Stopped);
            }
            let name = text.split([' ', '{']).find(|it| it.starts_with("SIG"));
            return Some(What::Signal(name?.to_string()));
        }
        if let Some(text) = text.strip_prefix("<... ") {
            let (name, rest) = text.split_once(" resumed>")?;
            // Skip a call that began before strace attached.
            let call = self.begun.remove(&task).filter(|it| it.name == name);
            let mut call = call.unwrap_or(Syscall {
                name: name.into(),
                begin: at,
                ..Syscall::default()
            });
            end(&mut call, at, rest)?;
            return Some(What::Call(call));
        }
        let (name, rest) = text.split_once('(')?;
        // If the task dies in the call, strace only writes `????(`.
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_?".contains(c);
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let mut call =
            Syscall { name: name.into(), begin: at, ..Syscall::default() };
        if let Some(arguments) = rest.strip_suffix("<unfinished ...>") {
            append(&mut call.arguments, arguments.trim_end_matches(' '));
            self.begun.insert(task, call.clone());
            return Some(What::Begun(call));
        }
        end(&mut call, at, rest)?;
        Some(What::Call(call))
    }
}

/// Reads the rest of a call, `…) = 25 <0.000014>`, on a line with this time.
fn end(call: &mut Syscall, at: i64, text: &str) -> Option<()> {
    let (text, took) = match text.rsplit_once(" <") {
        Some((before, took)) if took.ends_with('>') => {
            match microseconds(&took[..took.len() - 1]) {
                Some(took) => (before, Some(took)),
                None => (text, None),
            }
        }
        _ => (text, None),
    };
    // Search backwards: a quoted string may look like an end, or be cut.
    let sign = text.rfind(" = ")?;
    let arguments = text[..sign].trim_end().strip_suffix(')')?;
    append(&mut call.arguments, arguments);
    let result = &text[sign + 3..];
    let is_number = |c: char| c.is_ascii_digit() || c == '-';
    let digits = result.find(|c| !is_number(c)).unwrap_or(result.len());
    call.result = result[..digits].parse().ok();
    call.remark = result[digits..].trim_start().to_string();
    call.took = took.unwrap_or(at.saturating_sub(call.begin)).max(0);
    Some(())
}

fn append(text: &mut String, more: &str) {
    let room = ARGUMENT_BYTES_MAX.saturating_sub(text.len());
    let mut end = more.len().min(room);
    while !more.is_char_boundary(end) {
        end -= 1;
    }
    text.push_str(&more[..end]);
}

/// `1795769897.414241` in microseconds, if it is such a number.
fn microseconds(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || !is_number(seconds) || !is_number(fraction) {
        return None;
    }
    // Six digits, however many there are.
    let fraction: String =
        fraction.chars().chain("000000".chars()).take(6).collect();
    let seconds: i64 = seconds.parse().ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(fraction.parse().ok()?)
}
