//! What is known of a server: the cases that it fails, and one of them in
//! full.

use std::fmt::Write as _;
use std::fs;

use libtest_mimic::Failed;
use zen_check::report::{CaseResult, Failure, failures};

use crate::anonymous::{compared, shown};
use crate::servers::{self, Server};
use crate::title;

/// What stands before the lists, and before the report.
const LIST: &str = "It fails";
const SOMETIMES: &str = "Its fault is a race, so it may also fail";
const IN_FULL: &str = "In full: ";

/// How a server talks.
const TALK: [&str; 2] = ["wire", "ending"];

/// The file of a server.
#[derive(Debug, Default)]
pub(crate) struct Golden {
    /// The titles of the cases that it fails: first the one that names the
    /// fault, then the others in the order of the page.
    fails: Vec<String>,
    /// Those that it fails in one run and not in the next.
    sometimes: Vec<String>,
    /// The title of the case that names the fault.
    named_by: String,
    /// The first lines of its report, up to what was sent and received.
    report: Vec<String>,
}

impl Golden {
    /// Reads the file; one that is not there yet is empty.
    pub(crate) fn read(server: &Server) -> Result<Self, Failed> {
        let text =
            fs::read_to_string(servers::file(&server.name)).unwrap_or_default();
        let mut golden = Self::default();
        let mut lines = text.lines();
        let mut list = &mut golden.fails;
        for line in lines.by_ref() {
            if let Some(named_by) = line.strip_prefix(IN_FULL) {
                golden.named_by = named_by.into();
                break;
            }
            if line.starts_with(SOMETIMES) {
                list = &mut golden.sometimes;
            }
            list.extend(line.strip_prefix("  ").map(str::to_owned));
        }
        let report = lines.map(|line| line.trim_start_matches("  "));
        let report = report.filter(|line| !line.is_empty());
        golden.report = report.map(str::to_owned).collect();
        Ok(golden)
    }

    /// The case that names the fault, or, where there is none, how it talks.
    pub(crate) fn naming_case(&self) -> Vec<String> {
        let named_by = self.named_by.trim_end_matches(" (SHOULD)");
        match named_by.split_once(' ') {
            Some((clause, sentence)) => {
                vec![format!("{clause}::{}", sentence.replace(' ', "_"))]
            }
            None => TALK.map(str::to_owned).into(),
        }
    }

    /// Expects that it fails the case that names its fault, with the same
    /// report, and nothing else of what was put to it.
    pub(crate) fn expect_named(
        &self,
        server: &Server,
        results: &[CaseResult],
    ) -> Result<(), Failed> {
        let failed: Vec<_> = failures(results).collect();
        let titles: Vec<_> = failed.iter().map(|it| title(it.0)).collect();
        let expected = Some(&self.named_by).filter(|name| !name.is_empty());
        let expected: Vec<_> = expected.cloned().into_iter().collect();
        let name = &server.name;
        if titles != expected {
            return Err(
                format!("{name}: fails {titles:?}, not {expected:?}").into()
            );
        }
        match self.difference_of_reports(&failed) {
            Some(difference) => Err(format!("{name}: {difference}").into()),
            None => Ok(()),
        }
    }

    /// How the report of the case that names the fault differs; of a race,
    /// what is seen of it differs from run to run.
    fn difference_of_reports(
        &self,
        failed: &[(&CaseResult, &Failure)],
    ) -> Option<String> {
        let named = failed.iter().find(|it| title(it.0) == self.named_by);
        let (_, failure) = named.filter(|_| self.sometimes.is_empty())?;
        let (now, then) = (essence(&report(failure)), essence(&self.report));
        let differs = now != then;
        differs.then(|| format!("says {now:#?}\n  instead of {then:#?}"))
    }

    /// Expects the same failures, and the same report of the one that names
    /// the fault.
    pub(crate) fn compare(
        &self,
        server: &Server,
        results: &[CaseResult],
    ) -> Result<(), Failed> {
        let failed: Vec<_> = failures(results).collect();
        let mut differences = String::new();
        for (result, failure) in &failed {
            let title = title(result);
            if !self.fails.contains(&title) && !self.sometimes.contains(&title)
            {
                let lines = failure.lines().join("\n    ");
                writeln!(differences, "fails now: {title}\n    {lines}")?;
            }
        }
        for known in &self.fails {
            let fails = |result: &CaseResult| title(result) == *known;
            if !failed.iter().any(|(result, _)| fails(result)) {
                writeln!(differences, "does not fail any more: {known}")?;
            }
        }
        if let Some(difference) = self.difference_of_reports(&failed) {
            writeln!(differences, "{difference}")?;
        }
        match differences.as_str() {
            "" => Ok(()),
            differences => {
                Err(format!("{}: {differences}", server.name).into())
            }
        }
    }

    /// Writes the file. The case that names the fault stays the one that it
    /// was, if it still fails. A case that differs from the file that was there
    /// goes among the races: if it is only newer than the file, move it.
    pub(crate) fn bless(
        &self,
        server: &Server,
        results: &[CaseResult],
    ) -> Result<(), Failed> {
        let mut failed: Vec<_> = failures(results).collect();
        // Stable: the others stay in the order of the page.
        failed.sort_by_key(|it| title(it.0) != self.named_by);
        let mut fails: Vec<_> = failed.iter().map(|it| title(it.0)).collect();
        let mut sometimes = self.sometimes.clone();
        if !self.fails.is_empty() {
            let known = self.fails.iter().filter(|it| !fails.contains(it));
            sometimes.extend(known.cloned());
            let new = fails.iter().filter(|it| !self.fails.contains(it));
            sometimes.extend(new.cloned());
        }
        sometimes.sort();
        sometimes.dedup();
        fails.retain(|title| !sometimes.contains(title));
        let mut text = format!("{}: {}\n", server.name, server.sentence);
        match fails.len() {
            0 => writeln!(text, "\n{LIST} nothing.")?,
            number => writeln!(text, "\n{LIST} {number}:\n")?,
        }
        fails.iter().try_for_each(|title| writeln!(text, "  {title}"))?;
        if !sometimes.is_empty() {
            writeln!(text, "\n{SOMETIMES}:\n")?;
        }
        sometimes.iter().try_for_each(|title| writeln!(text, "  {title}"))?;
        if let Some((result, failure)) = failed.first() {
            write_in_full(&mut text, result, failure)?;
        }
        fs::write(servers::file(&server.name), text)?;
        Ok(())
    }

    /// Writes only the report of the case that names the fault.
    pub(crate) fn bless_report(
        &self,
        server: &Server,
        results: &[CaseResult],
    ) -> Result<(), Failed> {
        let before = fs::read_to_string(servers::file(&server.name))?;
        let (lists, _) = before.split_once(IN_FULL).unwrap_or((&before, ""));
        let mut text = lists.trim_end().to_string() + "\n";
        let mut failed = failures(results);
        if let Some((result, failure)) =
            failed.find(|it| title(it.0) == self.named_by)
        {
            write_in_full(&mut text, result, failure)?;
            fs::write(servers::file(&server.name), text)?;
        }
        Ok(())
    }
}

fn write_in_full(
    text: &mut String,
    result: &CaseResult,
    failure: &Failure,
) -> Result<(), Failed> {
    writeln!(text, "\n{IN_FULL}{}\n", title(result))?;
    for line in report(failure) {
        writeln!(text, "  {line}")?;
    }
    Ok(())
}

/// A report as the files show it. What the server prints is its own affair.
fn report(failure: &Failure) -> Vec<String> {
    let failure = Failure { log: Vec::new(), ..failure.clone() };
    let mut lines = failure.lines();
    lines.retain(|line| !line.starts_with("again: "));
    lines.iter().map(|line| shown(line)).collect()
}

/// What of a report is the same each time: not how the bytes were cut on their
/// way, and when.
fn essence(report: &[String]) -> Vec<String> {
    let lines = report.iter().map(|line| line.trim());
    let until = lines.take_while(|line| *line != "sent and received:");
    until.filter(|line| !line.starts_with("received ")).map(compared).collect()
}
