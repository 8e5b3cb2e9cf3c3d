//! What an experiment is, and how its results become text.

use crate::lab::Lab;
use crate::results::{Chart, Results};

/// A question that can be measured.
#[derive(Debug)]
pub struct Experiment {
    /// One word.
    pub name: &'static str,
    /// The heading.
    pub title: &'static str,
    /// Of the chapter: `page 122`, `pages 123-125`.
    pub pages: &'static str,
    /// What the chapter says there, in our own words.
    pub claim: &'static str,
    /// What is measured, as a question.
    pub question: &'static str,
    /// What a reader should decide before looking.
    pub predict: &'static str,
    /// Measures it.
    pub make: fn(&mut Lab) -> anyhow::Result<Vec<Chart>>,
    /// What came out, from the data alone.
    pub seen: fn(&Results) -> String,
}

impl Experiment {
    /// What came out, with what a reader has to know before believing it.
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
    pub fn page(&self, results: &Results) -> String {
        let Self { pages, claim, question, predict, .. } = self;
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
