//! Clients that come, ask, and leave, over and over, while a case does other
//! things.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::client::Client;
use crate::heard::Speech;
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict};

/// How long each stays away: so they do not use up the ports of this machine,
/// of which the kernel keeps each back for a minute.
const PAUSE: Duration = Duration::from_millis(5);

/// Each in a thread of its own. They end when this is dropped.
#[derive(Default)]
pub(super) struct Busy {
    enough: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Verdict>>,
}

impl Busy {
    pub(super) fn add(
        &mut self,
        number: usize,
        server: SocketAddr,
        subject: &Subject,
    ) -> Verdict {
        for _ in 0..number {
            let enough = Arc::clone(&self.enough);
            let speech = Arc::clone(&subject.speech);
            let work = move || come_and_go(server, &speech, &enough);
            self.clients.push(thread::Builder::new().spawn(work)?);
        }
        Ok(())
    }

    /// Waits until the last of them has left, and says what went wrong.
    pub(super) fn end(&mut self) -> Verdict {
        self.enough.store(true, Ordering::Relaxed);
        let mut verdict = Ok(());
        for client in self.clients.drain(..) {
            let result = client.join();
            let panicked = Fault::Checker("a busy client panicked".into());
            verdict = verdict.and(result.unwrap_or(Err(panicked)));
        }
        verdict.map_err(|fault| fault.after("one of the busy clients"))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // The case has already asked for the verdict if it wants it.
        self.end().ok();
    }
}

fn come_and_go(
    server: SocketAddr,
    speech: &Arc<Speech>,
    enough: &AtomicBool,
) -> Verdict {
    while !enough.load(Ordering::Relaxed) {
        let mut client = Client::connect(server)?.speaking(speech);
        client.asks()?.leave()?;
        thread::sleep(PAUSE);
    }
    Ok(())
}
