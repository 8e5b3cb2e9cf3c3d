//! The experiments, each bound to a claim of the text.

use crate::lab::{Lab, Subject};
use crate::results::{Chart, Results};

mod backlog;
mod churn;
mod knees;
mod loops;
mod pollers;
mod prices;
mod rates;
mod silent;
mod slow;
mod waiting;

/// What was seen where nothing was.
const NOTHING: &str = "Nothing could be measured here: what a process has used \
                       is told by Linux only.";

/// Something that a machine can be asked.
#[derive(Debug)]
pub struct Experiment {
    /// One word.
    pub name: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// Of the text: `page 122`, `pages 123-125`.
    pub pages: &'static str,
    /// What the text says there, in our own words.
    pub claim: &'static str,
    /// What is asked here.
    pub question: &'static str,
    /// What a reader should decide before looking.
    pub predict: &'static str,
    /// It needs all cores, and so the load gets none of its own.
    pub on_all_cores: bool,
    /// Does it.
    pub make: fn(&mut Lab) -> anyhow::Result<Vec<Chart>>,
    /// What was seen, said from the data and from nothing else.
    pub seen: fn(&Results) -> String,
}

/// All of them, in the order of the text.
pub static EXPERIMENTS: [Experiment; 10] = [
    silent::EXPERIMENT,
    waiting::EXPERIMENT,
    slow::EXPERIMENT,
    churn::EXPERIMENT,
    knees::EXPERIMENT,
    backlog::EXPERIMENT,
    pollers::EXPERIMENT,
    rates::EXPERIMENT,
    prices::EXPERIMENT,
    loops::EXPERIMENT,
];

impl Experiment {
    /// What was seen, with what a reader has to know before believing it.
    #[must_use]
    pub fn seen_in(&self, results: &Results) -> String {
        let mut text = (self.seen)(results);
        if let Some(warning) = results.warning() {
            text += &format!("\n\n**{warning}**");
        }
        if !results.left_out.is_empty() {
            text += &format!("\n\nLeft out: {}.", results.left_out.join("; "));
        }
        let runs = match results.runs {
            1 => "One run".into(),
            runs => format!("Medians of {runs} runs, and their spread"),
        };
        let (size, machine) = (&results.size, results.machine.sentence());
        text + &format!("\n\n*{runs}; size {size}. {machine}.*\n")
    }

    /// What the book's page of the lab includes.
    #[must_use]
    pub fn page(&self, results: &Results) -> String {
        let Self { pages, claim, question, predict, .. } = self;
        let seen = self.seen_in(results);
        format!(
            "<!-- ANCHOR: question -->\n\
             The text, {pages}: {claim}\n\n\
             **Question.** {question}\n\n\
             **Predict first.** {predict}\n\
             <!-- ANCHOR_END: question -->\n\
             <!-- ANCHOR: seen -->\n\
             {seen}\
             <!-- ANCHOR_END: seen -->\n"
        )
    }
}

/// Which claim of the text has which experiment, as a table for the book.
#[must_use]
pub fn claims() -> String {
    let mut text = String::from(
        "| pages | what the text says | experiment |\n|---|---|---|\n",
    );
    for experiment in &EXPERIMENTS {
        let Experiment { pages, claim, name, .. } = experiment;
        let pages = pages.split_once(' ').map_or(*pages, |(_, them)| them);
        text += &format!("| {pages} | {claim} | `{name}` |\n");
    }
    text
}

/// What these results say of single servers, as Markdown, by the server's
/// name.
#[must_use]
pub fn tables(results: &Results) -> Vec<(&'static str, String)> {
    match results.experiment == prices::EXPERIMENT.name {
        true => prices::tables(results),
        false => Vec::new(),
    }
}

/// Seconds as a person says them.
fn seconds(value: f64) -> String {
    match value {
        1.0.. => format!("{value:.1} s"),
        0.01.. => format!("{:.0} ms", value * 1e3),
        0.001.. => format!("{:.1} ms", value * 1e3),
        0.000_01.. => format!("{:.0} µs", value * 1e6),
        _ => format!("{:.1} µs", value * 1e6),
    }
}

/// A number with commas.
fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Names as a person lists them.
fn list(names: &[String]) -> String {
    match names {
        [] => "none".into(),
        [name] => name.clone(),
        [names @ .., last] => format!("{} and {last}", names.join(", ")),
    }
}

/// In code.
fn code(name: &str) -> String {
    format!("`{name}`")
}

/// What a server is told so that it can serve so many clients at once.
fn options_for(subject: &Subject, clients: usize) -> Vec<String> {
    let listing = subject.listing.as_ref();
    listing.and_then(|it| it.options_for(clients)).unwrap_or_default()
}

/// Borrowed, as a command line wants them.
fn borrowed(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_asks_something_of_its_own() {
        let mut names: Vec<_> = EXPERIMENTS.iter().map(|it| it.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EXPERIMENTS.len());
        for it in &EXPERIMENTS {
            assert!(it.question.ends_with('?'), "{}", it.name);
            assert!(it.predict.len() > 40, "{}", it.name);
            assert!(claims().contains(it.claim) && !it.claim.contains('|'));
        }
    }

    #[test]
    fn times_are_said_in_their_own_unit() {
        let times = [2.5, 0.25, 0.0025, 0.000_025, 0.000_001_3].map(seconds);
        assert_eq!(times, ["2.5 s", "250 ms", "2.5 ms", "25 µs", "1.3 µs"]);
        let counts = [5.0, 999.4, 1000.0, 1_298_000.0].map(count);
        assert_eq!(counts, ["5", "999", "1,000", "1,298,000"]);
    }
}
