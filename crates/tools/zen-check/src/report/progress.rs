//! What is seen while cases run.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::contract::Level;
use crate::examine::Progress;
use crate::outcome::Outcome;

/// Shows the progress of a run as a line on standard error, if that is a
/// terminal. The line names the last failure, so that a run can be stopped
/// early, and goes away before the report comes. If a server is slow, each
/// result is a line of its own as soon as it is known.
pub fn with_progress<T>(
    run: impl FnOnce(&(dyn Fn(Progress<'_>) + Sync)) -> T,
) -> T {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} {msg}") {
        bar.set_style(style);
    }
    let slow = AtomicBool::new(false);
    let tell = |line: &str| {
        bar.suspend(|| writeln!(io::stderr(), "{}", line).ok());
    };
    let result = run(&|progress| match progress {
        Progress::Started(cases) => bar.set_length(cases as u64),
        Progress::Slow(answer_time, run_time) => {
            slow.store(true, Ordering::Relaxed);
            let minutes = run_time.as_secs().div_ceil(60);
            tell(&format!(
                "an answer takes {answer_time:.1?}: this run may take as long \
                as --time allows, about {minutes} minutes"
            ));
        }
        Progress::Finished(result) => {
            if slow.load(Ordering::Relaxed) {
                let word = match &result.outcome {
                    Outcome::Passed => "passed",
                    Outcome::Failed(_) => "FAILED",
                    Outcome::Error(_) => "not known",
                    Outcome::Skipped(_) => "skipped",
                };
                tell(&format!("{word:9} {}", result.title()));
            }
            let word = match (&result.outcome, result.level) {
                (Outcome::Passed | Outcome::Skipped(_), _) => None,
                (Outcome::Failed(_), Level::Must) => Some("failed"),
                (Outcome::Failed(_), Level::Should) => Some("should do better"),
                (Outcome::Error(_), _) => Some("not known"),
            };
            if let Some(word) = word {
                bar.set_message(format!("{word}: {}", result.title()));
            }
            bar.inc(1);
        }
    });
    bar.finish_and_clear();
    result
}
