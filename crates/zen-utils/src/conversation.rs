//! One client's side of the protocol: what has arrived, what is owed, and how
//! long that may take. No I/O, no clock of its own.
//!
//! A listing asks a [`Conversation`] what it [wants](Wants), waits for that in
//! its own way, and tells it what happened:
//!
//! ```text
//! Wants::Receive      -> recv() -> received(bytes) or end_of_file()
//! Wants::Think(until) -> sleep  -> finished_thinking()
//! Wants::Send         -> send(to_send()) -> sent(n)
//! Wants::StopSending  -> shutdown(2) -> stopped_sending()
//! Wants::Close        -> close
//! ```

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::aphorisms::{ANSWER_BYTES_MAX, QUESTION_TOO_LONG};
use crate::command_line::Timing;
use crate::framing::{Framer, QuestionTooLong};
use crate::get_answer;

/// How many bytes a listing may receive at once.
///
/// The shortest question is a lone `?`: one byte. Nothing is received while
/// answers wait, so that this bounds them too, at [`TO_SEND_BYTES_MAX`].
pub const RECV_BYTES_MAX: usize = 2560;

/// How many bytes of answers can wait for one client.
pub const TO_SEND_BYTES_MAX: usize = RECV_BYTES_MAX * ANSWER_BYTES_MAX;
const _: () = assert!(TO_SEND_BYTES_MAX <= 64 * 1024);

/// How long a client that was told to go may take to read that.
pub const LINGER_TIME_MAX: Duration = Duration::from_secs(2);

/// How much of what such a client still sends is read and thrown away.
pub const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The buffer of a client whose answers are all sent is kept up to this size,
/// so that further answers allocate nothing; what a burst has left is freed.
const KEPT_BYTES_MAX: usize = 1024;

/// Longest excerpt of client data in a log line, in bytes.
pub const BYTES_SHOWN_MAX: usize = 64;

// ANCHOR: five_wants
/// What a conversation waits for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Bytes from the client, [`RECV_BYTES_MAX`] at most.
    Receive,
    /// The next answer is worked out at this instant.
    Think(Instant),
    /// Room in the socket for [`Conversation::to_send`].
    Send,
    /// The sending side of the socket to be shut down, so that the client
    /// meets the end of file after its last answer.
    StopSending,
    /// Nothing any more.
    Close,
}
// ANCHOR_END: five_wants

/// Why a conversation ended otherwise than between two questions.
#[derive(Debug)]
pub enum ClientError {
    /// The client left in the middle of this question (64 bytes of it).
    CutShort(Vec<u8>),
    /// A question of more than 1,024 bytes.
    QuestionTooLong,
    /// `--idle-timeout` has passed.
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
    /// Questions are welcome.
    Talking,
    /// The client sends no more; what it is owed is still sent.
    EndOfFile,
    /// The last answer is that the question was too long.
    Refusing,
    /// That answer is sent; what the client still sends is thrown away.
    Lingering { until: Instant, bytes_left: usize },
    /// The client has read that answer, or had its time.
    Refused,
    /// The idle time-out has passed.
    Late,
}

/// The conversation with one client.
#[derive(Debug)]
pub struct Conversation {
    framer: Framer,
    state: State,
    timing: Timing,
    /// The answers owed, one after another. Filled by `received`, emptied by
    /// `sent` when the last byte is gone.
    answers: Vec<u8>,
    /// How many bytes of them are sent.
    bytes_sent: usize,
    /// How many bytes of them are worked out and may be sent.
    bytes_ready: usize,
    /// How many answers are still to be worked out.
    answers_to_think: usize,
    thinks_until: Instant,
    /// When the idle time-out last began to run.
    clock: Instant,
}

impl Conversation {
    /// A client has connected.
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

    /// Whether there is nothing left to wait for.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.wants() == Wants::Close
    }

    /// These bytes have arrived: at most [`RECV_BYTES_MAX`], and only when
    /// that was [wanted](Wants::Receive).
    // ANCHOR: received
    pub fn received(&mut self, mut bytes: &[u8], now: Instant) {
        if let State::Lingering { bytes_left, .. } = &mut self.state {
            *bytes_left = bytes_left.saturating_sub(bytes.len());
            if *bytes_left == 0 {
                self.state = State::Refused;
            }
            return;
        }
        let thinks = !self.timing.think.is_zero();
        loop {
            match self.framer.next_question(&mut bytes) {
                Ok(Some(question)) => {
                    self.answers.extend_from_slice(get_answer(question));
                    self.answers_to_think += usize::from(thinks);
                    self.clock = now;
                }
                Ok(None) => break,
                Err(QuestionTooLong) => {
                    self.answers.extend_from_slice(QUESTION_TOO_LONG);
                    self.state = State::Refusing;
                    break;
                }
            }
        }
        if self.answers_to_think > 0 {
            self.begin_to_think(now);
        } else {
            self.bytes_ready = self.answers.len();
        }
    }
    // ANCHOR_END: received

    fn begin_to_think(&mut self, now: Instant) {
        self.thinks_until = now + self.timing.think;
        // The idle time-out stands still meanwhile.
        self.clock += self.timing.think;
    }

    /// The next answer is worked out: [`Wants::Think`] is over.
    pub fn finished_thinking(&mut self) {
        self.answers_to_think = self.answers_to_think.saturating_sub(1);
        let waiting = &self.answers[self.bytes_ready..];
        // Answers end in `.`. A last answer that refuses needs no thought.
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

    /// The socket took the first `n` bytes of [`to_send`](Self::to_send).
    // ANCHOR: sent
    pub fn sent(&mut self, n: usize, now: Instant) {
        self.bytes_sent = self.bytes_ready.min(self.bytes_sent + n);
        if self.bytes_sent < self.bytes_ready {
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

    /// The client sends no more.
    pub fn end_of_file(&mut self) {
        match self.state {
            State::Talking => self.state = State::EndOfFile,
            State::Lingering { .. } => self.state = State::Refused,
            _ => {}
        }
    }

    /// The sending side is shut down: [`Wants::StopSending`] is over. The
    /// [`deadline`](Self::deadline) may be nearer now than it was.
    pub fn stopped_sending(&mut self, now: Instant) {
        self.state = State::Lingering {
            until: now + LINGER_TIME_MAX,
            bytes_left: LINGER_BYTES_MAX,
        };
    }

    /// When this client will be late, if nothing happens until then.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Lingering { until, .. } => Some(until),
            _ => self.clock.checked_add(self.timing.idle_timeout?),
        }
    }

    /// Ends the conversation if its deadline has passed, and says whether.
    pub fn expire(&mut self, now: Instant) -> bool {
        let late = !self.is_over()
            && self.deadline().is_some_and(|deadline| deadline <= now);
        if late {
            self.state = match self.state {
                State::Lingering { .. } => State::Refused,
                _ => State::Late,
            };
        }
        late
    }

    /// How the conversation ended, for the log; `result` is the socket's part
    /// in it.
    ///
    /// # Errors
    ///
    /// Whatever was not an end between two questions.
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
