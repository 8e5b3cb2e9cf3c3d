//! What a case expects of a running server.

use std::time::Duration;

use zen_harness::proc::{self, End};
use zen_harness::system;

use super::{Server, how_it_ended};
use crate::client::{Client, FIRST_BATCH, LAST_BATCH};
use crate::process::{self, PATIENCE, wait_until};
use crate::verdict::{Fault, Verdict, ensure};

impl Server<'_> {
    /// A client that has asked `QUESTIONS_WAITING` unknown questions, which
    /// have all arrived, and has read nothing. Some of the answers fill the
    /// buffers of its connection, and those to the last receive find no room.
    pub(crate) fn with_answers_waiting(&self) -> Verdict<Client> {
        let mut client = self.with_full_buffers()?;
        client.send_batch(LAST_BATCH)?;
        Ok(client)
    }

    /// The same, but the last receive is still to come.
    pub(crate) fn with_full_buffers(&self) -> Verdict<Client> {
        let mut client = self.connect_narrow()?;
        client.send_batch(FIRST_BATCH)?;
        Ok(client)
    }

    /// This many clients, each of which has asked and been answered.
    pub(crate) fn served(&self, clients: usize) -> Verdict<Vec<Client>> {
        let served = |_| {
            let mut client = self.connect()?;
            client.asks()?;
            Ok(client)
        };
        (0..clients).map(served).collect()
    }

    /// This many clients, each of which is accepted and silent.
    pub(crate) fn accepted(&self, clients: usize) -> Verdict<Vec<Client>> {
        let accepted = |_| {
            let client = self.connect()?;
            self.expect_accepted(&client)?;
            Ok(client)
        };
        (0..clients).map(accepted).collect()
    }

    /// Only a listing's log is known.
    pub(crate) fn expect_line(&self, line: &str) -> Verdict {
        if !self.subject.is_listing() {
            return Ok(());
        }
        self.log.wait_for(&format!("{line:?}"), PATIENCE, |lines| {
            lines.iter().any(|printed| printed == line).then_some(())
        })?;
        Ok(())
    }

    pub(crate) fn expect_accepted(&self, client: &Client) -> Verdict {
        let address = client.address;
        if self.subject.is_listing() {
            let line = format!("Accepted connection from {address}");
            return self.expect_line(&line);
        }
        wait_until("accepted", PATIENCE, || {
            let end = proc::server_end(self.address, address);
            Ok(end != Some(End::Queued))
        })
    }

    /// Gives it time to receive what a client has sent, where that can be seen;
    /// it may have other things to do.
    pub(crate) fn wait_until_received(&self, client: &Client) -> Verdict {
        let patience = Duration::from_millis(500);
        let unread = || proc::unread(self.address, client.address);
        let received = || Ok(unread().is_none_or(|bytes| bytes == 0));
        wait_until("received", patience, received).or(Ok(()))
    }

    pub(crate) fn expect_closed(&self, client: &Client) -> Verdict {
        let address = client.address;
        self.expect_line(&format!("Client socket to {address} has closed"))?;
        self.expect_released(client)
    }

    pub(crate) fn expect_error(&self, client: &Client, error: &str) -> Verdict {
        let address = client.address;
        self.expect_line(&format!("Client {address} error: {error}"))?;
        self.expect_released(client)
    }

    /// Expects that the server has closed its end of a connection.
    fn expect_released(&self, client: &Client) -> Verdict {
        wait_until("closed by the server", PATIENCE, || Ok(!self.holds(client)))
            .map_err(|fault| fault.after("the client's connection"))
    }

    /// Whether a client that has asked, and waits, is answered after all. One
    /// that was not even accepted waits for others.
    pub(crate) fn is_slow(&self, client: &mut Client) -> bool {
        let end = proc::server_end(self.address, client.address);
        end == Some(End::Held) && client.hears(Duration::from_secs(4))
    }

    /// Whether the server has dropped this client, the only one that it has,
    /// as far as can be seen.
    pub(crate) fn has_dropped(&self, client: &Client) -> bool {
        match self.subject.is_listing() {
            true => self.log.count("Client ") > 0,
            false => matches!(
                proc::server_end(self.address, client.address),
                Some(End::Stopped | End::Gone)
            ),
        }
    }

    /// Whether the server still has this client, as far as can be seen.
    pub(crate) fn holds(&self, client: &Client) -> bool {
        let end = proc::server_end(self.address, client.address);
        end.is_some_and(|end| end != End::Gone)
    }

    /// Waits until it has taken a signal that tells it to end.
    pub(crate) fn expect_shutting_down(&self) -> Verdict {
        if self.subject.is_listing() {
            return self.expect_line("Shutting down");
        }
        self.process()?;
        wait_until("notified", PATIENCE, || {
            Ok(process::has_no_signal_pending(self.listener)?)
        })
        .map_err(|_| {
            Fault::server(format!(
                "{} s after the signal the server has not even received it: \
                it blocks signals and does not check for them",
                PATIENCE.as_secs()
            ))
        })
    }

    /// Sends SIGTERM, and expects that it ends as the contract says.
    pub(crate) fn stop(&mut self) -> Verdict {
        self.signal(system::SIGTERM)?;
        self.expect_exit_0()
    }

    pub(crate) fn expect_exit_0(&mut self) -> Verdict {
        let status = self.wait(PATIENCE)?;
        let ended = how_it_ended(status);
        ensure!(status.code() == Some(0), "not exit status 0: it {ended}");
        Ok(())
    }

    /// Expects that it ends by itself. One case checks the exit status of any
    /// server; a listing's is 0 whatever happens.
    pub(crate) fn expect_end(&mut self) -> Verdict {
        match self.subject.is_listing() {
            true => self.expect_exit_0(),
            false => self.wait(PATIENCE).map(drop),
        }
    }
}
