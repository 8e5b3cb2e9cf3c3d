//! One client of a case that is text, and what it remembers.

use std::net::SocketAddr;
use std::time::Instant;

use super::words::Times;
use crate::client::{Client, Flood};
use crate::contract::answers;
use crate::server::Server;
use crate::verdict::{Fault, Verdict, ensure, ensure_in_time};

#[derive(Default)]
pub(super) struct Actor {
    pub(super) client: Option<Client>,
    /// It had, and its log still shows.
    pub(super) address: Option<SocketAddr>,
    /// It found no room in the queue, and takes part no more.
    pub(super) absent: bool,
    pub(super) left: bool,
    /// When it last began to send something, or to connect: never later than
    /// when the server saw it.
    sent: Option<Instant>,
    /// All that it has sent, and how many bytes of the answers it has.
    asked: Vec<u8>,
    had: usize,
    /// What it does without end.
    pub(super) flood: Option<Flood>,
}

pub(super) fn checker(what: &str) -> Fault {
    Fault::Checker(what.into())
}

impl Actor {
    /// One that is connected already.
    pub(super) fn of(client: Client) -> Self {
        let address = Some(client.address);
        Self { client: Some(client), address, ..Self::default() }
    }

    pub(super) fn comes(
        &mut self,
        connect: impl FnOnce() -> Verdict<Client>,
    ) -> Verdict {
        let sent = Some(Instant::now());
        *self = Self { sent, ..Self::of(connect()?) };
        Ok(())
    }

    /// Its connection; it has one from its first line on.
    pub(super) fn client(&mut self, to: &Server<'_>) -> Verdict<&mut Client> {
        if self.client.is_none() {
            self.comes(|| to.connect())?;
        }
        self.client.as_mut().ok_or_else(|| checker("it is not connected"))
    }

    pub(super) fn address(&self) -> Verdict<SocketAddr> {
        self.address.ok_or_else(|| checker("it was never connected"))
    }

    pub(super) fn sent(&self) -> Instant {
        self.sent.unwrap_or_else(Instant::now)
    }

    /// Its connection, which from now on belongs to no one.
    pub(super) fn goes(&mut self, to: &Server<'_>) -> Verdict<Option<Client>> {
        self.client(to)?;
        Ok(self.client.take())
    }

    /// Sends in this way, and remembers that these bytes were sent.
    pub(super) fn says<T>(
        &mut self,
        to: &Server<'_>,
        bytes: &[u8],
        send: impl FnOnce(&mut Client, &[u8]) -> Verdict<T>,
    ) -> Verdict<T> {
        let begun = Instant::now();
        let sent = send(self.client(to)?, bytes)?;
        self.asked.extend(bytes);
        self.sent = Some(begun);
        Ok(sent)
    }

    /// All that it sends in pieces is cut at other places.
    pub(super) fn seed(&self, to: &Server<'_>) -> u64 {
        to.subject.seed.wrapping_add(self.asked.len() as u64)
    }

    pub(super) fn expects(
        &mut self,
        to: &Server<'_>,
        times: Times,
        expect: impl FnOnce(&mut Client) -> Verdict,
    ) -> Verdict {
        let begun = Instant::now();
        expect(self.client(to)?)?;
        times.check(self.sent(), begun)
    }

    pub(super) fn gets(
        &mut self,
        to: &Server<'_>,
        bytes: &[u8],
        times: Times,
    ) -> Verdict {
        self.had += bytes.len();
        self.expects(to, times, |client| client.expect(bytes).map(drop))
    }

    /// Expects the answers to all that it has sent and that is not answered.
    pub(super) fn gets_answers(
        &mut self,
        to: &Server<'_>,
        times: Times,
    ) -> Verdict {
        let all = answers(&self.asked);
        let rest = all.get(self.had..);
        let rest = rest.ok_or_else(|| checker("it has had other answers"))?;
        self.gets(to, rest, times)
    }
}

impl Times {
    /// Looks whether now is the time: after what began at `sent`, and within
    /// what began at `begun`.
    pub(super) fn check(self, sent: Instant, begun: Instant) -> Verdict {
        if let Some(after) = self.after {
            let time = sent.elapsed();
            ensure!(
                time >= after,
                "this came {time:.0?} after the client last sent or connected: \
                it is not due before {after:?}"
            );
        }
        if let Some(within) = self.within {
            let time = begun.elapsed();
            ensure_in_time!(
                time,
                within,
                "this came after {time:.0?}, and {within:?} are allowed"
            );
        }
        Ok(())
    }
}
