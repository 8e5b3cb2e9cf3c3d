//! Plays the clients of a scenario, each in a thread, and records what each of
//! them saw, by the clock that strace uses.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use crate::run::{Client, Seen, View};
use crate::scenario::{Scenario, Script, Step, TIME_MAX};

/// Microseconds since 1970, as strace writes them.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_micros() as i64)
}

/// Plays all clients at once. Returns when it began, and what they saw, in
/// microseconds since then.
pub fn play(
    scenario: &Scenario,
    server: SocketAddr,
) -> Result<(i64, Vec<Client>)> {
    ensure!(server.ip().is_loopback(), "{server} is not a loopback address");
    let begin = Instant::now();
    let epoch = now();
    let clients = thread::scope(|scope| {
        let players: Vec<_> = scenario
            .clients
            .iter()
            .map(|Script { name, steps }| {
                let name = name.clone();
                let client = Client { name, ..Client::default() };
                let (sock, answers) = (None, 0);
                let mut player =
                    Player { client, server, begin, epoch, sock, answers };
                scope.spawn(move || {
                    if let Err(err) = player.play(steps) {
                        player.see(Seen::Failed);
                        player.client.failure = Some(format!("{err:#}"));
                    }
                    player.client
                })
            })
            .collect();
        let clients = players.into_iter().map(|player| player.join().ok());
        clients.collect::<Option<_>>().context("a client panicked")
    })?;
    Ok((epoch, clients))
}

struct Player {
    client: Client,
    server: SocketAddr,
    begin: Instant,
    epoch: i64,
    sock: Option<TcpStream>,
    /// Answers that arrived together with earlier ones, and before their step.
    answers: usize,
}

impl Player {
    fn see(&mut self, seen: Seen) {
        self.moves(now(), seen, &[], b' ');
    }

    /// Records that bytes were moved; each of these ends a question or an
    /// answer.
    fn moves(&mut self, at: i64, seen: Seen, bytes: &[u8], end: u8) -> usize {
        let whole = bytes.iter().filter(|byte| **byte == end).count();
        let (at, bytes) = (at - self.epoch, bytes.len());
        self.client.views.push(View { at, seen, bytes, whole });
        whole
    }

    fn play(&mut self, steps: &[Step]) -> Result<()> {
        for step in steps {
            match step {
                Step::At(time) => {
                    thread::sleep(time.saturating_sub(self.begin.elapsed()));
                }
                Step::Wait(time) => thread::sleep((*time).min(self.left()?)),
                Step::Connect => self.connect()?,
                Step::Send(bytes) => self.send(bytes)?,
                Step::Answer(count) => self.receive(*count)?,
                Step::Finish => {
                    self.sock()?.shutdown(Shutdown::Write)?;
                    self.see(Seen::Finished);
                }
                Step::Leave => self.leave(),
            }
        }
        self.leave();
        Ok(())
    }

    fn left(&self) -> Result<Duration> {
        let left = TIME_MAX.saturating_sub(self.begin.elapsed());
        ensure!(!left.is_zero(), "not done in {TIME_MAX:?}");
        Ok(left)
    }

    fn sock(&self) -> Result<&TcpStream> {
        self.sock.as_ref().context("not connected")
    }

    fn connect(&mut self) -> Result<()> {
        ensure!(self.sock.is_none(), "connected already");
        self.see(Seen::Connects);
        let sock = TcpStream::connect_timeout(&self.server, self.left()?)
            .context("cannot connect")?;
        sock.set_nodelay(true)?;
        self.client.port = sock.local_addr()?.port();
        self.sock = Some(sock);
        self.see(Seen::Connected);
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let left = self.left()?;
        let mut sock = self.sock()?;
        sock.set_write_timeout(Some(left))?;
        // Take the time first: the answer may be there when send() returns.
        let at = now();
        sock.write_all(bytes).context("cannot send")?;
        self.moves(at, Seen::Sent, bytes, b'?');
        Ok(())
    }

    fn receive(&mut self, count: usize) -> Result<()> {
        let mut buffer = [0; 4096];
        while self.answers < count {
            let left = self.left()?;
            let mut sock = self.sock()?;
            sock.set_read_timeout(Some(left))?;
            let bytes = sock.read(&mut buffer).context("no answer")?;
            if bytes == 0 {
                self.see(Seen::EndOfFile);
                bail!("the server has closed");
            }
            let answers = &buffer[..bytes];
            self.answers += self.moves(now(), Seen::Received, answers, b'.');
        }
        self.answers -= count;
        Ok(())
    }

    fn leave(&mut self) {
        if self.sock.is_some() {
            self.see(Seen::Left);
            self.sock = None;
        }
    }
}
