//! What a process prints: read to the end, so that it never waits for a
//! reader, and kept only as far as anybody will look at it.

use std::io::{ErrorKind, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// So much of the end is kept, or up to twice that.
const KEPT: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Drain {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    text: Vec<u8>,
    first_line: Option<String>,
    has_ended: bool,
}

impl Drain {
    pub(crate) fn start(mut from: Box<dyn Read + Send>) -> Arc<Self> {
        let drain = Arc::new(Self::default());
        let reader = Arc::clone(&drain);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match from.read(&mut buffer) {
                    Ok(n @ 1..) => reader.state().receive(&buffer[..n]),
                    Err(err) if err.kind() == ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                }
                reader.changed.notify_all();
            }
            reader.state().has_ended = true;
            reader.changed.notify_all();
        });
        drain
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(
        &self,
        time_max: Duration,
        condition: impl Fn(&State) -> bool,
    ) -> MutexGuard<'_, State> {
        let waits = |state: &mut State| condition(state);
        self.changed
            .wait_timeout_while(self.state(), time_max, waits)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    /// The first line, or what there is after this time.
    pub(crate) fn first_line(&self, time_max: Duration) -> String {
        let state = self.wait_while(time_max, |state| {
            state.first_line.is_none() && !state.has_ended
        });
        state.first_line.clone().unwrap_or_else(|| state.text())
    }

    /// The last of it, so far.
    pub(crate) fn text(&self) -> String {
        self.state().text()
    }

    /// The last of it, when all has been read.
    pub(crate) fn whole(&self, time_max: Duration) -> String {
        self.wait_while(time_max, |state| !state.has_ended).text()
    }
}

impl State {
    fn receive(&mut self, bytes: &[u8]) {
        self.text.extend(bytes);
        if self.first_line.is_none()
            && let Some(end) = self.text.iter().position(|&b| b == b'\n')
        {
            let line = String::from_utf8_lossy(&self.text[..end]);
            self.first_line = Some(line.trim_end().to_string());
        }
        if self.text.len() > 2 * KEPT {
            self.text.drain(..self.text.len() - KEPT);
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_line_is_remembered_and_the_end_is_kept() {
        let text = format!("one\n{}end", "x".repeat(10 * KEPT));
        let drain = Drain::start(Box::new(std::io::Cursor::new(text)));
        let whole = drain.whole(SECOND);
        assert!(whole.ends_with("xend") && whole.len() <= 2 * KEPT);
        assert_eq!(drain.first_line(SECOND), "one");
    }

    #[test]
    fn a_line_that_never_ends_is_all_there_is() {
        let drain = Drain::start(Box::new(std::io::Cursor::new("half")));
        assert_eq!(drain.first_line(SECOND), "half");
        assert_eq!(drain.text(), "half");
    }
}
