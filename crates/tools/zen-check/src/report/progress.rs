//! What is seen while cases run.

use indicatif::{ProgressBar, ProgressStyle};

use crate::contract::Level;
use crate::outcome::{CaseResult, Outcome};

/// A line on the terminal; where standard error is none, nothing.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// A line that does not show yet how much there is to do.
    #[must_use]
    pub fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// So many cases will be put.
    pub fn started(&self, total: usize) {
        self.bar.set_length(total as u64);
    }

    /// One of them has been, from whichever thread. What did not pass last is
    /// named, so that nobody has to wait for the report to stop a run.
    pub fn finished(&self, result: &CaseResult) {
        let word = match (&result.outcome, result.level) {
            (Outcome::Passed | Outcome::Skipped(_), _) => None,
            (Outcome::Failed(_), Level::Must) => Some("failed"),
            (Outcome::Failed(_), Level::Should) => Some("should do better"),
            (Outcome::Error(_), _) => Some("not known"),
        };
        if let Some(word) = word {
            self.bar.set_message(format!("{word}: {}", result.title()));
        }
        self.bar.inc(1);
    }

    /// All of them have been: the line goes away before the report comes.
    pub fn done(self) {
        self.bar.finish_and_clear();
    }
}
