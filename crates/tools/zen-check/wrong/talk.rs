//! One conversation: what is heard, what is said, and how it ends. Nothing
//! here waits; who waits, and for how many at once, is the shape of a server.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use libc::{POLLIN, POLLOUT, c_short};

use crate::faults::{Fault, faulty};
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
        if faulty(Fault::Greets) {
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
            Phase::Open if faulty(Fault::BuffersWithoutBound) => {
                POLLIN | POLLOUT
            }
            Phase::Open if faulty(Fault::ForgetsToWakeForWriting) => POLLIN,
            _ if faulty(Fault::ForgetsToWakeForWriting) => 0,
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
            Phase::Discarding if faulty(Fault::DiscardsForEver) => return None,
            Phase::Discarding => DISCARD_TIME_MAX,
            _ if faulty(Fault::IdleIgnoresWriters)
                && !self.answers.is_empty() =>
            {
                return None;
            }
            _ if settings().idle.is_zero() => return None,
            _ => settings().idle,
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
        if faulty(Fault::ClosesAtOnce) {
            return Ok(Next::Over);
        }
        self.send(sock)?;
        let held_back = !self.answers.is_empty()
            && !faulty(Fault::BuffersWithoutBound)
            && !faulty(Fault::ForgetsToWakeForWriting);
        if self.phase == Phase::Open && !held_back {
            self.receive(sock, stopping)?;
            self.send(sock)?;
        }
        if !self.answers.is_empty() {
            return Ok(Next::GoesOn);
        }
        match self.phase {
            Phase::Heard if faulty(Fault::NeverCloses) => {
                self.phase = Phase::Forgotten;
                Ok(Next::GoesOn)
            }
            Phase::Heard => Ok(Next::Over),
            Phase::Parting if faulty(Fault::ClosesWithUnread) => Ok(Next::Over),
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
            if !faulty(Fault::IgnoresEndOfFile) {
                self.phase = Phase::Heard;
            }
            return Ok(());
        }
        if faulty(Fault::IdleCountsBytes) {
            self.since = clock();
        }
        self.hear(&bytes[..n], sock)
    }

    fn hear(&mut self, bytes: &[u8], sock: &TcpStream) -> io::Result<()> {
        if faulty(Fault::NeedsUtf8) {
            std::str::from_utf8(bytes).map_err(io::Error::other)?;
        }
        if faulty(Fault::AnswersBySegment) {
            self.say(framing::answer(bytes.trim_ascii()));
            return Ok(());
        }
        if faulty(Fault::LooksAtTheLastByte) || faulty(Fault::WrongTwice) {
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
        if faulty(Fault::AnswersOutOfOrder) {
            // What waits is kept as a stack, and not as a queue.
            self.answers.splice(0..0, answer.iter().copied());
            return;
        }
        let small = answer.to_ascii_lowercase();
        self.answers.extend(match faulty(Fault::LowerCase) {
            true => &small,
            false => answer,
        });
        let is_wrong = faulty(Fault::WrongWord) || faulty(Fault::WrongTwice);
        if is_wrong && answer == b"Complex." {
            self.answers.pop();
        }
        if faulty(Fault::AddsNewline) {
            self.answers.push(b'\n');
        }
    }

    fn send(&mut self, sock: &TcpStream) -> io::Result<()> {
        if self.answers.is_empty() {
            return Ok(());
        }
        let may_block = faulty(Fault::OneSlowWriterBlocks);
        let sent = match system::send(sock, &self.answers, may_block) {
            Ok(n) => n,
            Err(err) if faulty(Fault::EagainIsFatal) => return Err(err),
            Err(err) if err.kind() == ErrorKind::WouldBlock => 0,
            Err(err) => return Err(err),
        };
        self.answers.drain(..sent);
        if faulty(Fault::LosesShortSends) {
            self.answers.clear();
        }
        if faulty(Fault::EagainIsFatal) && !self.answers.is_empty() {
            // As Python's sendall() does, whether or not the socket blocks.
            return self.send(sock);
        }
        if self.answers.is_empty() || faulty(Fault::IdleCountsPartialSends) {
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
            && !faulty(Fault::DiscardsWithoutBound)
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
    if faulty(Fault::ThinkCountsAsIdle) {
        return now;
    }
    now.checked_sub(THOUGHT.get()).unwrap_or(now)
}

fn think() {
    static LOCK: Mutex<()> = Mutex::new(());
    let time = settings().think;
    if !time.is_zero() {
        let _in_turn = faulty(Fault::ThinksInTurn).then(|| LOCK.lock());
        let before = Instant::now();
        thread::sleep(time);
        THOUGHT.set(THOUGHT.get() + before.elapsed());
    }
}
