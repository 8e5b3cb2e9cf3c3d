//! The forms in which a report is written, for people and for those who grade.
//!
//! What a server printed stands in a report, and a server may be hostile. So
//! [`write`] first makes a copy in which every text is printable and short
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

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use super::{CaseResult, Failure, Level, Outcome, Report, START};
pub use clean::report as clean;
pub use progress::Progress;

/// A form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For the person who started it.
    Terminal,
    /// All of it, as `report.schema.json` says.
    Json,
    /// For whatever shows the results of tests.
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

    fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Gradescope => "gradescope",
            Self::Classroom50 => "classroom50",
            Self::Github => "github",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("`{name}` is none of {names}")
        })
    }
}

/// What is not in the report itself.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// Whether the terminal shows colours.
    pub colour: bool,
    /// Whether the terminal shows all of every failure, not only of the first.
    pub all: bool,
    /// Where environment variables are looked up.
    pub environment: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        let environment = &|name: &str| std::env::var_os(name);
        Self { colour: false, all: false, environment }
    }
}

impl Settings<'_> {
    /// A variable that is set to nothing counts as not set.
    fn variable(&self, name: &str) -> Option<OsString> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }
}

/// Writes `report` in one format.
///
/// # Errors
/// What `to` says, or that there is no grade to write: where nothing is known
/// of any case that counts, because the checker failed, a grader must not take
/// that for no points.
pub fn write(
    report: &Report,
    format: Format,
    to: &mut dyn Write,
    settings: &Settings<'_>,
) -> io::Result<()> {
    let report = &clean::report(report);
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

/// A failure that costs a point is a `Must`; any other is only a finding. What
/// no case could be put to is told once.
fn failures(
    report: &Report,
    level: Level,
) -> impl Iterator<Item = (&CaseResult, &Failure)> {
    let mut results = &report.results[..];
    if let [first, ..] = results
        && first.clause == START
    {
        results = &results[..1];
    }
    let of_level = results.iter().filter(move |it| it.level == level);
    of_level.filter_map(|result| match &result.outcome {
        Outcome::Failed(failure) => Some((result, &**failure)),
        _ => None,
    })
}

/// The cases in which the checker or its machine failed.
fn errors(report: &Report) -> impl Iterator<Item = (&CaseResult, &str)> {
    report.results.iter().filter_map(|result| match &result.outcome {
        Outcome::Error(reason) => Some((result, &**reason)),
        _ => None,
    })
}

/// Fails if there is nothing that a grade could be made from.
fn some_grade(report: &Report) -> io::Result<()> {
    let totals = report.totals();
    if totals.errors > 0 && totals.points_max == 0 {
        return Err(io::Error::other(
            "no grade: the checker or its machine failed in every case \
             that counts",
        ));
    }
    Ok(())
}

fn utc(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
