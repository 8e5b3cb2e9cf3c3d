//! The protocol as a state machine: what one client has sent, which answers it
//! is owed, and how long that may take. It does no I/O and never reads a clock.
//!
//! A listing asks a [`Conversation`] what it [wants](Wants), waits for that in
//! its own way, and reports what happened:
//!
//! ```text
//! Wants::Receive      -> recv() -> received(bytes) or end_of_file()
//! Wants::Think(until) -> sleep  -> finished_thinking()
//! Wants::Send         -> send(to_send()) -> sent(n)
//! Wants::StopSending  -> shutdown(2) -> stopped_sending()
//! Wants::Close        -> close
//! ```
//!
//! When [`deadline`](Conversation::deadline) has passed, the listing receives
//! once more and then calls [`expire`](Conversation::expire): a server that was
//! busy or stopped may not have seen yet what the client sent in time.

use std::fmt;
use std::io;
use std::mem;
use std::time::{Duration, Instant};

use crate::aphorisms::{ANSWER_BYTES_MAX, QUESTION_TOO_LONG};
use crate::command_line::Timing;
use crate::framing::{Framer, QuestionTooLong};
use crate::get_answer;

/// The most bytes that a listing may receive at once.
///
/// This also bounds the answers that wait for one client, because nothing is
/// received while answers wait. The shortest question is a single byte, `?`.
/// See [`TO_SEND_BYTES_MAX`].
pub const RECV_BYTES_MAX: usize = 2560;

/// The most bytes of answers that can wait for one client.
pub const TO_SEND_BYTES_MAX: usize = RECV_BYTES_MAX * ANSWER_BYTES_MAX;
const _: () = assert!(TO_SEND_BYTES_MAX <= 64 * 1024);

/// How long the server waits for a client to read "question too long".
pub const LINGER_TIME_MAX: Duration = Duration::from_secs(2);

/// How many bytes from that client it reads and discards meanwhile.
pub const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Once all answers are sent, a buffer of up to this size is kept, so that the
/// next answer allocates nothing. The larger buffer of a burst is freed.
const KEPT_BYTES_MAX: usize = 1024;

/// A late client gets this many full receives more, 64 KiB, before it is
/// dropped: behind the bytes that filled them, a question may be waiting that
/// it sent in time. Without a limit, a flood would keep it connected forever.
const FULL_RECEIVES_MAX: u8 = 26;

/// Longest excerpt of client data in a log line, in bytes.
pub const BYTES_SHOWN_MAX: usize = 64;

// ANCHOR: five_wants
/// What a conversation waits for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Bytes from the client, [`RECV_BYTES_MAX`] at most.
    Receive,
    /// Time to work out the next answer, until this instant.
    Think(Instant),
    /// Room in the socket for [`Conversation::to_send`].
    Send,
    /// To shut down the sending side of the socket, so that the client reads
    /// end of file after its last answer.
    StopSending,
    /// Nothing more: close the socket.
    Close,
}
// ANCHOR_END: five_wants

/// Why a conversation did not end normally, between two questions.
#[derive(Debug)]
pub enum ClientError {
    /// The client left in the middle of this question; holds the first
    /// [`BYTES_SHOWN_MAX`] bytes of it.
    CutShort(Vec<u8>),
    /// A question of more than 1,024 bytes.
    QuestionTooLong,
    /// No question was completed within `--idle-timeout`.
    Idle(Duration),
    /// The socket failed.
    Io(io::Error),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort(begun) => {
                let begun = begun.escape_ascii();
                write!(f, "received b\"{begun}\" then socket closed")
            }
            Self::QuestionTooLong => write!(f, "question too long"),
            Self::Idle(time) => {
                write!(f, "no question for {} seconds", time.as_secs_f64())
            }
            Self::Io(err) => err.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {}

#[derive(Debug)]
enum State {
    /// Receiving and answering questions.
    Talking,
    /// The client sends nothing more; it still gets the answers it is owed.
    EndOfFile,
    /// A question was too long, and the answer that says so is not sent yet.
    Refusing,
    /// That answer is sent; what the client still sends is discarded.
    Lingering { until: Instant, bytes_left: usize },
    /// The client has read that answer, or its time to do so is up.
    Refused,
    /// The idle timeout has passed.
    Late,
}

/// The conversation with one client.
#[derive(Debug)]
pub struct Conversation {
    framer: Framer,
    state: State,
    timing: Timing,
    /// The answers owed, one after another. Filled by `received`, emptied by
    /// `sent` once the last byte is sent.
    answers: Vec<u8>,
    /// How many bytes of them are sent.
    bytes_sent: usize,
    /// How many bytes of them have been worked out and may be sent.
    bytes_ready: usize,
    /// How many answers are still to be worked out.
    answers_to_think: u32,
    thinks_until: Instant,
    /// When the idle timeout last started to run.
    clock: Instant,
    /// How many receives in a row have filled the buffer. Raised and reset by
    /// `received`.
    full_receives: u8,
    /// Whether the last receive filled the buffer, and no look at the clock has
    /// spared the client for that yet. Set by `received`, taken by `expire`.
    more_may_wait: bool,
}

impl Conversation {
    /// A conversation with a client that has just connected.
    #[must_use]
    pub fn new(timing: Timing, now: Instant) -> Self {
        Self {
            framer: Framer::default(),
            state: State::Talking,
            timing,
            answers: Vec::new(),
            bytes_sent: 0,
            bytes_ready: 0,
            answers_to_think: 0,
            thinks_until: now,
            clock: now,
            full_receives: 0,
            more_may_wait: false,
        }
    }

    /// What to wait for next.
    // ANCHOR: wants
    #[must_use]
    pub fn wants(&self) -> Wants {
        if matches!(self.state, State::Late) {
            return Wants::Close;
        }
        if self.bytes_sent < self.bytes_ready {
            return Wants::Send;
        }
        if self.answers_to_think > 0 {
            return Wants::Think(self.thinks_until);
        }
        match self.state {
            State::Talking | State::Lingering { .. } => Wants::Receive,
            State::Refusing => Wants::StopSending,
            State::EndOfFile | State::Refused | State::Late => Wants::Close,
        }
    }
    // ANCHOR_END: wants

    /// Whether the conversation is over and the socket can be closed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.wants() == Wants::Close
    }

    /// Takes bytes that have arrived: at most [`RECV_BYTES_MAX`], and only
    /// while the conversation wants to [receive](Wants::Receive). A listing
    /// may pass on one receive in several pieces.
    // ANCHOR: received
    pub fn received(&mut self, mut bytes: &[u8], now: Instant) {
        match &mut self.state {
            State::Talking => {}
            State::Lingering { bytes_left, .. } => {
                *bytes_left = bytes_left.saturating_sub(bytes.len());
                if *bytes_left == 0 {
                    self.state = State::Refused;
                }
                return;
            }
            // What follows a question that is too long is discarded.
            _ => return,
        }
        self.full_receives = match bytes.len() {
            RECV_BYTES_MAX.. => self.full_receives.saturating_add(1),
            _ => 0,
        };
        self.more_may_wait = self.full_receives > 0;
        loop {
            match self.framer.next_question(&mut bytes) {
                Ok(Some(question)) => {
                    self.answers.extend_from_slice(get_answer(question));
                    self.clock = now;
                    if !self.timing.think.is_zero() {
                        self.answers_to_think += 1;
                        self.begin_to_think(now);
                    }
                }
                Ok(None) => break,
                Err(QuestionTooLong) => {
                    self.answers.extend_from_slice(QUESTION_TOO_LONG);
                    self.state = State::Refusing;
                    break;
                }
            }
        }
        if self.answers_to_think == 0 {
            self.bytes_ready = self.answers.len();
        }
    }
    // ANCHOR_END: received

    fn begin_to_think(&mut self, now: Instant) {
        self.thinks_until = now + self.timing.think;
        // The idle timeout stands still meanwhile.
        self.clock += self.timing.think;
    }

    /// The next answer has been worked out: [`Wants::Think`] is over.
    pub fn finished_thinking(&mut self) {
        self.answers_to_think = self.answers_to_think.saturating_sub(1);
        let waiting = &self.answers[self.bytes_ready..];
        // Answers end in `.`. "Question too long" needs no thought, so it
        // goes out together with the answer before it.
        let answer = waiting.iter().position(|&byte| byte == b'.');
        self.bytes_ready = match (self.answers_to_think, answer) {
            (0, _) | (_, None) => self.answers.len(),
            (_, Some(end)) => self.bytes_ready + end + 1,
        };
    }

    /// The bytes to send now.
    #[must_use]
    pub fn to_send(&self) -> &[u8] {
        &self.answers[self.bytes_sent..self.bytes_ready]
    }

    /// Takes note that the first `n` bytes of [`to_send`](Self::to_send) were
    /// sent.
    // ANCHOR: sent
    pub fn sent(&mut self, n: usize, now: Instant) {
        self.bytes_sent = self.bytes_ready.min(self.bytes_sent + n);
        if n == 0 || self.bytes_sent < self.bytes_ready {
            return;
        }
        if self.answers_to_think > 0 {
            self.begin_to_think(now);
            return;
        }
        self.clock = self.clock.max(now);
        self.bytes_sent = 0;
        self.bytes_ready = 0;
        self.answers.clear();
        if self.answers.capacity() > KEPT_BYTES_MAX {
            self.answers = Vec::new();
        }
    }
    // ANCHOR_END: sent

    /// The client sends nothing more.
    pub fn end_of_file(&mut self) {
        match self.state {
            State::Talking => self.state = State::EndOfFile,
            State::Lingering { .. } => self.state = State::Refused,
            _ => {}
        }
    }

    /// The sending side is shut down: [`Wants::StopSending`] is over. This can
    /// move the [`deadline`](Self::deadline) closer.
    pub fn stopped_sending(&mut self, now: Instant) {
        self.state = State::Lingering {
            until: now + LINGER_TIME_MAX,
            bytes_left: LINGER_BYTES_MAX,
        };
    }

    /// When this client will be late, unless something happens before that.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Lingering { until, .. } => Some(until),
            _ => self.clock.checked_add(self.timing.idle_timeout?),
        }
    }

    /// Whether the deadline has passed.
    #[must_use]
    pub fn is_late(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// Ends the conversation if the client [is late](Self::is_late), and
    /// returns whether it did. Call it after receiving, not before.
    ///
    /// A late client whose bytes filled the last receive is spared once: a
    /// question that it sent in time may be behind them.
    // ANCHOR: expire
    pub fn expire(&mut self, now: Instant) -> bool {
        if self.is_over() || !self.is_late(now) {
            return false;
        }
        let more_may_wait = mem::take(&mut self.more_may_wait)
            && self.wants() == Wants::Receive
            && self.full_receives <= FULL_RECEIVES_MAX;
        self.state = match self.state {
            State::Lingering { .. } => State::Refused,
            _ if more_may_wait => return false,
            _ => State::Late,
        };
        true
    }
    // ANCHOR_END: expire

    /// How the conversation ended, for the log. `result` is how the socket's
    /// last operation ended.
    ///
    /// # Errors
    ///
    /// Why the conversation did not end normally, between two questions.
    pub fn outcome(&self, result: io::Result<()>) -> Result<(), ClientError> {
        match self.state {
            State::Lingering { .. } | State::Refused => {
                return Err(ClientError::QuestionTooLong);
            }
            State::Late => {
                let time = self.timing.idle_timeout.unwrap_or_default();
                return Err(ClientError::Idle(time));
            }
            State::Talking | State::EndOfFile | State::Refusing => {}
        }
        result.map_err(ClientError::Io)?;
        match self.framer.question_begun() {
            Some(begun) => Err(ClientError::CutShort(
                begun[..begun.len().min(BYTES_SHOWN_MAX)].to_vec(),
            )),
            None => Ok(()),
        }
    }
}
