//! One conversation: what is heard, what is said, and how it ends. Nothing
//! here waits; who waits, and for how many at once, is the shape of a server.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use libc::{POLLIN, POLLOUT, c_short};

use crate::faults::faulty;
use crate::framing::{self, Framing};
use crate::settings::settings;
use crate::system;

/// Each byte may be a question, and the longest answer has 25: so at most
/// 64,000 bytes of answers wait for one client.
const RECEIVE_BYTES_MAX: usize = 2560;

/// The most time, and bytes, for which what follows the last answer is thrown
/// away.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(2);
const DISCARD_BYTES_MAX: usize = 16 << 20;

/// What comes next in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    GoesOn,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// More may be heard.
    Open,
    /// The client has said all that it will say, and is owed the answers.
    Heard,
    /// Nothing more shall be heard, but the last answers still wait.
    Parting,
    /// All is said. Closing now could destroy what is under way, so what
    /// comes is thrown away until the client closes.
    Discarding,
    /// The server waits for it no more, and never closes it.
    Forgotten,
}

#[derive(Debug)]
pub(crate) struct Talk {
    framing: Framing,
    /// What has come since the last answer, where that is not for `framing`.
    received: Vec<u8>,
    /// Filled by `say`, emptied by `send`.
    answers: Vec<u8>,
    phase: Phase,
    /// When the client's time, or that of its last phase, began to run.
    since: Instant,
    discarded_bytes: usize,
}

impl Talk {
    pub(crate) fn new() -> Self {
        let mut answers = Vec::new();
        if faulty("greets") {
            answers.extend(b"Welcome to the Zen of Python!");
        }
        Self {
            framing: Framing::default(),
            received: Vec::new(),
            answers,
            phase: Phase::Open,
            since: clock(),
            discarded_bytes: 0,
        }
    }

    /// The events that have to be waited for.
    pub(crate) fn wants(&self) -> c_short {
        match self.phase {
            Phase::Forgotten => 0,
            Phase::Discarding => POLLIN,
            _ if self.answers.is_empty() => POLLIN,
            Phase::Open if faulty("buffers-without-bound") => POLLIN | POLLOUT,
            Phase::Open if faulty("forgets-to-wake-for-writing") => POLLIN,
            _ if faulty("forgets-to-wake-for-writing") => 0,
            _ => POLLOUT,
        }
    }

    /// When the server stops, whatever has arrived must be looked for.
    pub(crate) fn owes_a_look(&self) -> bool {
        self.phase == Phase::Open && self.answers.is_empty()
    }

    /// Until when it may stay as it is.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let time = match self.phase {
            Phase::Forgotten => return None,
            Phase::Discarding if faulty("discards-for-ever") => return None,
            Phase::Discarding => DISCARD_TIME_MAX,
            _ if faulty("idle-ignores-writers") && !self.answers.is_empty() => {
                return None;
            }
            _ if settings().idle_timeout.is_zero() => return None,
            _ => settings().idle_timeout,
        };
        self.since.checked_add(time)
    }

    pub(crate) fn is_late(&self) -> bool {
        self.deadline().is_some_and(|deadline| clock() >= deadline)
    }

    /// Does what can be done at once: sends what waits, hears what has come.
    pub(crate) fn turn(
        &mut self,
        sock: &TcpStream,
        stopping: bool,
    ) -> io::Result<Next> {
        if self.phase == Phase::Discarding {
            return self.discard(sock);
        }
        if faulty("closes-at-once") {
            return Ok(Next::Over);
        }
        self.send(sock)?;
        let held_back = !self.answers.is_empty()
            && !faulty("buffers-without-bound")
            && !faulty("forgets-to-wake-for-writing");
        if self.phase == Phase::Open && !held_back {
            self.receive(sock, stopping)?;
            self.send(sock)?;
        }
        if !self.answers.is_empty() {
            return Ok(Next::GoesOn);
        }
        match self.phase {
            Phase::Heard if faulty("never-closes") => {
                self.phase = Phase::Forgotten;
                Ok(Next::GoesOn)
            }
            Phase::Heard => Ok(Next::Over),
            Phase::Parting if faulty("closes-with-unread") => Ok(Next::Over),
            Phase::Parting => {
                sock.shutdown(Shutdown::Write)?;
                self.phase = Phase::Discarding;
                self.since = clock();
                self.discard(sock)
            }
            _ => Ok(Next::GoesOn),
        }
    }

    fn receive(&mut self, sock: &TcpStream, stopping: bool) -> io::Result<()> {
        let mut bytes = [0; RECEIVE_BYTES_MAX];
        let n = match system::recv(sock, &mut bytes) {
            Ok(n) => n,
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                // All that had arrived by the stop has been heard.
                if stopping {
                    self.phase = Phase::Parting;
                }
                return Ok(());
            }
            Err(err) => return Err(err),
        };
        if n == 0 {
            if !faulty("ignores-end-of-file") {
                self.phase = Phase::Heard;
            }
            return Ok(());
        }
        if faulty("idle-counts-bytes") {
            self.since = clock();
        }
        self.hear(&bytes[..n], sock)
    }

    fn hear(&mut self, bytes: &[u8], sock: &TcpStream) -> io::Result<()> {
        if faulty("needs-utf8") {
            std::str::from_utf8(bytes).map_err(io::Error::other)?;
        }
        if faulty("answers-by-segment") {
            self.say(framing::answer(bytes.trim_ascii()));
            return Ok(());
        }
        if faulty("looks-at-the-last-byte") || faulty("wrong-twice") {
            self.received.extend(bytes);
            if self.received.ends_with(b"?") {
                let question = std::mem::take(&mut self.received);
                self.say(framing::answer(&question));
            }
            return Ok(());
        }
        self.framing.begin_segment();
        for &byte in bytes {
            let Some(answer) = self.framing.push(byte) else { continue };
            if self.framing.refused {
                self.say(answer);
                self.phase = Phase::Parting;
                break;
            }
            think();
            self.since = clock();
            self.say(answer);
            // Who has waited for a thought need not wait for the next one.
            if !settings().think.is_zero() {
                self.send(sock)?;
            }
        }
        Ok(())
    }

    fn say(&mut self, answer: &[u8]) {
        if faulty("answers-out-of-order") {
            // What waits is kept as a stack, and not as a queue.
            self.answers.splice(0..0, answer.iter().copied());
            return;
        }
        if faulty("dies-of-a-question") && answer.starts_with(b"Error: unk") {
            std::process::exit(1);
        }
        let small = answer.to_ascii_lowercase();
        self.answers.extend(match faulty("lower-case") {
            true => &small,
            false => answer,
        });
        let is_wrong = faulty("wrong-word") || faulty("wrong-twice");
        if is_wrong && answer == b"Complex." {
            self.answers.pop();
        }
        if faulty("adds-newline") {
            self.answers.push(b'\n');
        }
    }

    fn send(&mut self, sock: &TcpStream) -> io::Result<()> {
        if self.answers.is_empty() {
            return Ok(());
        }
        let may_block = faulty("one-slow-writer-blocks");
        let sent = match system::send(sock, &self.answers, may_block) {
            Ok(n) => n,
            Err(err) if faulty("eagain-is-fatal") => return Err(err),
            Err(err) if err.kind() == ErrorKind::WouldBlock => 0,
            Err(err) => return Err(err),
        };
        self.answers.drain(..sent);
        if faulty("loses-short-sends") {
            self.answers.clear();
        }
        if faulty("eagain-is-fatal") && !self.answers.is_empty() {
            // As Python's sendall() does, whether or not the socket blocks.
            return self.send(sock);
        }
        if self.answers.is_empty() || faulty("idle-counts-partial-sends") {
            self.since = clock();
        }
        Ok(())
    }

    fn discard(&mut self, sock: &TcpStream) -> io::Result<Next> {
        let mut bytes = [0; 1 << 14];
        match system::recv(sock, &mut bytes) {
            Ok(0) => return Ok(Next::Over),
            Ok(n) => self.discarded_bytes += n,
            Err(err) if err.kind() == ErrorKind::WouldBlock => {}
            Err(err) => return Err(err),
        }
        if self.discarded_bytes >= DISCARD_BYTES_MAX
            && !faulty("discards-without-bound")
        {
            return Ok(Next::Over);
        }
        Ok(Next::GoesOn)
    }
}

thread_local! {
    /// How long this thread has thought so far.
    static THOUGHT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The time, by a clock that stands still while this thread thinks: no client
/// is idle for the time in which the server was not there to listen.
pub(crate) fn clock() -> Instant {
    let now = Instant::now();
    if faulty("think-counts-as-idle") {
        return now;
    }
    now.checked_sub(THOUGHT.get()).unwrap_or(now)
}

fn think() {
    static LOCK: Mutex<()> = Mutex::new(());
    let time = settings().think;
    if !time.is_zero() {
        let _in_turn = faulty("thinks-in-turn").then(|| LOCK.lock());
        let before = Instant::now();
        thread::sleep(time);
        THOUGHT.set(THOUGHT.get() + before.elapsed());
    }
}
