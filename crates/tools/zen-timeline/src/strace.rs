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

/// Something that strace saw. Times are in microseconds.
pub(crate) struct Event {
    /// The kernel's number of the thread.
    pub(crate) task: u32,
    pub(crate) at: i64,
    pub(crate) what: What,
}

pub(crate) enum What {
    /// A call has begun; its end is on a later line.
    Begun(Syscall),
    /// The rest of a call that has begun on an earlier line.
    Resumed(Syscall),
    /// A whole call.
    Call(Syscall),
    /// A signal was delivered, such as `SIGTERM`.
    Signal(String),
    /// A signal has stopped it, until its next event.
    Stopped,
    /// It has ended, for this reason.
    Gone(String),
}

#[derive(Default)]
pub(crate) struct Syscall {
    pub(crate) name: String,
    /// Its arguments, as strace prints them.
    pub(crate) arguments: String,
    pub(crate) begin: i64,
    /// How long it took, if the line has that.
    pub(crate) took: Option<i64>,
    /// What it returned, if it returned.
    pub(crate) result: Option<i64>,
    /// strace's note on the result: a descriptor's file, or an error's name.
    pub(crate) remark: String,
}

impl Syscall {
    pub(crate) fn took(&self) -> i64 {
        self.took.unwrap_or(0).max(0)
    }

    /// The descriptor in its first argument, with strace's note on it.
    pub(crate) fn descriptor(&self) -> Option<(i64, Descriptor)> {
        let digits = self.arguments.bytes().take_while(u8::is_ascii_digit);
        let (number, rest) = self.arguments.split_at(digits.count());
        Some((number.parse().ok()?, Descriptor::parse(rest)))
    }

    /// The descriptor that it returned.
    pub(crate) fn returned(&self) -> Descriptor {
        Descriptor::parse(&self.remark)
    }

    /// The port in the address that the kernel filled in.
    pub(crate) fn port(&self) -> Option<u16> {
        let (_, rest) = self.arguments.split_once("htons(")?;
        rest.split(')').next()?.parse().ok()
    }
}

/// What is behind a descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Descriptor {
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

/// Reads a line; None if it is of no known form. Its times count from `epoch`,
/// in microseconds since 1970.
pub(crate) fn read(line: &str, epoch: i64) -> Option<Event> {
    let (task, rest) = line.trim_end().split_once(' ')?;
    let (at, rest) = rest.trim_start().split_once(' ')?;
    let (task, at) = (task.parse().ok()?, microseconds(at)?);
    let at = at.saturating_sub(epoch);
    Some(Event { task, at, what: what(at, rest.trim_start())? })
}

fn what(begin: i64, text: &str) -> Option<What> {
    if let Some(text) = text.strip_prefix("+++ ") {
        return Some(What::Gone(text.strip_suffix(" +++")?.into()));
    }
    if text.starts_with("--- stopped by ") {
        return Some(What::Stopped);
    }
    if let Some(text) = text.strip_prefix("--- ") {
        let name = text.split([' ', '{']).find(|it| it.starts_with("SIG"));
        return Some(What::Signal(name?.into()));
    }
    let resumed = text.strip_prefix("<... ");
    let (name, rest) = match resumed {
        Some(text) => text.split_once(" resumed>")?,
        None => text.split_once('(')?,
    };
    // If the task dies in the call, strace only writes `????(`.
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_?".contains(c);
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let mut call = Syscall { name: name.into(), begin, ..Syscall::default() };
    if let Some(arguments) = rest.strip_suffix("<unfinished ...>") {
        call.arguments = arguments.trim_end_matches(' ').into();
        return Some(What::Begun(call));
    }
    end(&mut call, rest)?;
    Some(if resumed.is_some() { What::Resumed } else { What::Call }(call))
}

/// Reads the rest of a call, `…) = 25 <0.000014>`.
fn end(call: &mut Syscall, text: &str) -> Option<()> {
    let time = text.rsplit_once(" <").and_then(|(before, took)| {
        Some((before, microseconds(took.strip_suffix('>')?)?))
    });
    call.took = time.map(|(_, took)| took);
    let text = time.map_or(text, |(before, _)| before);
    // Search backwards: a quoted string may look like an end, or be cut.
    let (arguments, result) = text.rsplit_once(" = ")?;
    call.arguments = arguments.trim_end().strip_suffix(')')?.into();
    let is_number = |c: char| c.is_ascii_digit() || c == '-';
    let digits = result.find(|c| !is_number(c)).unwrap_or(result.len());
    call.result = result[..digits].parse().ok();
    call.remark = result[digits..].trim_start().into();
    Some(())
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
