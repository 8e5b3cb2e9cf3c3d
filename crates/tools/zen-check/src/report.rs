//! The forms in which a report is written, for people and for those who grade.
//!
//! A report contains what a server printed, and a server may be hostile. So
//! [`write()`] first makes a copy in which every text is printable and short
//! (`clean`); a format only minds its own syntax.

mod classroom50;
mod clean;
mod github;
mod gradescope;
mod json;
mod junit;
mod progress;
mod terminal;
mod text;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::str::FromStr;

pub use crate::contract::{Level, Profile};
pub use crate::outcome::{
    Because, CaseResult, Cause, Crowd, Failure, Observation, Outcome, Report,
    Totals, failures,
};
pub use clean::report as clean;
pub use progress::with_progress;
pub use text::Settings;

/// Whether standard output is a terminal that takes colours. Windows has to be
/// told first, and an old console takes none.
#[must_use]
pub fn is_for_a_terminal() -> bool {
    io::stdout().is_terminal()
        && anstyle_query::windows::enable_ansi_colors() != Some(false)
}

/// A form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For the person who started it.
    Terminal,
    /// All of it, as `report.schema.json` says.
    Json,
    /// For programs that show the results of tests.
    Junit,
    /// `results.json` of a Gradescope autograder.
    Gradescope,
    /// `result.json` of a Classroom 50 autograder.
    Classroom50,
    /// Annotations of a GitHub workflow, and its summary.
    Github,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Terminal,
        Self::Json,
        Self::Junit,
        Self::Gradescope,
        Self::Classroom50,
        Self::Github,
    ];
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}").to_lowercase())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|format| format.to_string() == name).ok_or_else(|| {
            let names = Self::ALL.map(|format| format.to_string()).join(", ");
            format!("`{name}` is none of {names}")
        })
    }
}

/// Writes `report` in one format. A case without a verdict keeps its points in
/// the maximum, and the formats for graders say that there is no verdict.
///
/// # Errors
/// What `to` says.
pub fn write(
    report: &Report,
    format: Format,
    to: &mut dyn Write,
    settings: &Settings<'_>,
) -> io::Result<()> {
    let report = &clean(report);
    match format {
        Format::Terminal => terminal::write(report, to, settings),
        Format::Json => json::write(report, to),
        Format::Junit => junit::write(report, to),
        Format::Gradescope => gradescope::write(report, to),
        Format::Classroom50 => classroom50::write(report, to, settings),
        Format::Github => github::write(report, to, settings),
    }?;
    to.flush()
}
