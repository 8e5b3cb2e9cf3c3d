//! A flood: clients that ask as fast as they are answered, for a while.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const CLIENTS: usize = 8;
const TIME: Duration = Duration::from_secs(3);

/// They end when it goes out of scope, or after their time.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    clients: AtomicUsize,
    answers: AtomicUsize,
}

impl Busy {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        shared.clients.store(CLIENTS, Ordering::Relaxed);
        for _ in 0..CLIENTS {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.ask(address);
                shared.clients.fetch_sub(1, Ordering::Relaxed);
            });
        }
        Self(shared)
    }

    pub(crate) fn clients(&self) -> usize {
        self.0.clients.load(Ordering::Relaxed)
    }

    pub(crate) fn says(&self) -> String {
        let answers = self.0.answers.load(Ordering::Relaxed);
        match self.clients() {
            0 => format!("the flood is over: {answers} answers"),
            n => format!("a flood of {n} clients: {answers} answers"),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// Any failure ends it: a server may be stopped in a flood.
    fn ask(&self, address: SocketAddr) -> Option<()> {
        let end = Instant::now() + TIME;
        let mut sock = TcpStream::connect_timeout(&address, TIME).ok()?;
        let mut buffer = [0; 256];
        while !self.is_over.load(Ordering::Relaxed) {
            let left = end.checked_duration_since(Instant::now())?;
            let patience = Some(left.max(Duration::from_millis(1)));
            sock.set_read_timeout(patience).ok()?;
            sock.write_all(b"Simple is better than?").ok()?;
            while buffer[sock.read(&mut buffer).ok()?.checked_sub(1)?] != b'.' {
            }
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
        Some(())
    }
}
