//! For a GitHub workflow: annotations, which are lines of the step's output,
//! and a summary in Markdown, which is a file that the runner names.

use std::fs::OpenOptions;
use std::io::{self, Write};

use super::text::{self, Settings, errors, failures};
use crate::contract::Level;
use crate::outcome::{Failure, Report};

/// GitHub shows no more than these of a step.
const ANNOTATIONS_MAX: usize = 10;

/// GitHub drops a summary of more than 1 MiB, all of it.
const SUMMARY_BYTES_MAX: usize = 1_000_000;

pub(super) fn write(
    report: &Report,
    to: &mut dyn Write,
    settings: &Settings<'_>,
) -> io::Result<()> {
    annotate(report, to)?;
    let Some(path) = settings.variable("GITHUB_STEP_SUMMARY") else {
        return Ok(());
    };
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    // Others of this step may have written to it.
    let written = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let room = SUMMARY_BYTES_MAX.saturating_sub(written);
    file.write_all(summary(report, room).as_bytes())
}

fn annotate(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let causes = report.causes.iter().filter(|it| it.explains.is_some());
    let mut annotations: Vec<_> = causes
        .map(|it| ("error", it.what.clone(), it.lines.join("\n")))
        .collect();
    for (level, kind) in [(Level::Must, "error"), (Level::Should, "warning")] {
        for (result, failure) in failures(report, level) {
            let Failure { what, means, .. } = failure;
            let means = means.as_deref().unwrap_or_default();
            let message = format!("{what}\n{means}");
            annotations.push((kind, result.title(), message));
        }
        if level == Level::Must {
            annotations.extend(errors(report).map(|(result, reason)| {
                let message = format!("{reason}\n{}", text::NO_VERDICT);
                ("error", result.title(), message)
            }));
        }
    }
    for (kind, title, message) in annotations.iter().take(ANNOTATIONS_MAX) {
        let title = escaped(title).replace(':', "%3A").replace(',', "%2C");
        let message = escaped(message.trim_end());
        writeln!(to, "::{kind} title={title}::{message}")?;
    }
    // The verdict is a plain line: an annotation more would be dropped.
    writeln!(to, "zen-check: {}", text::verdict(report))
}

/// As the runner decodes what stands in a command.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// At most this many bytes of Markdown: sections that do not fit are counted.
fn summary(report: &Report, bytes_max: usize) -> String {
    let mut sections = Vec::new();
    for cause in &report.causes {
        let (label, what) = (text::label(cause), markdown(&cause.what));
        sections
            .push(format!("### {label}: {what}\n\n{}", fenced(&cause.lines)));
    }
    for (level, label) in [(Level::Must, ""), (Level::Should, "SHOULD ")] {
        for (result, failure) in failures(report, level) {
            let details = fenced(&failure.lines());
            let title = markdown(&result.title());
            sections.push(format!("### {label}{title}\n\n{details}"));
        }
    }
    if report.totals().errors > 0 {
        sections.push(format!("### {}\n\n", text::NO_VERDICT));
    }
    for (result, reason) in errors(report) {
        let (title, reason) = (markdown(&result.title()), markdown(reason));
        sections.push(format!("- {title}: {reason}\n"));
    }
    if let Some(observed) = &report.observed {
        let table = fenced(&text::observation(observed));
        sections.push(format!("\n### While clients are silent\n\n{table}"));
    }
    for (reason, clauses) in text::skipped(report) {
        let clauses = clauses.join(", ");
        sections.push(format!("\nSkipped, {}: {clauses}\n", markdown(reason)));
    }
    let mut summary = format!(
        "## zen-check: {}\n\n{}; {}; seed {}\n\n",
        text::verdict(report),
        markdown(&report.subject),
        text::points(report),
        report.seed
    );
    let more = |left_out| format!("\n{left_out} more sections did not fit.\n");
    let room = bytes_max.saturating_sub(more(sections.len()).len());
    if summary.len() > room {
        return String::new();
    }
    let mut left_out = 0;
    for section in sections {
        match summary.len() + section.len() <= room {
            true => summary += &section,
            false => left_out += 1,
        }
    }
    if left_out > 0 {
        summary += &more(left_out);
    }
    summary
}

/// As code, in a fence longer than any that the code could close it with.
fn fenced(lines: &[String]) -> String {
    let text = lines.join("\n");
    let runs = text.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0).max(2) + 1);
    format!("{fence}text\n{text}\n{fence}\n\n")
}

/// As text in which no character means anything.
fn markdown(text: &str) -> String {
    let mut markdown = String::new();
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            markdown.push('\\');
        }
        markdown.push(c);
    }
    markdown
}
