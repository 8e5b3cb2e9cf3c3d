//! A client: a real socket, and what it has seen.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zen_harness::proc::Socket;
use zen_harness::system;

use crate::line::ClientAct;

const QUESTIONS: [&str; 3] = [
    "Simple is better than?",
    "Beautiful is better than?",
    "Explicit is better than?",
];

/// What a client that floods sends at most.
const FLOOD_QUESTIONS: usize = 50_000;

/// Of an answer this much is shown.
const SHOWN_BYTES: usize = 40;

#[derive(Debug)]
pub(crate) struct Client {
    sock: Option<TcpStream>,
    /// Its own port, by which the kernel's tables know it.
    pub(crate) port: u16,
    is_connected: bool,
    reads: bool,
    has_finished: bool,
    /// Bytes of the question that it has begun.
    begun: usize,
    /// What the kernel has not taken: filled by `send`, emptied by `tick`.
    backlog: Vec<u8>,
    asked: usize,
    answered: usize,
    /// Since it asked, or got the answer before.
    since: Instant,
    took: Option<Duration>,
    /// The answer that is arriving, or arrived last.
    answer: Vec<u8>,
    /// Why it is over.
    ended: Option<String>,
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

/// The sockets of a lane, by the port of the other end, and by their number.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// The server's ends, by the client's port.
    pub(crate) servers: HashMap<u16, Socket>,
    /// The clients' ends, by their port.
    clients: HashMap<u16, Socket>,
    /// By the number of the server's ends.
    pub(crate) numbers: HashMap<u64, Socket>,
}

impl Sockets {
    pub(crate) fn of(port: u16, all: &[Socket]) -> Self {
        let mut sockets = Self::default();
        for socket in all {
            if socket.local == port {
                sockets.servers.insert(socket.remote, *socket);
                sockets.numbers.insert(socket.inode, *socket);
            } else if socket.remote == port {
                sockets.clients.insert(socket.local, *socket);
            }
        }
        sockets
    }

    /// How many clients the kernel has connected that no one has accepted.
    pub(crate) fn queue(&self) -> u32 {
        let all = self.numbers.values();
        all.filter(|it| it.listens).map(|it| it.unread).sum()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let sock = system::begin_to_connect(address)?;
        Ok(Self {
            port: sock.local_addr()?.port(),
            sock: Some(sock),
            is_connected: false,
            reads: true,
            has_finished: false,
            begun: 0,
            backlog: Vec::new(),
            asked: 0,
            answered: 0,
            since: Instant::now(),
            took: None,
            answer: Vec::new(),
            ended: None,
        })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.sock.is_none()
    }

    pub(crate) fn act(&mut self, act: &ClientAct) {
        let question = QUESTIONS[self.asked % QUESTIONS.len()].as_bytes();
        let rest = &question[self.begun.min(question.len() - 1)..];
        match act {
            ClientAct::Connect => {}
            ClientAct::Send(bytes) => self.send(bytes),
            ClientAct::Ask | ClientAct::Rest => self.send(rest),
            ClientAct::Half => self.send(&rest[..rest.len() / 2]),
            ClientAct::Byte => self.send(&rest[..1]),
            ClientAct::Flood => {
                for _ in 0..FLOOD_QUESTIONS {
                    if !self.backlog.is_empty() || self.is_over() {
                        break;
                    }
                    self.send(QUESTIONS[0].as_bytes());
                }
            }
            ClientAct::StopReading => self.reads = false,
            ClientAct::Read => self.reads = true,
            ClientAct::Finish => {
                let sock = self.sock.as_ref();
                sock.map(|it| it.shutdown(Shutdown::Write));
                self.has_finished = true;
            }
            ClientAct::Reset => {
                self.sock.as_ref().map(system::reset_on_close);
                self.end("reset the connection");
            }
            ClientAct::Leave => self.end("left"),
        }
    }

    fn end(&mut self, why: &str) {
        if self.sock.take().is_some() {
            self.ended = Some(why.into());
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.begun += 1;
            if byte == b'?' {
                if self.asked == self.answered {
                    self.since = Instant::now();
                }
                self.asked += 1;
                self.begun = 0;
            }
        }
        self.backlog.extend_from_slice(bytes);
        self.flush();
    }

    fn flush(&mut self) {
        while let (Some(sock), false) =
            (&mut self.sock, self.backlog.is_empty())
        {
            match sock.write(&self.backlog) {
                Ok(n) => _ = self.backlog.drain(..n),
                Err(err) => return self.failed(&err),
            }
        }
    }

    /// Sends and receives what can be.
    pub(crate) fn tick(&mut self) {
        self.flush();
        let mut buffer = [0; 4096];
        // One that never stops may not keep the others from their turn.
        for _ in 0..64 {
            let Some(sock) = self.sock.as_mut().filter(|_| self.reads) else {
                return;
            };
            match sock.read(&mut buffer) {
                Ok(0) => return self.end("end of file from the server"),
                Ok(n) => self.received(&buffer[..n]),
                Err(err) => return self.failed(&err),
            }
        }
    }

    fn failed(&mut self, err: &io::Error) {
        match err.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
            // The connection is not there yet.
            ErrorKind::NotConnected => {}
            ErrorKind::ConnectionRefused => self.end("connection refused"),
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
            if self.answer.len() < SHOWN_BYTES {
                self.answer.push(byte);
            }
            if byte == b'.' {
                self.answered += 1;
                self.took = Some(self.since.elapsed());
                self.since = Instant::now();
            }
        }
    }

    fn owed(&self) -> usize {
        self.asked.saturating_sub(self.answered)
    }

    pub(crate) fn place(&mut self, sockets: &Sockets) -> Place {
        if let (Some(sock), false) = (&self.sock, self.is_connected) {
            self.is_connected = sock.peer_addr().is_ok();
        }
        match sockets.servers.get(&self.port) {
            _ if self.is_over() => Place::Gone,
            _ if !self.is_connected => Place::Connecting,
            Some(it) if it.inode == 0 && it.is_open => Place::Queued,
            Some(it) if it.inode != 0 => Place::Held,
            _ if cfg!(not(target_os = "linux")) => Place::Unknown,
            _ => Place::Gone,
        }
    }

    /// What the page shows of it; moments are milliseconds since `epoch`.
    pub(crate) fn shown(&mut self, sockets: &Sockets, epoch: Instant) -> Value {
        let place = self.place(sockets);
        let mut says = vec![match (&self.ended, place) {
            (Some(why), _) => why.clone(),
            (None, Place::Connecting) => "the kernel does not answer".into(),
            (None, Place::Queued) => "in the accept queue".into(),
            (None, Place::Held) => "accepted".into(),
            (None, Place::Gone) => "closed by the server".into(),
            (None, Place::Unknown) => "connected".into(),
        }];
        let is_over = self.is_over();
        if self.has_finished && !is_over {
            says.push("sends no more".into());
        }
        if !self.reads && !is_over {
            says.push("does not read".into());
        }
        says.push(match (self.asked, self.begun, self.owed()) {
            (_, _, owed) if owed > 1 && !is_over => {
                format!("waits for {owed} answers")
            }
            (_, _, 1) if !is_over => "has asked".into(),
            (_, 1.., _) if !is_over => {
                let question = QUESTIONS[self.asked % QUESTIONS.len()];
                let begun = &question[..self.begun.min(question.len())];
                format!("has said \u{201c}{begun}\u{201d}")
            }
            (0, ..) => "silent".into(),
            _ => format!("got {} of {} answers", self.answered, self.asked),
        });
        says.extend(self.bytes(sockets));
        let answer = String::from_utf8_lossy(&self.answer);
        let waits = (self.owed() > 0 && !is_over)
            .then(|| self.since.saturating_duration_since(epoch).as_millis());
        json!({
            "place": format!("{place:?}").to_lowercase(),
            "says": says.join(", "),
            "waits": waits,
            "answer": answer,
            "took": self.took.map(|it| it.as_millis()),
        })
    }

    /// Bytes that one side has sent and the other has not received.
    fn bytes(&self, sockets: &Sockets) -> Vec<String> {
        if self.is_over() {
            return Vec::new();
        }
        let of = |sockets: &HashMap<u16, Socket>| {
            sockets.get(&self.port).copied().unwrap_or_default()
        };
        let (server, client) = (of(&sockets.servers), of(&sockets.clients));
        let counts = [
            (server.unread, "unread by the server"),
            (client.unsent + self.backlog.len() as u32, "cannot be sent"),
            (client.unread, "unread by the client"),
            (server.unsent, "the server cannot send"),
        ];
        let counts = counts.into_iter().filter(|it| it.0 > 0);
        counts.map(|(bytes, what)| format!("{bytes} bytes {what}")).collect()
    }
}
