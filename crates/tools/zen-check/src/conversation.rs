//! A client that talks bytes, and looks at every one that it gets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::PATIENCE;
use crate::system;
use crate::verdict::{Fault, Verdict};

pub(crate) const UGLY: &[u8] = b"Beautiful is better than?";
pub(crate) const IMPLICIT: &[u8] = b"Explicit is better than?";
pub(crate) const COMPLEX: &[u8] = b"Simple is better than?";
pub(crate) const UNKNOWN: &[u8] = b"Error: unknown aphorism.";
pub(crate) const TOO_LONG: &[u8] = b"Error: question too long.";

/// A failure shows so many bytes of a piece, and so many pieces.
const BYTES_SHOWN_MAX: usize = 120;
const PIECES_SHOWN_MAX: usize = 24;

/// The questions of [`Client::with_answers_waiting`], and how they are sent.
pub(crate) const QUESTIONS_WAITING: usize = FIRST_BATCH + LAST_BATCH;
/// Their answers, 14 KB, fill most of the buffers of a narrow connection, but
/// not all: nothing of them waits.
const FIRST_BATCH: usize = 600;
/// As many as may be received at once; their answers are 61 KB.
pub(crate) const LAST_BATCH: usize = 2560;

/// The answer to one question.
pub(crate) fn answer(question: &[u8]) -> &'static [u8] {
    match question {
        UGLY => b"Ugly.",
        IMPLICIT => b"Implicit.",
        COMPLEX => b"Complex.",
        _ => UNKNOWN,
    }
}

/// All answers to a stream of questions, none of which is too long.
pub(crate) fn answers(stream: &[u8]) -> Vec<u8> {
    let questions = stream.split_inclusive(|&byte| byte == b'?');
    let whole = questions.filter(|question| question.ends_with(b"?"));
    // It is the same white space in the contract and in this method.
    whole
        .flat_map(|question| answer(question.trim_ascii_start()))
        .copied()
        .collect()
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    EndOfFile,
    Reset,
}

enum Received {
    Bytes(usize),
    End(Ending),
    NothingYet,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its own address, as the server's log shows it.
    pub(crate) address: SocketAddr,
    pub(crate) sock: TcpStream,
    connected: Instant,
    transcript: Vec<String>,
}

impl Client {
    pub(crate) fn connect(to: SocketAddr) -> Verdict<Self> {
        let sock = TcpStream::connect_timeout(&to, PATIENCE);
        Self::connected(sock.map_err(|err| {
            Fault::Server(format!("cannot connect to {to}: {err}"))
        })?)
    }

    /// A client whose connection holds few bytes in each direction.
    pub(crate) fn connect_narrow(to: SocketAddr) -> Verdict<Self> {
        Self::connected(system::connect_narrow(to)?)
    }

    /// A client that has asked [`QUESTIONS_WAITING`] unknown questions, which
    /// have all arrived, and has read nothing. Some of the answers fill the
    /// buffers of its connection, and those to the last receive find no room.
    pub(crate) fn with_answers_waiting(to: SocketAddr) -> Verdict<Self> {
        let mut client = Self::with_full_buffers(to)?;
        client.send_batch(LAST_BATCH)?;
        Ok(client)
    }

    /// The same, but the last receive is still to come.
    pub(crate) fn with_full_buffers(to: SocketAddr) -> Verdict<Self> {
        let mut client = Self::connect_narrow(to)?;
        client.send_batch(FIRST_BATCH)?;
        Ok(client)
    }

    /// Sends so many questions, for the server to receive by themselves.
    pub(crate) fn send_batch(&mut self, questions: usize) -> Verdict {
        self.send(&b"?".repeat(questions))?;
        thread::sleep(Duration::from_millis(20));
        Ok(())
    }

    fn connected(sock: TcpStream) -> Verdict<Self> {
        // Each piece leaves at once, as a segment of its own.
        sock.set_nodelay(true)?;
        sock.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            address: sock.local_addr()?,
            sock,
            connected: Instant::now(),
            transcript: Vec::new(),
        })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Verdict<&mut Self> {
        self.note("sent", bytes);
        match self.sock.write_all(bytes) {
            Ok(()) => Ok(self),
            Err(err) => Err(self.fault(&format!("cannot send: {err}"))),
        }
    }

    /// Sends these bytes over and over until nothing is taken any more, and
    /// returns how many were. It is the server's fault if `most` is reached.
    pub(crate) fn send_until_stalled(
        &mut self,
        bytes: &[u8],
        most: usize,
    ) -> Verdict<usize> {
        let stalled = Duration::from_millis(250);
        self.sock.set_write_timeout(Some(stalled))?;
        let many = bytes.repeat(1 + (1 << 16) / bytes.len());
        let mut sent = 0;
        while sent < most {
            match self.sock.write(&many[sent % bytes.len()..]) {
                Ok(n) => sent += n,
                Err(err) if is_timeout(err.kind()) => {
                    self.sock.set_write_timeout(Some(PATIENCE))?;
                    self.note(
                        &format!("sent until stalled: {sent} B of"),
                        bytes,
                    );
                    return Ok(sent);
                }
                Err(err) => {
                    return Err(self.fault(&format!("cannot send: {err}")));
                }
            }
        }
        Err(self.fault(&format!("{sent} bytes taken, and nothing read")))
    }

    /// Expects exactly these bytes. What comes after them is found by whatever
    /// is expected next.
    pub(crate) fn expect(&mut self, expected: &[u8]) -> Verdict<&mut Self> {
        let mut buffer = vec![0; expected.len().min(1 << 16)];
        let mut rest = expected;
        while !rest.is_empty() {
            let room = rest.len().min(buffer.len());
            let what = match self.receive(&mut buffer[..room], PATIENCE)? {
                Received::Bytes(n) if buffer[..n] == rest[..n] => {
                    rest = &rest[n..];
                    continue;
                }
                Received::Bytes(_) => "something else".to_string(),
                Received::End(ending) => format!("{ending:?}"),
                Received::NothingYet => format!("nothing in {PATIENCE:?}"),
            };
            return Err(self.fault(&format!(
                "expected b\"{}\", received {what}",
                shown(rest)
            )));
        }
        Ok(self)
    }

    /// Asks one question and expects its answer.
    pub(crate) fn ask(&mut self, question: &[u8]) -> Verdict<&mut Self> {
        self.send(question)?.expect(answer(question))
    }

    /// Asks any question: the server is there for this client.
    pub(crate) fn asks(&mut self) -> Verdict<&mut Self> {
        self.ask(COMPLEX)
    }

    /// Expects neither a byte nor an end for so long.
    pub(crate) fn expect_silence(&mut self, time: Duration) -> Verdict {
        match self.receive(&mut [0; 256], time)? {
            Received::NothingYet => Ok(()),
            Received::Bytes(_) => Err(self.fault("expected silence")),
            Received::End(ending) => {
                Err(self.fault(&format!("expected silence, not {ending:?}")))
            }
        }
    }

    /// Expects the end of file, and not a byte before it.
    pub(crate) fn expect_eof(&mut self) -> Verdict {
        match self.rest(PATIENCE)? {
            (bytes, Ending::EndOfFile) if bytes.is_empty() => Ok(()),
            (_, ending) => {
                Err(self.fault(&format!("expected EndOfFile, not {ending:?}")))
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
                    return Err(self.fault("the connection does not end"));
                }
            }
        }
    }

    /// Reads at most so many bytes, if there are any.
    pub(crate) fn read_some(&mut self, most: usize) -> Verdict<usize> {
        let mut buffer = vec![0; most];
        match self.receive(&mut buffer, Duration::from_millis(1))? {
            Received::Bytes(n) => Ok(n),
            Received::End(_) | Received::NothingYet => Ok(0),
        }
    }

    /// Shuts the sending side down.
    pub(crate) fn stop_sending(&mut self) -> Verdict<&mut Self> {
        self.note("sent the end of file", b"");
        self.sock.shutdown(Shutdown::Write)?;
        Ok(self)
    }

    /// Sends no more, and expects nothing more than the end of file.
    pub(crate) fn leave(&mut self) -> Verdict {
        self.stop_sending()?.expect_eof()
    }

    /// Leaves with a reset.
    pub(crate) fn reset(self) -> Verdict {
        system::reset_on_close(&self.sock)
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
                    return Ok(Received::Bytes(n));
                }
                Err(err) => match err.kind() {
                    Interrupted => continue,
                    ConnectionReset | ConnectionAborted => {
                        Received::End(Ending::Reset)
                    }
                    kind if is_timeout(kind) => Received::NothingYet,
                    _ => return Err(self.fault(&err.to_string())),
                },
            };
            if let Received::End(ending) = received {
                self.note(&format!("received {ending:?}"), b"");
            }
            return Ok(received);
        }
    }

    fn note(&mut self, what: &str, bytes: &[u8]) {
        if self.transcript.len() == PIECES_SHOWN_MAX {
            self.transcript.remove(PIECES_SHOWN_MAX / 2);
        }
        let time = self.connected.elapsed().as_secs_f64();
        let bytes = match bytes {
            [] => String::new(),
            bytes => format!("b\"{}\"", shown(bytes)),
        };
        self.transcript.push(format!("{time:7.3} s  {what} {bytes}"));
    }

    /// The server's fault, with what was said.
    pub(crate) fn fault(&self, what: &str) -> Fault {
        let transcript = self.transcript.join("\n    ");
        let address = self.address;
        Fault::Server(format!("{what}\n  client {address}:\n    {transcript}"))
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// As many of the bytes as a reader wants to see, escaped.
fn shown(bytes: &[u8]) -> String {
    let first = &bytes[..bytes.len().min(BYTES_SHOWN_MAX)];
    match bytes.len() - first.len() {
        0 => first.escape_ascii().to_string(),
        more => format!("{}... {more} more", first.escape_ascii()),
    }
}
