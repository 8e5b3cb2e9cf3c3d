//! What an experiment is, and how its results become part of the book.

use serde::Deserialize;

use crate::lab::Lab;
use crate::results::{Charts, Results};

/// A question that can be measured.
#[derive(Debug)]
pub struct Experiment {
    pub name: &'static str,
    pub about: About,
    pub make: fn(&mut Lab, &mut Charts) -> anyhow::Result<()>,
    /// Puts the outcome into sentences, from the data alone.
    pub seen: fn(&Results) -> String,
}

/// What `experiments/about.toml` says about an experiment.
#[derive(Debug, Deserialize)]
pub struct About {
    pub title: String,
    pub pages: String,
    pub claim: String,
    pub question: String,
    pub predict: String,
    /// The charts, still without values.
    pub charts: Charts,
}

impl Experiment {
    /// The outcome in sentences, after any warning that a reader needs.
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

    /// What the book's page on the lab includes.
    pub fn page(&self, results: &Results) -> String {
        let About { pages, claim, question, predict, .. } = &self.about;
        let seen = self.seen_in(results);
        format!(
            "<!-- ANCHOR: question -->\n\
             The chapter, {pages}: {claim}\n\n\
             **Question.** {question}\n\n\
             **Predict first.** {predict}\n\
             <!-- ANCHOR_END: question -->\n\
             <!-- ANCHOR: seen -->\n\
             {seen}\
             <!-- ANCHOR_END: seen -->\n"
        )
    }
}
