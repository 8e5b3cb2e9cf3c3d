//! A flood: clients that ask as fast as they are answered, for a while.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 8;
const TIME: Duration = Duration::from_secs(3);

/// They end when it goes out of scope, or after their time.
#[derive(Debug)]
pub(crate) struct Busy {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    clients: AtomicUsize,
    answers: AtomicUsize,
}

impl Busy {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        for _ in 0..CLIENTS {
            let shared = Arc::clone(&shared);
            shared.clients.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || {
                shared.ask(address);
                shared.clients.fetch_sub(1, Ordering::Relaxed);
            });
        }
        Self { shared }
    }

    pub(crate) fn clients(&self) -> usize {
        self.shared.clients.load(Ordering::Relaxed)
    }

    pub(crate) fn says(&self) -> String {
        let answers = self.shared.answers.load(Ordering::Relaxed);
        match self.clients() {
            0 => format!("the flood is over: {answers} answers"),
            n => format!("a flood of {n} clients: {answers} answers"),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
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
            let patience = left.max(Duration::from_millis(1));
            sock.set_read_timeout(Some(patience)).ok()?;
            sock.set_write_timeout(Some(patience)).ok()?;
            sock.write_all(b"Simple is better than?").ok()?;
            loop {
                let n = sock.read(&mut buffer).ok().filter(|&n| n > 0)?;
                if buffer[n - 1] == b'.' {
                    break;
                }
            }
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
        Some(())
    }
}
