//! The contract once more, naively, and a client that does anything.
//!
//! [`Reference`] looks at the whole stream at once and cuts nothing; it shares
//! no code and no number with `zen-utils`. [`converse`] plays an arbitrary
//! client against a `Conversation` and compares after each step. Time is a
//! number that the player adds to: nothing here waits.
//!
//! The fuzz target includes this file as well.

use std::io;
use std::time::{Duration, Instant};

use zen_utils::{ClientError, Conversation, Timing, Wants};

use crate::arbitrary::{Result, Unstructured};

const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;
const RECV_BYTES: usize = 2560;

/// What the contract says about a stream of bytes, seen at once.
pub(crate) struct Reference {
    pub(crate) stream: Vec<u8>,
    /// Every answer, one after another.
    answers: Vec<u8>,
    /// For each answer: where in the stream it falls due and where it ends
    /// among the answers.
    due: Vec<(usize, usize)>,
    /// Where in the stream the question begins that no `?` ends.
    rest: usize,
    /// Where in the stream a question becomes too long.
    too_long: Option<usize>,
}

impl Reference {
    pub(crate) fn new(stream: Vec<u8>) -> Self {
        let mut answers = Vec::new();
        let mut due = Vec::new();
        let mut at = 0;
        let too_long = loop {
            let begins = |byte: &u8| !b" \t\n\x0c\r".contains(byte);
            let rest = &stream[at..];
            at += rest.iter().position(begins).unwrap_or(rest.len());
            let rest = &stream[at..];
            let question = rest.split_inclusive(|&byte| byte == b'?').next();
            let question = question.unwrap_or_default();
            if question.len() > 1024
                || question.len() == 1024 && question[1023] != b'?'
            {
                answers.extend_from_slice(b"Error: question too long.");
                due.push((at + 1024, answers.len()));
                break Some(at + 1024);
            }
            if !question.ends_with(b"?") {
                break None;
            }
            answers.extend_from_slice(match question {
                b"Beautiful is better than?" => b"Ugly.",
                b"Explicit is better than?" => b"Implicit.",
                b"Simple is better than?" => b"Complex.",
                _ => b"Error: unknown aphorism.",
            });
            at += question.len();
            due.push((at, answers.len()));
        };
        Self { stream, answers, due, rest: at, too_long }
    }

    /// A stream of whatever matters to the contract, in any order.
    pub(crate) fn arbitrary(u: &mut Unstructured) -> Result<Self> {
        let mut stream = Vec::new();
        for _ in 0..u.int_in_range(0..=30)? {
            let known = [
                &b"Beautiful is better than?"[..],
                b"Explicit is better than?",
                b"Simple is better than?",
            ];
            let question = *u.choose(&known)?;
            let length = u.int_in_range(0..=question.len())?;
            let near_the_limit = u.int_in_range(1020..=1026)?;
            match u.int_in_range(0..=8)? {
                0 | 1 => stream.extend_from_slice(question),
                2 => stream.extend_from_slice(&question[..length]),
                3 => stream.extend_from_slice(u.bytes(length.min(u.len()))?),
                4 => stream.push(*u.choose(b" \t\n\x0c\r\x0b\0?")?),
                5 => stream.resize(stream.len() + length * 100, b' '),
                // Once is enough: each of these bytes is owed 24.
                6 if stream.len() < 2000 => {
                    stream.resize(stream.len() + length * 110, b'?');
                }
                7 => {
                    // Nearly right is wrong.
                    let at = stream.len() + length.min(question.len() - 2);
                    stream.extend_from_slice(question);
                    stream[at] ^= 0x20;
                }
                _ => {
                    stream.push(b'?');
                    stream.resize(stream.len() + near_the_limit, b'x');
                    stream.push(b'?');
                }
            }
        }
        Ok(Self::new(stream))
    }

    /// The questions, in order, without the one that is too long or begun.
    pub(crate) fn questions(&self) -> Vec<&[u8]> {
        let ends = self.due.iter().map(|&(end, _)| end);
        let ends = ends.filter(|&end| Some(end) != self.too_long);
        let mut begin = 0;
        ends.map(|end| {
            let question =
                &self.stream[std::mem::replace(&mut begin, end)..end];
            let begins = |byte: &u8| !b" \t\n\x0c\r".contains(byte);
            &question[question.iter().position(begins).unwrap_or(0)..]
        })
        .collect()
    }

    /// What is begun and not ended after the whole stream.
    pub(crate) fn begun(&self) -> &[u8] {
        &self.stream[self.rest..]
    }

    pub(crate) fn is_too_long(&self) -> bool {
        self.too_long.is_some()
    }

    /// How many bytes of answers are due once so much was received.
    fn answers_due(&self, received: usize) -> usize {
        let n = self.due.partition_point(|&(end, _)| end <= received);
        n.checked_sub(1).map_or(0, |last| self.due[last].1)
    }

    /// Where the answer ends that begins at `at`; one that refuses comes along
    /// with the answer before it, since it takes no thought.
    fn answer_end(&self, at: usize) -> usize {
        let n = self.due.partition_point(|&(_, end)| end <= at);
        match self.due.get(n + 1) {
            Some(&(due, end)) if Some(due) == self.too_long => end,
            _ => self.due[n].1,
        }
    }
}

/// Cuts the next piece off, as recv() might.
pub(crate) fn cut<'a>(
    u: &mut Unstructured,
    rest: &'a [u8],
) -> Result<&'a [u8]> {
    let most = *u.choose(&[1, 30, 1025, RECV_BYTES])?;
    let n = u.int_in_range(1..=most)?;
    let n = if u.is_empty() { RECV_BYTES } else { n };
    Ok(&rest[..n.min(rest.len())])
}

/// Plays an arbitrary client, and a listing that does what is wanted.
pub(crate) fn converse(u: &mut Unstructured, timing: Timing) -> Result<()> {
    let reference = Reference::arbitrary(u)?;
    let mut play = Play::new(&reference, timing);
    while play.conversation.wants() != Wants::Close {
        // When there is no more to decide the client asks, reads and leaves.
        match if u.is_empty() { 9 } else { u.int_in_range(0..=9)? } {
            0 => play.time_passes(u)?,
            1 => play.look_at_the_clock(),
            _ => play.do_what_is_wanted(u)?,
        }
        play.compare();
    }
    play.ended();
    Ok(())
}

/// A conversation beside what it should be doing. Unlike the conversation it
/// counts from the beginning of the stream and forgets nothing.
struct Play<'a> {
    reference: &'a Reference,
    timing: Timing,
    conversation: Conversation,
    now: Instant,
    /// How much of the stream has been received.
    received: usize,
    /// How many bytes of answers have been sent, and how many may be.
    sent: usize,
    released: usize,
    /// Until when the next answer is worked out.
    thinks_until: Instant,
    /// How much of the idle timeout has run down.
    idle: Duration,
    at_end_of_file: bool,
    /// Since when a refused client lingers, and with how many bytes.
    lingers: Option<(Instant, usize)>,
    too_late: bool,
    /// How many receives in a row were as large as a receive may be.
    full_receives: usize,
    /// It was spared since the last receive.
    spared: bool,
}

impl<'a> Play<'a> {
    fn new(reference: &'a Reference, timing: Timing) -> Self {
        let now = Instant::now();
        Self {
            reference,
            timing,
            conversation: Conversation::new(timing, now),
            now,
            received: 0,
            sent: 0,
            released: 0,
            thinks_until: now,
            idle: Duration::ZERO,
            at_end_of_file: false,
            lingers: None,
            too_late: false,
            full_receives: 0,
            spared: false,
        }
    }

    fn owed(&self) -> usize {
        self.reference.answers_due(self.received)
    }

    fn is_refused(&self) -> bool {
        self.reference.too_long.is_some_and(|end| end <= self.received)
    }

    fn wants(&self) -> Wants {
        if self.too_late {
            Wants::Close
        } else if self.sent < self.released {
            Wants::Send
        } else if self.released < self.owed() {
            Wants::Think(self.thinks_until)
        } else if self.at_end_of_file {
            Wants::Close
        } else if let Some((_, bytes)) = self.lingers {
            if bytes < LINGER_BYTES { Wants::Receive } else { Wants::Close }
        } else if self.is_refused() {
            Wants::StopSending
        } else {
            Wants::Receive
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if let Some((since, _)) = self.lingers {
            return Some(since + LINGER);
        }
        let timeout = self.timing.idle_timeout?;
        let thinks = match self.wants() {
            Wants::Think(until) => until.saturating_duration_since(self.now),
            _ => Duration::ZERO,
        };
        Some(self.now + thinks + timeout - self.idle)
    }

    /// The conversation is where the contract says it is.
    fn compare(&self) {
        let wants = self.wants();
        assert_eq!(self.conversation.wants(), wants);
        if wants == Wants::Close {
            return;
        }
        let expected = &self.reference.answers[self.sent..self.released];
        let to_send = self.conversation.to_send();
        assert!(
            to_send == expected,
            "may send {}, should {}",
            to_send.escape_ascii(),
            expected.escape_ascii()
        );
        assert_eq!(self.conversation.deadline(), self.deadline());
        let waiting = self.owed() - self.sent;
        assert!(waiting <= 64 * 1024, "{waiting} bytes of answers wait");
        assert!(waiting == 0 || wants != Wants::Receive);
    }

    fn time_passes(&mut self, u: &mut Unstructured) -> Result<()> {
        let left = |until: Option<Instant>| {
            until.unwrap_or(self.now).saturating_duration_since(self.now)
        };
        let time = match u.int_in_range(0..=4)? {
            0 => Duration::from_millis(u.int_in_range(0..=5000)?),
            1 => left(self.deadline()),
            2 => left(self.deadline()).saturating_sub(Duration::from_nanos(1)),
            _ => Duration::from_micros(u.int_in_range(0..=5000)?),
        };
        self.pass(time);
        Ok(())
    }

    /// The idle timeout runs down, but not while an answer is worked out.
    fn pass(&mut self, time: Duration) {
        let stands_still = match self.wants() {
            Wants::Think(until) => until.saturating_duration_since(self.now),
            _ => Duration::ZERO,
        };
        self.idle += time.saturating_sub(stands_still);
        self.now += time;
    }

    fn look_at_the_clock(&mut self) {
        let late = self.deadline().is_some_and(|at| at <= self.now);
        // Up to 64 KiB are received from a late client while more may wait.
        let more_may_wait = self.wants() == Wants::Receive
            && self.full_receives > 0
            && !self.spared
            && self.full_receives * RECV_BYTES <= 65 * 1024;
        self.spared |= late;
        let late = late && (self.lingers.is_some() || !more_may_wait);
        assert_eq!(self.conversation.expire(self.now), late);
        self.too_late |= late;
    }

    fn do_what_is_wanted(&mut self, u: &mut Unstructured) -> Result<()> {
        match self.conversation.wants() {
            Wants::Receive if self.lingers.is_some() => self.linger(u)?,
            Wants::Receive => self.receive(u)?,
            Wants::Think(until) => {
                self.pass(until.saturating_duration_since(self.now));
                self.conversation.finished_thinking();
                let end = self.reference.answer_end(self.sent);
                self.released = end.min(self.owed());
            }
            Wants::Send => {
                let bytes = self.conversation.to_send().len();
                let n = u.int_in_range(0..=bytes)?;
                let n = if u.is_empty() { bytes } else { n };
                self.conversation.sent(n, self.now);
                self.sent += n;
                if self.sent == self.owed() {
                    self.idle = Duration::ZERO;
                } else if self.sent == self.released {
                    self.thinks_until = self.now + self.timing.think;
                }
            }
            Wants::StopSending => {
                self.conversation.stopped_sending(self.now);
                self.lingers = Some((self.now, 0));
            }
            Wants::Close => {}
        }
        Ok(())
    }

    fn receive(&mut self, u: &mut Unstructured) -> Result<()> {
        let rest = &self.reference.stream[self.received..];
        if rest.is_empty() {
            self.at_end_of_file = true;
            self.conversation.end_of_file();
            return Ok(());
        }
        let piece = cut(u, rest)?;
        self.conversation.received(piece, self.now);
        self.full_receives += 1;
        self.spared = false;
        if piece.len() < RECV_BYTES {
            self.full_receives = 0;
        }
        let due = |received| {
            let due = &self.reference.due;
            due.partition_point(|&(end, _)| end <= received)
        };
        let before = due(self.received);
        self.received += piece.len();
        let questions = due(self.received) - before;
        let questions = questions - usize::from(self.is_refused());
        if questions > 0 {
            self.idle = Duration::ZERO;
        }
        if questions > 0 && !self.timing.think.is_zero() {
            self.thinks_until = self.now + self.timing.think;
        } else {
            self.released = self.owed();
        }
        Ok(())
    }

    /// A refused client sends on, leaves, or sends without end.
    fn linger(&mut self, u: &mut Unstructured) -> Result<()> {
        let Some((_, bytes)) = &mut self.lingers else { return Ok(()) };
        let pieces = match u.int_in_range(0..=20)? {
            0 => {
                self.at_end_of_file = true;
                self.conversation.end_of_file();
                return Ok(());
            }
            1 => LINGER_BYTES / RECV_BYTES,
            _ => 1,
        };
        let piece = &[b'?'; RECV_BYTES][..u.int_in_range(1..=RECV_BYTES)?];
        for _ in 0..pieces {
            if *bytes < LINGER_BYTES {
                self.conversation.received(piece, self.now);
                *bytes += piece.len();
            }
        }
        Ok(())
    }

    /// The log says why, and what happens afterwards changes nothing in it.
    fn ended(mut self) {
        self.compare();
        let sent = &self.reference.answers[..self.sent];
        assert!(self.too_late || sent.len() == self.owed());
        for time in [0, 1, 3600] {
            self.now += Duration::from_secs(time);
            self.conversation.expire(self.now);
            assert_eq!(self.conversation.wants(), Wants::Close);
            self.compare_outcome();
        }
    }

    fn compare_outcome(&self) {
        let begun = self.reference.begun();
        match self.conversation.outcome(Ok(())) {
            Err(ClientError::QuestionTooLong) => {
                assert!(self.lingers.is_some())
            }
            Err(ClientError::Idle(time)) => {
                assert!(self.too_late && self.lingers.is_none());
                assert_eq!(Some(time), self.timing.idle_timeout);
            }
            Err(ClientError::CutShort(bytes)) => {
                assert!(self.at_end_of_file && !self.too_late);
                assert!(self.lingers.is_none() && !begun.is_empty());
                assert_eq!(bytes, begun[..begun.len().min(64)]);
            }
            Err(ClientError::Io(err)) => panic!("no socket, and yet {err}"),
            Ok(()) => {
                assert!(self.at_end_of_file && !self.too_late);
                assert!(self.lingers.is_none() && begun.is_empty());
            }
        }
        // A reset is no reason to log anything else of a client that had its
        // last answer; otherwise it is the reason.
        let reset = io::ErrorKind::ConnectionReset.into();
        match self.conversation.outcome(Err(reset)) {
            Err(ClientError::Io(_)) => {
                assert!(!self.too_late && self.lingers.is_none());
            }
            Err(ClientError::QuestionTooLong) => {
                assert!(self.lingers.is_some())
            }
            Err(ClientError::Idle(_)) => assert!(self.too_late),
            other => panic!("{other:?}"),
        }
    }
}
