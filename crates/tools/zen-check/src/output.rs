//! What a process prints, drained by a thread so that it never has to wait
//! for its reader.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::verdict::{Fault, Verdict};

/// What is printed beyond this is read and forgotten.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The lines so far.
#[derive(Debug, Default)]
pub(crate) struct Output {
    printed: Mutex<Printed>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Printed {
    lines: Vec<String>,
    bytes: usize,
    ended: bool,
    /// Nothing more is read for the time being.
    paused: bool,
}

impl Output {
    /// Starts to read; hangs up after `lines_max` lines.
    pub(crate) fn drain(
        source: impl Read + Send + 'static,
        lines_max: usize,
    ) -> std::io::Result<Arc<Self>> {
        let output = Arc::new(Self::default());
        let printed_to = Arc::clone(&output);
        thread::Builder::new().name("drain".into()).spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            for _ in 0..lines_max {
                printed_to.wait_while_paused();
                line.clear();
                match source.read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => printed_to.push(&line),
                }
            }
            // First hang up, then say so.
            drop(source);
            printed_to.lock().ended = true;
            printed_to.changed.notify_all();
        })?;
        Ok(output)
    }

    fn lock(&self) -> MutexGuard<'_, Printed> {
        self.printed.lock().unwrap_or_else(|lock| lock.into_inner())
    }

    fn push(&self, line: &[u8]) {
        let mut printed = self.lock();
        printed.bytes += line.len();
        if printed.bytes <= BYTES_MAX {
            let line = match line.strip_suffix(b"\n") {
                Some(line) => String::from_utf8_lossy(line).into_owned(),
                // A last line that lacks its end is not a line.
                None => format!("{} (no end of line)", line.escape_ascii()),
            };
            printed.lines.push(line);
        }
        drop(printed);
        self.changed.notify_all();
    }

    /// From now on nothing is read, except for what the reader is waiting for
    /// already: a few kilobytes at the most.
    pub(crate) fn pause(&self) {
        self.lock().paused = true;
    }

    pub(crate) fn resume(&self) {
        self.lock().paused = false;
        self.changed.notify_all();
    }

    fn wait_while_paused(&self) {
        let mut printed = self.lock();
        while printed.paused {
            printed = match self.changed.wait(printed) {
                Ok(printed) => printed,
                Err(lock) => lock.into_inner(),
            };
        }
    }

    /// Everything printed so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// How many of the lines so far begin like this.
    pub(crate) fn count(&self, beginning: &str) -> usize {
        let begins = |line: &&String| line.starts_with(beginning);
        self.lock().lines.iter().filter(begins).count()
    }

    /// Waits until `found` finds something in the lines.
    pub(crate) fn wait_for<T>(
        &self,
        what: &str,
        patience: Duration,
        found: impl Fn(&[String]) -> Option<T>,
    ) -> Verdict<T> {
        let deadline = Instant::now() + patience;
        let mut printed = self.lock();
        loop {
            if let Some(found) = found(&printed.lines) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if printed.ended || left.is_zero() {
                let why = if printed.ended { "its end" } else { "the wait" };
                return Err(Fault::server(format!(
                    "by {why} the server has not printed {what}"
                )));
            }
            printed = match self.changed.wait_timeout(printed, left) {
                Ok((printed, _)) => printed,
                Err(lock) => lock.into_inner().0,
            };
        }
    }

    /// Waits until the process, and whoever shares its output, has ended.
    pub(crate) fn wait_for_end(&self, patience: Duration) -> Verdict {
        let deadline = Instant::now() + patience;
        let mut printed = self.lock();
        while !printed.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let message = "its output is still open".to_string();
                return Err(Fault::server(message));
            }
            printed = match self.changed.wait_timeout(printed, left) {
                Ok((printed, _)) => printed,
                Err(lock) => lock.into_inner().0,
            };
        }
        Ok(())
    }
}
