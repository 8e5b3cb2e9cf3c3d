//! Clients with open connections. Each asks, waits for the answer, and compares
//! it to the byte; `drive` says when.
#![expect(unsafe_code, reason = "Poller::add asks us to delete before close")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use polling::{Event, Events, PollMode, Poller};

pub const TIME_MAX: Duration = Duration::from_secs(600);

/// More clients would need more than one loopback address.
pub const CLIENTS_MAX: usize = 20_000;

/// More questions at once might not fit into a socket's buffer.
pub const BATCH_MAX: usize = 64;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// The contract in four lines.
const QUESTIONS: [(&str, &str); 4] = [
    ("Beautiful is better than?", "Ugly."),
    ("Explicit is better than?", "Implicit."),
    ("Simple is better than?", "Complex."),
    ("What is better than simple?", "Error: unknown aphorism."),
];

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub rounds: usize,
    pub batch: usize,
    /// How long to wait before each further round. The pause holds up all
    /// clients, so use it for a load of one client.
    pub pause: Duration,
    /// The time limit for all rounds together.
    pub time_max: Duration,
}

impl Plan {
    /// One question at a time, without a pause, within two minutes.
    pub fn new(rounds: usize) -> Self {
        let time_max = Duration::from_secs(120);
        Self { rounds, batch: 1, pause: Duration::ZERO, time_max }
    }
}

/// Clients with open connections, silent until `ask` is called.
#[derive(Debug)]
pub struct Load {
    // Declared first, so it is dropped before the sockets that it watches.
    pub(crate) poller: Poller,
    pub(crate) events: Events,
    pub(crate) clients: Vec<Client>,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) sock: TcpStream,
    /// It has asked, and has not had all its answers.
    pub(crate) is_owed: bool,
    /// Which of the scripts the client follows in this round.
    script: usize,
    received: usize,
}

/// A round: the questions sent at once, and the expected answers.
#[derive(Clone, Debug)]
pub struct Script {
    /// All questions of the round, one after another.
    pub questions: String,
    pub answers: String,
}

impl Load {
    pub fn connect(server: SocketAddr, clients: usize) -> Result<Self> {
        ensure_here(server)?;
        Self::connect_anywhere(server, clients)
    }

    /// As `connect`, to any machine. Call it only after the user has said that
    /// the server is theirs.
    pub fn connect_anywhere(
        server: SocketAddr,
        clients: usize,
    ) -> Result<Self> {
        ensure_not_too_many(clients)?;
        let poller = Poller::new()?;
        let clients = (0..clients).map(|key| {
            let sock = TcpStream::connect_timeout(&server, CONNECT_TIME_MAX)?;
            sock.set_nonblocking(true)?;
            sock.set_nodelay(true)?;
            // SAFETY: the poller is closed before the sockets are.
            unsafe {
                let interest = Event::readable(key);
                poller.add_with_mode(&sock, interest, PollMode::Level)?;
            }
            Ok(Client::new(sock, key))
        });
        let clients: Result<_> = clients.collect();
        let clients = clients.context("cannot connect")?;
        Ok(Self { poller, events: Events::new(), clients })
    }

    /// Each client sends a byte of a question that never ends.
    pub fn drip(&mut self) {
        for client in &mut self.clients {
            // A socket has room for a byte, unless the server has closed it.
            client.sock.write_all(b"x").ok();
        }
    }
}

/// Refuses servers on other machines.
pub(crate) fn ensure_here(server: SocketAddr) -> Result<()> {
    ensure!(server.ip().is_loopback(), "{server} is not a loopback address");
    Ok(())
}

pub(crate) fn ensure_not_too_many(clients: usize) -> Result<()> {
    ensure!(clients <= CLIENTS_MAX, "more than {CLIENTS_MAX} clients");
    Ok(())
}

/// Parses a number of seconds, which may have a fraction.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds| {
        Duration::try_from_secs_f64(seconds).ok().filter(|it| !it.is_zero())
    });
    time.filter(|time| *time <= TIME_MAX)
        .ok_or(format!("from 0 to {} seconds", TIME_MAX.as_secs()))
}

impl Client {
    pub(crate) fn new(sock: TcpStream, key: usize) -> Self {
        Self { sock, is_owed: false, script: key, received: 0 }
    }

    pub(crate) fn ask(&mut self, scripts: &[Script]) -> Result<()> {
        self.script = (self.script + 1) % scripts.len();
        self.received = 0;
        self.is_owed = true;
        // There is room: all earlier questions were answered.
        self.sock.write_all(scripts[self.script].questions.as_bytes())?;
        Ok(())
    }

    /// Receives what has arrived; true if the round is complete.
    pub(crate) fn is_answered(&mut self, scripts: &[Script]) -> Result<bool> {
        let mut buffer = [0; 4096];
        let n = match self.sock.read(&mut buffer) {
            Ok(0) => bail!("the server has closed a connection"),
            Ok(n) => n,
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                return Ok(false);
            }
            Err(err) => return Err(err.into()),
        };
        let awaited = &scripts[self.script].answers.as_bytes()[self.received..];
        let received = &buffer[..n];
        ensure!(
            self.is_owed && awaited.starts_with(received),
            "answered \"{}\" instead of \"{}\"",
            received.escape_ascii(),
            awaited.escape_ascii()
        );
        self.received += n;
        self.is_owed = n < awaited.len();
        Ok(!self.is_owed)
    }
}

impl Script {
    /// Every script that a client may follow with such a batch. No two of them
    /// begin with the same letter.
    pub fn all(batch: usize) -> Vec<Self> {
        (0..QUESTIONS.len()).map(|first| Self::new(first, batch)).collect()
    }

    fn new(first: usize, batch: usize) -> Self {
        let pairs = QUESTIONS.iter().cycle().skip(first).take(batch);
        let (questions, answers) = pairs.copied().unzip();
        Self { questions, answers }
    }
}
