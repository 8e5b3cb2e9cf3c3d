//! A client: a real socket, and what it has seen.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use zen_harness::proc::Sockets;
use zen_harness::system;

use crate::line::ClientAct;

const QUESTIONS: [&str; 3] = [
    "Simple is better than?",
    "Beautiful is better than?",
    "Explicit is better than?",
];

/// What a client that floods asks, and at once: the answers are much longer.
const FLOOD: usize = 50_000;
const FLOOD_AT_ONCE: [u8; 1_000] = [b'?'; 1_000];

/// Of an answer this much is shown.
const SHOWN_BYTES: usize = 40;

#[derive(Debug, Default)]
pub(crate) struct Client {
    /// None when it is over, and then `ended` says why.
    sock: Option<TcpStream>,
    ended: String,
    /// By these two ports the kernel's tables know it.
    pub(crate) port: u16,
    server: u16,
    is_connected: bool,
    is_deaf: bool,
    is_finished: bool,
    /// Bytes of the question that it has begun.
    begun: usize,
    /// Questions that are sent as soon as the kernel takes them.
    floods: usize,
    /// What the kernel has not taken: filled by `send`, emptied by `flush`.
    backlog: Vec<u8>,
    asked: usize,
    answered: usize,
    /// When it asked or got the answer before, as the page's clock has it.
    since: Duration,
    took: Option<Duration>,
    /// The answer that is arriving, or arrived last.
    answer: Vec<u8>,
}

/// Where a client is, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    Connecting,
    Queued,
    Held,
    Gone,
    Unknown,
}

fn now() -> Duration {
    UNIX_EPOCH.elapsed().unwrap_or_default()
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let sock = system::begin_to_connect(address, true)?;
        let port = sock.local_addr()?.port();
        let (server, sock) = (address.port(), Some(sock));
        Ok(Self { port, server, sock, ..Self::default() })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.sock.is_none()
    }

    pub(crate) fn act(&mut self, act: &ClientAct) {
        let question = self.question().as_bytes();
        let rest = &question[self.begun.min(question.len() - 1)..];
        match act {
            ClientAct::Connect => {}
            ClientAct::Send(bytes) => self.send(bytes),
            ClientAct::Ask | ClientAct::Rest => self.send(rest),
            ClientAct::Half => self.send(&rest[..rest.len() / 2]),
            ClientAct::Byte => self.send(&rest[..1]),
            ClientAct::Flood => self.floods = FLOOD,
            ClientAct::StopReading => self.is_deaf = true,
            ClientAct::Read => self.is_deaf = false,
            ClientAct::Finish => {
                let sock = self.sock.as_ref();
                sock.map(|it| it.shutdown(Shutdown::Write));
                self.is_finished = true;
            }
            ClientAct::Reset => {
                self.sock.take().map(system::reset);
                self.end("reset the connection");
            }
            ClientAct::Leave => self.end("left"),
        }
    }

    fn question(&self) -> &'static str {
        QUESTIONS[self.asked % QUESTIONS.len()]
    }

    fn end(&mut self, why: &str) {
        self.sock = None;
        self.ended = why.into();
    }

    fn send(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.begun += 1;
            if byte == b'?' {
                if self.asked == self.answered {
                    self.since = now();
                }
                self.asked += 1;
                self.begun = 0;
            }
        }
        self.backlog.extend_from_slice(bytes);
        self.flush();
    }

    fn flush(&mut self) {
        while !self.backlog.is_empty() {
            let Some(sock) = &mut self.sock else { return };
            match sock.write(&self.backlog) {
                Ok(n) => _ = self.backlog.drain(..n),
                Err(err) => return self.failed(&err),
            }
        }
    }

    /// Sends and receives what can be.
    pub(crate) fn tick(&mut self) {
        self.flush();
        while self.floods > 0 && self.backlog.is_empty() && !self.is_over() {
            self.floods -= FLOOD_AT_ONCE.len();
            self.send(&FLOOD_AT_ONCE);
        }
        let mut buffer = [0; 4096];
        // One that gets answers without end may not keep all others waiting.
        for _ in 0..64 {
            let Some(sock) = &mut self.sock else { return };
            if self.is_deaf {
                return;
            }
            match sock.read(&mut buffer) {
                Ok(0) => return self.end("end of file from the server"),
                Ok(n) => self.received(&buffer[..n]),
                Err(err) => return self.failed(&err),
            }
        }
    }

    fn failed(&mut self, err: &io::Error) {
        match err.kind() {
            // The last one: the kernel has not connected it yet.
            ErrorKind::WouldBlock
            | ErrorKind::Interrupted
            | ErrorKind::NotConnected => {}
            ErrorKind::ConnectionReset => self.end("reset by the server"),
            _ => self.end(&err.to_string()),
        }
    }

    /// An answer ends at a full stop.
    fn received(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.answer.last() == Some(&b'.') {
                self.answer.clear();
            }
            if self.answer.len() < SHOWN_BYTES || byte == b'.' {
                self.answer.push(byte);
            }
            if byte == b'.' {
                self.answered += 1;
                self.took = Some(now().saturating_sub(self.since));
                self.since = now();
            }
        }
    }

    pub(crate) fn place(&mut self, sockets: &Sockets) -> Place {
        let Some(sock) = &self.sock else { return Place::Gone };
        self.is_connected = self.is_connected || sock.peer_addr().is_ok();
        match sockets.ends.get(&(self.server, self.port)) {
            _ if !self.is_connected => Place::Connecting,
            Some(it) if it.inode == 0 && it.is_open => Place::Queued,
            Some(it) if it.inode != 0 => Place::Held,
            _ if cfg!(target_os = "linux") => Place::Gone,
            _ => Place::Unknown,
        }
    }

    /// What the page shows of it.
    pub(crate) fn shown(&mut self, sockets: &Sockets) -> Value {
        let place = self.place(sockets);
        let owed = self.asked.saturating_sub(self.answered);
        let mut says = vec![match place {
            _ if self.is_over() => self.ended.clone(),
            Place::Connecting => "the kernel does not answer".into(),
            Place::Queued => "in the accept queue".into(),
            Place::Held => "accepted".into(),
            Place::Gone => "closed by the server".into(),
            Place::Unknown => "connected".into(),
        }];
        if !self.is_over() {
            says.extend(self.is_finished.then(|| "sends no more".into()));
            says.extend(self.is_deaf.then(|| "does not read".into()));
        }
        says.push(match (self.is_over(), owed, self.begun) {
            (false, 2.., _) => format!("waits for {owed} answers"),
            (false, 1, _) => "has asked".into(),
            (_, 0, n @ 1..) => {
                let begun = self.question().get(..n).unwrap_or("something");
                format!("has said \u{201c}{begun}\u{201d}")
            }
            _ if self.asked == 0 => "silent".into(),
            _ => format!("got {} of {} answers", self.answered, self.asked),
        });
        let end = |ports| sockets.ends.get(&ports).copied().unwrap_or_default();
        let theirs = end((self.server, self.port));
        let own = end((self.port, self.server));
        let backlog = self.backlog.len() as u32;
        for (bytes, what) in [
            (theirs.unread, "unread by the server"),
            (own.unsent + backlog, "cannot be sent"),
            (own.unread, "unread by the client"),
            (theirs.unsent, "the server cannot send"),
        ] {
            if bytes > 0 && !self.is_over() {
                says.push(format!("{bytes} bytes {what}"));
            }
        }
        let since = self.since.as_millis();
        json!({
            "place": format!("{place:?}").to_lowercase(),
            "says": says.join(", "),
            "waits": (owed > 0 && !self.is_deaf && !self.is_over()).then_some(since),
            "answer": String::from_utf8_lossy(&self.answer),
            "took": self.took.map(|it| it.as_millis()),
        })
    }
}
