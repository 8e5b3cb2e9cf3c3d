//! What a case expects of a running server.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use zen_harness::proc::{self, End};
use zen_harness::system;

use super::{Server, expect_status, how_it_ended};
use crate::client::Client;
use crate::process::{self, PATIENCE, wait_until};
use crate::verdict::{Fault, Verdict, ensure, ensure_in_time};

/// What the contract allows, and a little for the machine that measures it.
const STOP_TIME_MAX: Duration = Duration::from_millis(2000 + 250);

/// Gives a server time for what this system does not show, and takes it for
/// done.
fn unseen<T>(then: T) -> T {
    thread::sleep(Duration::from_millis(500));
    then
}

impl Server<'_> {
    /// This many clients, each of which has asked and been answered.
    pub(crate) fn served(&self, clients: usize) -> Verdict<Vec<Client>> {
        let served = |_| {
            let mut client = self.connect()?;
            client.asks()?;
            Ok(client)
        };
        (0..clients).map(served).collect()
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

    pub(crate) fn expect_accepted(&self, client: SocketAddr) -> Verdict {
        if self.subject.is_listing() {
            let line = format!("Accepted connection from {client}");
            return self.expect_line(&line);
        }
        wait_until("accepted", PATIENCE, || {
            let end = proc::server_end(self.address, client);
            Ok(end.unwrap_or_else(|| unseen(End::Held)) != End::Queued)
        })
    }

    /// Gives it time to receive what a client has sent. It may be busy.
    pub(crate) fn wait_until_received(&self, client: &Client) -> Verdict {
        let patience = Duration::from_millis(500);
        let unread = || proc::unread(self.address, client.address);
        let received = || Ok(unread().unwrap_or_else(|| unseen(0)) == 0);
        wait_until("received", patience, received).or(Ok(()))
    }

    pub(crate) fn expect_closed(&self, client: SocketAddr) -> Verdict {
        self.expect_line(&format!("Client socket to {client} has closed"))?;
        self.expect_released(client)
    }

    pub(crate) fn expect_error(
        &self,
        client: SocketAddr,
        error: &str,
    ) -> Verdict {
        self.expect_line(&format!("Client {client} error: {error}"))?;
        self.expect_released(client)
    }

    /// Expects a line about any error of this client.
    pub(crate) fn expect_some_error(&self, client: SocketAddr) -> Verdict {
        if !self.subject.is_listing() {
            return Ok(());
        }
        let begin = format!("Client {client} error: ");
        self.log.wait_for("the error of that client", PATIENCE, |lines| {
            lines.iter().any(|line| line.starts_with(&begin)).then_some(())
        })?;
        Ok(())
    }

    /// Expects that the server has closed its end of a connection.
    fn expect_released(&self, client: SocketAddr) -> Verdict {
        let is_released = || Ok(!self.holds(client));
        wait_until("closed by the server", PATIENCE, is_released)
            .map_err(|fault| fault.after("the client's connection"))
    }

    /// Expects that this client is dropped now, by `--idle-timeout` of `idle`:
    /// not sooner, and not much later.
    pub(crate) fn expect_drop(
        &self,
        client: SocketAddr,
        since: Instant,
        idle: Duration,
    ) -> Verdict {
        let seconds = idle.as_secs();
        // Without a log, the end is seen late.
        let late_max = if self.subject.is_listing() {
            let error = format!("no question for {seconds} seconds");
            self.expect_error(client, &error)?;
            Duration::from_millis(700)
        } else {
            wait_until("dropped", PATIENCE, || self.has_dropped(client))?;
            Duration::from_millis(1500)
        };
        let time = since.elapsed();
        // The server's clock may start a little before ours: it knows first
        // that an answer is sent.
        let (from, to) = (idle - Duration::from_millis(50), idle + late_max);
        let what = format!(
            "dropped after {time:.2?}: --idle-timeout {seconds} allows \
            {from:.2?} to {to:.2?}"
        );
        ensure!(time >= from, "{what}");
        ensure_in_time!(time, to, "{what}");
        Ok(())
    }

    /// Whether a client that has asked, and waits, is answered after all. One
    /// that was not even accepted waits for others.
    pub(crate) fn is_slow(&self, client: &mut Client) -> bool {
        let end = proc::server_end(self.address, client.address);
        end == Some(End::Held) && client.hears(Duration::from_secs(4))
    }

    /// Whether the server has dropped this client, the only one that it has.
    pub(crate) fn has_dropped(&self, client: SocketAddr) -> Verdict<bool> {
        if self.subject.is_listing() {
            return Ok(self.log.count("Client ") > 0);
        }
        let end = proc::server_end(self.address, client);
        let end = end.ok_or_else(|| {
            Fault::skipped("this system does not tell when a client is dropped")
        })?;
        Ok(matches!(end, End::Stopped | End::Gone))
    }

    /// Whether the server still has this client, as far as can be seen.
    pub(crate) fn holds(&self, client: SocketAddr) -> bool {
        let end = proc::server_end(self.address, client);
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
        .map_err(|fault| match fault {
            Fault::Server(_) => Fault::server(format!(
                "{} s after the signal the server has not even received it: \
                it blocks signals and does not check for them",
                PATIENCE.as_secs()
            )),
            other => other,
        })
    }

    /// Sends SIGTERM, and expects that it ends as the contract says.
    pub(crate) fn stop(&mut self) -> Verdict {
        self.signal(system::SIGTERM)?;
        self.expect_exit_0()
    }

    pub(crate) fn expect_exit_0(&mut self) -> Verdict {
        expect_status(self.wait(PATIENCE)?, 0)
    }

    /// Expects that it ends by itself. One case checks the exit status of any
    /// server; a listing's is 0 whatever happens.
    pub(crate) fn expect_end(&mut self) -> Verdict {
        match self.subject.is_listing() {
            true => self.expect_exit_0(),
            false => self.wait(PATIENCE).map(drop),
        }
    }

    /// Expects the end in time, whatever the clients do; it was told `since`.
    pub(crate) fn expect_end_in_time(&mut self, since: Instant) -> Verdict {
        self.expect_end()?;
        let time = since.elapsed();
        ensure_in_time!(
            time,
            STOP_TIME_MAX,
            "it took {time:.2?} to end, and 2 s are allowed"
        );
        Ok(())
    }

    /// Expects that a second signal, sent `since`, ends it on the spot.
    pub(crate) fn expect_death(
        &mut self,
        signal: i32,
        since: Instant,
    ) -> Verdict {
        let status = self.wait(PATIENCE)?;
        let time = since.elapsed();
        ensure!(
            system::ended_by(status) == Some(signal),
            "it should be ended by signal {signal}: it {}",
            how_it_ended(status)
        );
        ensure_in_time!(
            time,
            Duration::from_secs(1),
            "after the second signal it took another {time:.2?} to end, and 1 s \
            is allowed"
        );
        Ok(())
    }

    /// All that it has printed, when it has ended.
    pub(crate) fn whole_log(&self) -> Verdict<Vec<String>> {
        self.log.wait_for_end(PATIENCE)?;
        Ok(self.log.lines())
    }
}
