//! What an experiment is, and how its results become part of the book.

use std::collections::BTreeMap;

use minijinja::{Value, context};
use serde::Deserialize;

use crate::lab::Lab;
use crate::results::{Charts, Point, Results};
use crate::template;
use crate::words::one_line;

/// A question that can be measured.
#[derive(Debug)]
pub struct Experiment {
    pub name: &'static str,
    pub about: About,
    pub make: fn(&mut Lab, &mut Charts) -> anyhow::Result<()>,
    /// The template that puts the outcome into sentences.
    pub words: &'static str,
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

pub(crate) fn fill(template: &str, results: &Results, server: &str) -> String {
    let charts = results.charts.iter().map(|chart| {
        let names = chart.series.iter().map(|it| it.name.clone());
        let points = chart.series.iter().flat_map(|series| {
            let point = |it: &Point| {
                let (series, name) = (series.name.clone(), chart.name_at(it.x));
                context! { series, name, x => it.x, y => it.median() }
            };
            series.points.iter().map(point)
        });
        let charted = context! {
            limit => chart.limit.unwrap_or(f64::INFINITY),
            names => names.collect::<Value>(),
            x_max => chart.x_max(),
            points => points.collect::<Value>(),
        };
        (chart.name.clone(), charted)
    });
    let context = context! {
        charts => charts.collect::<BTreeMap<_, _>>(),
        at => Value::from_function(value_at(results.clone())),
        cores => results.machine.cores,
        left_out => results.left_out.clone(),
        server,
    };
    template::fill(&[("words.md", template)], context)
}

/// The median of a series at a place, or at the place with a name.
fn value_at(results: Results) -> impl Fn(&str, &str, &Value) -> Option<f64> {
    move |chart, series, place| {
        let chart = results.chart(chart)?;
        let x = match place.as_str() {
            Some(name) => {
                chart.x.names.iter().position(|it| it == name)? as f64
            }
            None => f64::try_from(place.clone()).ok()?,
        };
        chart.at(series, x)
    }
}

impl Experiment {
    pub fn seen(&self, results: &Results) -> String {
        match results.charts.is_empty() {
            true => {
                "Nothing could be measured here: only Linux reports what a \
                     process has used."
                    .into()
            }
            false => one_line(&fill(self.words, results, "")),
        }
    }

    /// The outcome in sentences, after any warning that a reader needs.
    pub fn seen_in(&self, results: &Results) -> String {
        let mut text = self.seen(results);
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
