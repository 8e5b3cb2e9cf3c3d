//! A client that sends bytes, and checks every byte that it gets.

mod difference;

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use zen_harness::system;

use crate::contract::{COMPLEX, answer};
use crate::heard::Speech;
use crate::outcome::{Because, Failure};
use crate::process::PATIENCE;
use crate::random::Random;
use crate::transcript::Transcript;
use crate::verdict::{Fault, Verdict};
pub(crate) use difference::difference;
use difference::has_other_words;

/// A failure shows this many bytes of a piece, and this many pieces.
const BYTES_SHOWN_MAX: usize = 120;
const PIECES_SHOWN_MAX: usize = 24;

/// Questions that a client asks without reading. Their answers, 14 KB, fill most
/// of the buffers of a narrow connection, but not all: nothing of them waits.
pub(crate) const FIRST_BATCH: usize = 600;
/// As many as may be received at once; their answers are 61 KB.
pub(crate) const LAST_BATCH: usize = 2560;

/// Nothing more belongs to an answer after such a silence.
pub(crate) const QUIET: Duration = Duration::from_millis(150);

/// A server that takes nothing in this time holds its client back.
const STALLED: Duration = Duration::from_millis(250);

/// Long enough for two pieces to be received as two. It waits for nothing: if
/// they are received as one all the same, the case asks for less, not for
/// something wrong.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);

/// The most bytes of a piece that is cut at random.
const PIECE_BYTES_MAX: usize = 90;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    EndOfFile,
    Reset,
}

impl Ending {
    /// What it usually means where it is not expected.
    fn means(self) -> &'static str {
        match self {
            Self::EndOfFile => EARLY_END,
            Self::Reset => RESET,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndOfFile => "the end of file",
            Self::Reset => "a reset, which ends it at once",
        })
    }
}

/// What it usually means, for a student who has only this to read.
const RESET: &str = "The system sends a reset when the server closes the \
    socket, or its process ends, while bytes from the client are still unread. \
    Read until the end of file before you close.";
const EARLY_END: &str = "The server closed this connection too early, or the \
    thread or process that served it has ended.";
pub(crate) const NOTHING: &str = "The server still waits: for more bytes than there are, \
    for another client, or forever, because it has lost the question or the \
    answer.";
const NO_END: &str = "The server does not close its end. When recv() returns \
    no bytes, the client will send no more: send what is owed, and close.";
const NOT_READ: &str = "The server does not receive what the client sends.";
const REFUSED: &str = "Nothing listens there any more: the server has ended, \
    or has closed its listening socket.";

enum Received {
    Bytes(usize),
    End(Ending),
    NothingYet,
}

/// What came after the last byte.
#[derive(Clone, Copy)]
enum Then {
    More,
    End(Ending),
    Nothing(Duration),
    /// The end of file, which is not what is wrong.
    AsExpected,
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::More => Ok(()),
            Self::End(ending) => write!(f, "{ending}"),
            Self::Nothing(time) => {
                write!(f, "nothing for {} s", time.as_secs())
            }
            Self::AsExpected => f.write_str("the end of file, as expected"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    /// Its own address, as the server's log shows it.
    pub(crate) address: SocketAddr,
    pub(crate) sock: TcpStream,
    /// How it says what it is told to, and what it expects.
    speech: Arc<Speech>,
    /// How much of the server's greeting has come.
    greeted: usize,
    transcript: Transcript<Line>,
}

/// What was sent or received, in one piece or in several.
#[derive(Debug)]
struct Line {
    what: &'static str,
    pieces: usize,
    bytes: usize,
    shown: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, pieces, bytes, shown } = self;
        write!(f, "{what:8}")?;
        match (pieces, bytes) {
            (_, 0) => Ok(()),
            (1, _) => write!(f, " b\"{shown}\""),
            _ => write!(
                f,
                " b\"{shown}\" and more: {bytes} B in {pieces} pieces"
            ),
        }
    }
}

impl Client {
    /// A client that speaks as those of a case do.
    pub(crate) fn connect(
        to: SocketAddr,
        speech: &Arc<Speech>,
    ) -> Verdict<Self> {
        Self::over(connected(to, system::connect(to, PATIENCE))?, speech)
    }

    pub(crate) fn over(sock: TcpStream, speech: &Arc<Speech>) -> Verdict<Self> {
        // Each piece leaves at once, as a segment of its own.
        sock.set_nodelay(true)?;
        sock.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            address: sock.local_addr()?,
            sock,
            speech: Arc::clone(speech),
            greeted: 0,
            transcript: Transcript::of(PIECES_SHOWN_MAX),
        })
    }

    /// Sends questions for the server to receive by themselves.
    pub(crate) fn send_batch(&mut self, questions: &[u8]) -> Verdict {
        self.send(questions)?;
        thread::sleep(Duration::from_millis(20));
        Ok(())
    }

    /// Sends these bytes without end, each time after this pause, and reads what
    /// comes. It cannot be used for anything else any more.
    pub(crate) fn go_on_sending(
        &self,
        bytes: &[u8],
        pause: Duration,
    ) -> Verdict<Flood> {
        let bytes = self.speech.dialect.said(bytes).into_owned();
        let (mut to, mut from) =
            (self.sock.try_clone()?, self.sock.try_clone()?);
        from.set_read_timeout(None)?;
        let sends = move || {
            while to.write_all(&bytes).is_ok() {
                thread::sleep(pause);
            }
        };
        let reads = move || _ = io::copy(&mut from, &mut io::sink());
        let (sock, threads) = (self.sock.try_clone()?, Vec::new());
        let mut flood = Flood { sock, threads };
        flood.threads.push(thread::Builder::new().spawn(sends)?);
        flood.threads.push(thread::Builder::new().spawn(reads)?);
        Ok(flood)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Verdict<&mut Self> {
        let speech = Arc::clone(&self.speech);
        let bytes = speech.dialect.said(bytes);
        self.note("sent", &bytes);
        match self.sock.write_all(&bytes) {
            Ok(()) => Ok(self),
            Err(err) => {
                let what = format!("cannot send: {err}");
                Err(match is_timeout(err.kind()) {
                    true => self.explained(what, None, None, NOT_READ),
                    false => self.explained(what, None, Some(false), EARLY_END),
                })
            }
        }
    }

    /// Sends each piece as a segment of its own.
    pub(crate) fn send_pieces<'a>(
        &mut self,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Verdict<&mut Self> {
        for piece in pieces {
            self.send(piece)?;
            thread::sleep(BETWEEN_PIECES);
        }
        Ok(self)
    }

    /// Sends these bytes cut at random, more often into short pieces.
    pub(crate) fn send_cut(
        &mut self,
        bytes: &[u8],
        seed: u64,
    ) -> Verdict<&mut Self> {
        let mut random = Random::new(seed);
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = 1 + random.below(PIECE_BYTES_MAX);
            let cut = rest.len().min(1 + random.below(most));
            let (piece, later) = rest.split_at(cut);
            self.send_pieces([piece])?;
            rest = later;
        }
        Ok(self)
    }

    /// Sends these bytes over and over until the server takes none for a while,
    /// and returns how many it took. It is the server's fault if `most` is
    /// reached. A slow server does not make room to write each time that it
    /// receives, so what it has not received yet is looked at too.
    pub(crate) fn send_until_stalled(
        &mut self,
        bytes: &[u8],
        most: usize,
    ) -> Verdict<usize> {
        self.sock.set_write_timeout(Some(STALLED / 5))?;
        let server = self.sock.peer_addr()?;
        let unread = || zen_harness::proc::unread(server, self.address);
        let (mut moved, mut before) = (Instant::now(), None);
        let many =
            self.speech.dialect.said(bytes).repeat(1 + (1 << 16) / bytes.len());
        let mut sent = 0;
        while sent < most {
            let now = match self.sock.write(&many[sent % bytes.len()..]) {
                Err(err) if is_timeout(err.kind()) => unread(),
                Err(err) => {
                    return Err(self.fault(&format!("cannot send: {err}")));
                }
                Ok(n) => {
                    sent += n;
                    moved = Instant::now();
                    continue;
                }
            };
            if now != before {
                (moved, before) = (Instant::now(), now);
            }
            if moved.elapsed() >= STALLED {
                self.sock.set_write_timeout(Some(PATIENCE))?;
                let first = &many[..sent.min(many.len())];
                self.note("sent until stalled", first);
                if let Some(line) = self.transcript.last().next() {
                    line.bytes = sent;
                }
                return Ok(sent);
            }
        }
        Err(self.fault(&format!(
            "the server took {sent} bytes from a client that reads no answers"
        )))
    }

    /// Expects exactly these bytes. What comes after them is left for the next
    /// expectation.
    pub(crate) fn expect(&mut self, expected: &[u8]) -> Verdict<&mut Self> {
        let speech = Arc::clone(&self.speech);
        let patience = speech.patience;
        let right = speech.dialect.answered(expected);
        let expected = &*speech.expected(expected);
        let mut buffer = vec![0; expected.len().min(1 << 16)];
        let mut have = 0;
        while have < expected.len() {
            let rest = &expected[have..];
            let room = rest.len().min(buffer.len());
            let mut came = Vec::new();
            let then = match self.receive(&mut buffer[..room], patience)? {
                Received::Bytes(n) if buffer[..n] == rest[..n] => {
                    have += n;
                    continue;
                }
                Received::Bytes(n) => {
                    came.extend_from_slice(&buffer[..n]);
                    // A reader of the failure wants to see some more.
                    let mut more = [0; 256];
                    let moment = Duration::from_millis(50);
                    if let Ok(Received::Bytes(n)) =
                        self.receive(&mut more, moment)
                    {
                        came.extend_from_slice(&more[..n]);
                    }
                    Then::More
                }
                Received::End(ending) => Then::End(ending),
                Received::NothingYet => Then::Nothing(patience),
            };
            let came = [&expected[..have], &came].concat();
            return Err(self.unexpected(expected, &came, then));
        }
        if *expected != *right {
            self.note_other_words(&right, expected);
        }
        Ok(self)
    }

    /// What came is what this server says: the case goes on, and fails.
    fn note_other_words(&self, right: &[u8], came: &[u8]) {
        self.speech.note_other_words(|| Failure {
            because: Some(Because::Words),
            ..self.difference(right, came, Then::More)
        });
    }

    /// The server's fault: these bytes, and this end, instead of those.
    fn unexpected(
        &self,
        expected: &[u8],
        received: &[u8],
        then: Then,
    ) -> Fault {
        Fault::Server(Box::new(self.difference(expected, received, then)))
    }

    fn difference(
        &self,
        expected: &[u8],
        received: &[u8],
        then: Then,
    ) -> Failure {
        let what = match (expected, received, then) {
            (_, [], Then::End(_) | Then::Nothing(_)) => {
                format!("instead of b\"{}\" came {then}", shown(expected))
            }
            ([], ..) => "the server sent bytes when it should send none".into(),
            _ if received.starts_with(expected) => {
                "the server sent too many bytes".into()
            }
            _ if expected.starts_with(received) => {
                let missing = expected.len() - received.len();
                format!("{missing} bytes of the answers are missing")
            }
            _ => "the answers are not the expected bytes".to_string(),
        };
        let (ending, means, end) = match then {
            Then::More => (None, None, String::new()),
            Then::AsExpected => (Some(true), None, format!(", then {then}")),
            Then::End(end) => {
                (Some(false), Some(end.means()), format!(", then {then}"))
            }
            Then::Nothing(_) => (None, Some(NOTHING), format!(", then {then}")),
        };
        let answers = self.speech.expected_answers();
        let words = has_other_words(expected, received, &answers);
        self.told(Failure {
            bytes: Some(false),
            ending,
            difference: difference(expected, received, &end),
            // No machine is so busy that other bytes come.
            certain: !expected.starts_with(received),
            means: means.map(str::to_owned),
            because: words.then_some(Because::Words),
            ..Failure::new(what)
        })
    }

    /// What comes until it is what is expected, or until there is a silence;
    /// and how the connection has ended, if it has.
    pub(crate) fn next_words(
        &mut self,
        expected: &[u8],
        patience: Duration,
    ) -> (Vec<u8>, Option<Ending>) {
        let (mut words, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let patience = match words.is_empty() {
                true => patience,
                false if expected.starts_with(&words) => 4 * QUIET,
                false => QUIET,
            };
            match self.receive(&mut buffer, patience) {
                Ok(Received::Bytes(n)) => words.extend_from_slice(&buffer[..n]),
                Ok(Received::End(ending)) => return (words, Some(ending)),
                Ok(Received::NothingYet) | Err(_) => return (words, None),
            }
            if words == expected || words.len() > buffer.len() {
                return (words, None);
            }
        }
    }

    pub(crate) fn ask(&mut self, question: &[u8]) -> Verdict<&mut Self> {
        self.send(question)?.expect(answer(question))
    }

    /// Asks any question: the server is there for this client.
    pub(crate) fn asks(&mut self) -> Verdict<&mut Self> {
        self.ask(COMPLEX)
    }

    /// Whether any byte comes in that time.
    pub(crate) fn hears(&mut self, patience: Duration) -> bool {
        matches!(self.receive(&mut [0; 256], patience), Ok(Received::Bytes(_)))
    }

    /// Expects neither a byte nor an end in this time.
    pub(crate) fn expect_silence(&mut self, time: Duration) -> Verdict {
        let mut buffer = [0; 256];
        match self.receive(&mut buffer, time)? {
            Received::NothingYet => Ok(()),
            Received::Bytes(n) => {
                Err(self.unexpected(b"", &buffer[..n], Then::More))
            }
            Received::End(ending) => {
                let what = format!("the server ended the connection: {ending}");
                let means = ending.means();
                Err(self.explained(what, Some(true), Some(false), means))
            }
        }
    }

    /// Expects the end of file, and not a byte before it.
    pub(crate) fn expect_eof(&mut self) -> Verdict {
        match self.rest(PATIENCE)? {
            (bytes, Ending::EndOfFile) if bytes.is_empty() => Ok(()),
            (bytes, Ending::EndOfFile) => {
                Err(self.unexpected(b"", &bytes, Then::AsExpected))
            }
            (bytes, Ending::Reset) => {
                let what = "the connection ended with a reset, not with the end of file";
                let bytes = Some(bytes.is_empty());
                Err(self.explained(what, bytes, Some(false), RESET))
            }
        }
    }

    /// Everything up to the end, and how it ended.
    pub(crate) fn rest(
        &mut self,
        patience: Duration,
    ) -> Verdict<(Vec<u8>, Ending)> {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        loop {
            match self.receive(&mut buffer, patience)? {
                Received::Bytes(n) => bytes.extend_from_slice(&buffer[..n]),
                Received::End(ending) => return Ok((bytes, ending)),
                Received::NothingYet => {
                    let what = format!(
                        "the connection does not end: nothing for {patience:?}"
                    );
                    let no_bytes = bytes.is_empty().then_some(true);
                    let no_end = Some(false);
                    return Err(self.explained(what, no_bytes, no_end, NO_END));
                }
            }
        }
    }

    /// Reads at most this many bytes, if there are any.
    pub(crate) fn read_some(&mut self, most: usize) -> Verdict<usize> {
        let mut buffer = vec![0; most];
        match self.receive(&mut buffer, Duration::from_millis(1))? {
            Received::Bytes(n) => Ok(n),
            Received::End(_) | Received::NothingYet => Ok(0),
        }
    }

    pub(crate) fn stop_sending(&mut self) -> Verdict<&mut Self> {
        self.note("sent the end of file", b"");
        match self.sock.shutdown(Shutdown::Write) {
            Ok(()) => Ok(self),
            Err(_) => {
                let what = "the server has ended the connection already";
                Err(self.explained(what, None, Some(false), RESET))
            }
        }
    }

    /// Sends no more, and expects nothing more than the end of file.
    pub(crate) fn leave(&mut self) -> Verdict {
        self.stop_sending()?.expect_eof()
    }

    pub(crate) fn reset(self) -> Verdict {
        Ok(system::reset(self.sock)?)
    }

    fn receive(
        &mut self,
        buffer: &mut [u8],
        patience: Duration,
    ) -> Verdict<Received> {
        use ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left.max(Duration::from_millis(1));
            self.sock.set_read_timeout(Some(left))?;
            let received = match self.sock.read(buffer) {
                Ok(0) => Received::End(Ending::EndOfFile),
                Ok(n) => {
                    self.note("received", &buffer[..n]);
                    match self.without_greeting(&mut buffer[..n]) {
                        0 => continue,
                        n => return Ok(Received::Bytes(n)),
                    }
                }
                Err(err) => match err.kind() {
                    Interrupted => continue,
                    ConnectionReset | ConnectionAborted => {
                        Received::End(Ending::Reset)
                    }
                    kind if is_timeout(kind) => Received::NothingYet,
                    _ if system::is_own(&err) => return Err(err.into()),
                    _ => return Err(self.fault(&err.to_string())),
                },
            };
            // A case that looks again gets the same result again.
            let last = self.transcript.last().next();
            if last.is_none_or(|last| last.bytes > 0) {
                match received {
                    Received::End(Ending::EndOfFile) => {
                        self.note("received the end of file", b"");
                    }
                    Received::End(Ending::Reset) => {
                        let what = "received a reset, which ends it at once";
                        self.note(what, b"");
                    }
                    _ => {}
                }
            }
            return Ok(received);
        }
    }

    /// Takes the greeting of this server out, and returns what is left.
    fn without_greeting(&mut self, bytes: &mut [u8]) -> usize {
        let speech = Arc::clone(&self.speech);
        let greeting = &speech.greeting()[self.greeted..];
        let same = greeting.iter().zip(&*bytes).take_while(|(a, b)| a == b);
        let same = same.count();
        if same > 0 {
            self.note_other_words(b"", speech.greeting());
        }
        // It comes first, or not at all.
        self.greeted += match same {
            same if same == bytes.len() => same,
            _ => greeting.len(),
        };
        bytes.copy_within(same.., 0);
        bytes.len() - same
    }

    fn note(&mut self, what: &'static str, bytes: &[u8]) {
        let mut last = self.transcript.last();
        if let (Some(b), Some(a)) = (last.next(), last.next()) {
            // A flood of answers is told in one line.
            if !bytes.is_empty() && a.what == what && b.what == what {
                b.pieces += 1;
                b.bytes += bytes.len();
                return;
            }
        }
        drop(last);
        let (bytes, shown) = (bytes.len(), shown(bytes));
        let line = Line { what, pieces: 1, bytes, shown };
        self.transcript.add(self.speech.begun.elapsed(), line);
    }

    /// The server's fault, with what was said.
    pub(crate) fn fault(&self, what: &str) -> Fault {
        Fault::Server(Box::new(self.told(Failure::new(what))))
    }

    /// The same, with what is right and wrong, and what it usually means.
    fn explained(
        &self,
        what: impl Into<String>,
        bytes: Option<bool>,
        ending: Option<bool>,
        means: &str,
    ) -> Fault {
        let means = Some(means.into());
        let failure = Failure { bytes, ending, means, ..Failure::new(what) };
        Fault::Server(Box::new(self.told(failure)))
    }

    /// With what was said.
    fn told(&self, failure: Failure) -> Failure {
        let first = format!("client {}", self.address);
        let transcript = [vec![first], self.transcript.lines()].concat();
        let means = failure.means.as_deref();
        let starved = [Some(NOTHING), Some(NO_END)].contains(&means);
        Failure { transcript, starved, ..failure }
    }
}

/// A client that sends without end, until this is dropped.
#[derive(Debug)]
pub(crate) struct Flood {
    sock: TcpStream,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.sock.shutdown(Shutdown::Both).ok();
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// A connection to a server, or whose fault it is that there is none.
pub(crate) fn connected(
    to: SocketAddr,
    sock: io::Result<TcpStream>,
) -> Verdict<TcpStream> {
    sock.map_err(|err| match err.kind() {
        ErrorKind::Unsupported => Fault::skipped(err.to_string()),
        _ if system::is_own(&err) => err.into(),
        kind => Fault::Server(Box::new(Failure {
            means: (kind == ErrorKind::ConnectionRefused)
                .then(|| REFUSED.into()),
            ..Failure::new(format!("cannot connect to {to}: {err}"))
        })),
    })
}

pub(crate) fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// As many of the bytes as a reader wants to see, escaped.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let first = &bytes[..bytes.len().min(BYTES_SHOWN_MAX)];
    match bytes.len() - first.len() {
        0 => first.escape_ascii().to_string(),
        more => format!("{}... {more} more", first.escape_ascii()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_the_checker_lacks_is_not_the_servers_fault() {
        let to = SocketAddr::from(([127, 0, 0, 1], 1060));
        let fault = |error| {
            let error = io::Error::from_raw_os_error(error);
            connected(to, Err(error)).unwrap_err()
        };
        for own in [libc::EMFILE, libc::EADDRNOTAVAIL, libc::EAGAIN] {
            assert!(matches!(fault(own), Fault::Checker(_)), "{own}");
        }
        let refused = fault(libc::ECONNREFUSED);
        assert!(matches!(refused, Fault::Server(_)), "{refused:?}");
    }
}
