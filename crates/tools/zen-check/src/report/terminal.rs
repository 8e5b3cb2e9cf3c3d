//! For the person who started it: the verdict first, then why.

use std::io::{self, Write};

use super::text::{self, Settings, errors, failures};
use crate::contract::Level;
use crate::outcome::{Report, Totals};

/// What is wrong most often shows in the first failures; the others would
/// only push them off the screen.
const IN_FULL_MAX: usize = 5;

const BOLD: &str = "1";
const RED: &str = "1;31";
const GREEN: &str = "1;32";
const YELLOW: &str = "1;33";

pub(super) fn write(
    report: &Report,
    to: &mut dyn Write,
    settings: &Settings<'_>,
) -> io::Result<()> {
    let mut page = Page { to, settings };
    let totals = report.totals();
    let colour = match totals {
        Totals { failed: 1.., .. } => RED,
        Totals { errors: 0, points_max: 1.., .. } => GREEN,
        _ => YELLOW,
    };
    page.title(colour, &text::verdict(report))?;
    page.line(&format!("  subject: {}", report.subject))?;
    for cause in &report.causes {
        let title = format!("{}: {}", text::label(cause), cause.what);
        page.heading(YELLOW, &title)?;
        for line in &cause.lines {
            page.line(&format!("  {line}"))?;
        }
    }
    page.failures(report, Level::Must, (RED, "FAILED"))?;
    page.failures(report, Level::Should, (YELLOW, "SHOULD"))?;
    if totals.errors > 0 {
        page.heading(YELLOW, text::NO_VERDICT)?;
        for (result, reason) in errors(report) {
            page.line(&format!("  {}", result.title()))?;
            page.line(&format!("    {reason}"))?;
        }
    }
    if let Some(observed) = &report.observed {
        page.heading(BOLD, "While clients are silent")?;
        for line in text::observation(observed) {
            page.line(&format!("  {line}"))?;
        }
    }
    let skipped = text::skipped(report);
    if !skipped.is_empty() {
        page.heading(BOLD, "Skipped")?;
        for (reason, clauses) in skipped {
            page.line(&format!("  {reason}: {}", clauses.join(", ")))?;
        }
    }
    page.totals(report)?;
    match text::next(report) {
        Some(next) => page.line(&next),
        None => Ok(()),
    }
}

struct Page<'a> {
    to: &'a mut dyn Write,
    settings: &'a Settings<'a>,
}

impl Page<'_> {
    fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.to, "{line}")
    }

    fn title(&mut self, colour: &str, line: &str) -> io::Result<()> {
        match self.settings.colour {
            true => self.line(&format!("\x1b[{colour}m{line}\x1b[0m")),
            false => self.line(line),
        }
    }

    fn heading(&mut self, colour: &str, line: &str) -> io::Result<()> {
        self.line("")?;
        self.title(colour, line)
    }

    fn failures(
        &mut self,
        report: &Report,
        level: Level,
        (colour, label): (&str, &str),
    ) -> io::Result<()> {
        let in_full_max =
            if self.settings.all { usize::MAX } else { IN_FULL_MAX };
        for (result, failure) in failures(report, level).take(in_full_max) {
            self.heading(colour, &format!("{label} {}", result.title()))?;
            for line in failure.lines() {
                self.line(&format!("  {line}"))?;
            }
        }
        let mut in_short = failures(report, level).skip(in_full_max).peekable();
        if in_short.peek().is_some() {
            self.heading(colour, &format!("{label} too, in short"))?;
        }
        for (result, failure) in in_short {
            self.line(&format!("  {}: {}", result.title(), failure.what))?;
        }
        Ok(())
    }

    fn totals(&mut self, report: &Report) -> io::Result<()> {
        let Totals { passed, failed, warned, errors, skipped, .. } =
            report.totals();
        let mut counts = format!("{passed} passed, {failed} failed");
        for (number, what) in [
            (warned, "should do better"),
            (errors, "not known"),
            (skipped, "skipped"),
        ] {
            if number > 0 {
                counts += &format!(", {number} {what}");
            }
        }
        self.heading(BOLD, &format!("{}: {counts}", text::points(report)))?;
        self.line(&format!(
            "  profile {}, seed {}, {:.1} s",
            report.profile.name(),
            report.seed,
            report.time.as_secs_f64()
        ))
    }
}
