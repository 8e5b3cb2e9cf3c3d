//! The output of a process, drained by a thread so that the process never waits
//! for a reader.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Of a larger output, the first line and the last ones are kept.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// A longer line is split into several.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A process that prints more than this at first, and then more than this in a
/// second, has to wait. It would only take processor time from others.
const FLOOD_BYTES: u32 = 8 * 1024 * 1024;

/// The lines so far.
#[derive(Debug, Default)]
pub struct Output {
    printed: Mutex<Printed>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Printed {
    lines: Vec<String>,
    bytes: usize,
    /// All that was read, kept or not.
    read: u64,
    /// The start of a line: filled by the drain, emptied by the line's end.
    rest: Vec<u8>,
    /// The last line, if it does not end in a newline.
    unended: Option<String>,
    hangs_up: bool,
    /// Reading is paused for now.
    is_paused: bool,
    ended: bool,
}

/// The process did not print what was waited for.
#[derive(Debug)]
pub struct Unprinted(String);

impl fmt::Display for Unprinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unprinted {}

impl From<Unprinted> for io::Error {
    fn from(err: Unprinted) -> Self {
        Self::new(ErrorKind::TimedOut, err)
    }
}

impl Output {
    /// For a process whose output is not a pipe.
    pub(crate) fn nothing() -> Arc<Self> {
        let output = Self::default();
        output.change(Printed::end);
        Arc::new(output)
    }

    /// Starts to read; hangs up after `lines_max` lines.
    pub fn drain(
        mut source: impl Read + Send + 'static,
        lines_max: usize,
    ) -> io::Result<Arc<Self>> {
        let output = Arc::new(Self::default());
        let to = Arc::clone(&output);
        thread::Builder::new().name("drain".into()).spawn(move || {
            let mut buffer = [0; 4096];
            let mut lines_left = lines_max;
            let (begun, mut bytes) = (Instant::now(), 0);
            while lines_left > 0 {
                to.wait_while_paused();
                match source.read(&mut buffer) {
                    Ok(n @ 1..) => {
                        to.change(|it| it.push(&buffer[..n], &mut lines_left));
                        bytes += n;
                        slow_down(bytes, begun);
                    }
                    Err(err) if err.kind() == ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                }
                if to.lock().hangs_up {
                    break;
                }
            }
            // Hang up first, then report it.
            drop(source);
            to.change(Printed::end);
        })?;
        Ok(output)
    }

    fn lock(&self) -> MutexGuard<'_, Printed> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something that others may wait for.
    fn change(&self, change: impl FnOnce(&mut Printed)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// The last lines so far, at most this many, and of each at most this many
    /// characters.
    pub fn last_lines(&self, lines: usize, chars: usize) -> Vec<String> {
        let printed = self.lock();
        let all = &printed.lines;
        let last = all[all.len().saturating_sub(lines)..].iter();
        last.map(|line| match line.char_indices().nth(chars) {
            None => line.clone(),
            Some((at, _)) => {
                let (shown, more) = line.split_at(at);
                format!("{shown}... ({} more bytes)", more.len())
            }
        })
        .collect()
    }

    /// How many bytes there were so far.
    pub fn bytes(&self) -> u64 {
        self.lock().read
    }

    /// All output so far, exactly as it was printed.
    pub fn text(&self) -> String {
        let printed = self.lock();
        let unended = printed.unended.clone();
        let ended = printed.lines.len() - usize::from(unended.is_some());
        let lines = printed.lines[..ended].iter();
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();
        text + &unended.unwrap_or_else(|| printed.rest())
    }

    /// How many of the lines so far have this beginning.
    pub fn count(&self, beginning: &str) -> usize {
        let begins = |line: &&String| line.starts_with(beginning);
        self.lock().lines.iter().filter(begins).count()
    }

    /// Stops reading. The process notices when it prints again.
    pub fn hang_up(&self) {
        self.lock().hangs_up = true;
    }

    /// Stops reading until [`resume`](Self::resume), except for one read that
    /// may be in progress.
    pub fn pause(&self) {
        self.lock().is_paused = true;
    }

    /// Resumes reading.
    pub fn resume(&self) {
        self.change(|printed| printed.is_paused = false);
    }

    fn wait_while_paused(&self) {
        let is_paused = |printed: &mut Printed| printed.is_paused;
        let printed = self.changed.wait_while(self.lock(), is_paused);
        drop(printed.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until `found` returns a value for the lines so far.
    pub fn wait_for<T>(
        &self,
        what: &str,
        patience: Duration,
        found: impl Fn(&[String]) -> Option<T>,
    ) -> Result<T, Unprinted> {
        self.wait_for_text(what, patience, |lines, _| found(lines))
    }

    /// The same; `found` also sees the start of an unfinished line.
    pub fn wait_for_text<T>(
        &self,
        what: &str,
        patience: Duration,
        found: impl Fn(&[String], &[u8]) -> Option<T>,
    ) -> Result<T, Unprinted> {
        let mut it = None;
        let ended = self.wait_until(patience, |printed| {
            it = found(&printed.lines, &printed.rest);
            it.is_some()
        });
        it.ok_or_else(|| {
            let seconds = patience.as_secs();
            Unprinted(match ended {
                true => format!("the server ended without printing {what}"),
                false => {
                    format!(
                        "the server did not print {what} within {seconds} s"
                    )
                }
            })
        })
    }

    /// Waits until `is_enough` or the end, and returns whether it has ended.
    fn wait_until(
        &self,
        patience: Duration,
        mut is_enough: impl FnMut(&Printed) -> bool,
    ) -> bool {
        let waits = |it: &mut Printed| !is_enough(it) && !it.ended;
        let waited =
            self.changed.wait_timeout_while(self.lock(), patience, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// Waits for the first line.
    pub fn first_line(&self, patience: Duration) -> Result<String, Unprinted> {
        self.wait_for("a line", patience, |lines| lines.first().cloned())
    }

    /// Waits until the process has ended, and every process that shares its
    /// output.
    pub fn wait_for_end(&self, patience: Duration) -> Result<(), Unprinted> {
        match self.wait_until(patience, |_| false) {
            true => Ok(()),
            false => Err(Unprinted("its output is still open".into())),
        }
    }
}

/// Sleeps if this number of bytes since `begun` is a flood.
fn slow_down(bytes: usize, begun: Instant) {
    let floods = bytes as f64 / f64::from(FLOOD_BYTES) - 1.0;
    let due = Duration::from_secs_f64(floods.max(0.0));
    let early = due.saturating_sub(begun.elapsed());
    if early > Duration::from_millis(1) {
        thread::sleep(early);
    }
}

impl Printed {
    fn push(&mut self, bytes: &[u8], lines_left: &mut usize) {
        self.read += bytes.len() as u64;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if *lines_left == 0 {
                break;
            }
            self.rest.extend(piece);
            if let Some(line) = self.rest.strip_suffix(b"\n") {
                self.add(String::from_utf8_lossy(line).into_owned());
                *lines_left -= 1;
            } else if self.rest.len() > LINE_BYTES_MAX {
                self.add(self.rest());
            }
        }
    }

    fn rest(&self) -> String {
        String::from_utf8_lossy(&self.rest).into_owned()
    }

    fn end(&mut self) {
        if !self.rest.is_empty() {
            // A last line without a newline does not count as a line.
            self.unended = Some(self.rest());
            let line = self.rest.escape_ascii();
            self.add(format!("{line} (no end of line)"));
        }
        self.ended = true;
    }

    /// Adds a line, and makes room for it.
    fn add(&mut self, line: String) {
        self.rest.clear();
        self.bytes += line.len() + 1;
        self.lines.push(line);
        if self.bytes > BYTES_MAX && self.lines.len() > 2 {
            let gone = self.lines.drain(1..self.lines.len() / 2);
            self.bytes -= gone.map(|line| line.len() + 1).sum::<usize>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn drained(text: impl Into<Vec<u8>>) -> Arc<Output> {
        let source = io::Cursor::new(text.into());
        let output = Output::drain(source, usize::MAX).unwrap();
        output.wait_for_end(PATIENCE).unwrap();
        output
    }

    #[test]
    fn keeps_the_first_line_and_the_last_ones_of_a_flood() {
        let flood = "flood\n".repeat(BYTES_MAX / 3);
        let output = drained(format!("first\n{flood}last\n"));
        let lines = output.lines();
        assert_eq!((&*lines[0], &*lines[lines.len() - 1]), ("first", "last"));
        assert!(output.lock().bytes <= BYTES_MAX);
    }

    #[test]
    fn cuts_a_line_that_never_ends() {
        let lines = drained("x".repeat(10 * LINE_BYTES_MAX)).lines();
        assert!(lines.len() >= 9, "{}", lines.len());
    }

    #[test]
    fn a_flood_has_to_wait_and_is_shown_in_short() {
        let begun = Instant::now();
        let output = drained(vec![b'x'; 2 * FLOOD_BYTES as usize]);
        let time = begun.elapsed();
        assert!(time >= Duration::from_millis(900), "{time:?}");
        let last = output.last_lines(30, 100);
        assert_eq!(last.len(), 30);
        assert!(last.iter().all(|line| line.len() < 200), "{last:?}");
    }

    #[test]
    fn reports_a_last_line_without_a_newline() {
        assert_eq!(
            drained("one\nhalf").lines(),
            ["one", "half (no end of line)"]
        );
        assert_eq!(drained("one\n").lines(), ["one"]);
        for text in ["one\nhalf", "one\n", "\n\nhalf", "half", ""] {
            assert_eq!(drained(text).text(), text);
        }
    }

    #[test]
    fn hangs_up_after_the_given_number_of_lines() {
        let source = io::Cursor::new(b"one\ntwo\nthree\n");
        let output = Output::drain(source, 2).unwrap();
        output.wait_for_end(PATIENCE).unwrap();
        assert_eq!(output.lines(), ["one", "two"]);
    }

    #[test]
    fn stops_waiting_when_the_process_ends() {
        let output = drained("one\n");
        let err = output.wait_for("two", 100 * PATIENCE, |_| None::<()>);
        let says = "the server ended without printing two";
        assert_eq!(err.unwrap_err().to_string(), says);
    }
}
