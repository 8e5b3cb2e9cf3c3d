//! What an experiment is, and how its results become part of the book.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Object, from_args};
use minijinja::{Error, ErrorKind, State, Value, context};
use serde::Deserialize;

use crate::lab::Lab;
use crate::results::{Chart, Charts, Results};
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

/// Fills in a template about results.
pub(crate) fn fill(template: &str, results: &Results, server: &str) -> String {
    let charts = results.charts.iter().cloned().map(InWords);
    let charts = charts.map(|it| (it.0.name.clone(), Value::from_object(it)));
    let context = context! {
        charts => charts.collect::<BTreeMap<_, _>>(),
        cores => results.machine.cores,
        left_out => results.left_out.clone(),
        server,
    };
    template::fill(&[("words.md", template)], context)
}

/// A chart, as the templates read it.
#[derive(Debug)]
struct InWords(Chart);

impl Object for InWords {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let Self(chart) = &**self;
        let names = || chart.series.iter().map(|it| it.name.clone()).collect();
        Some(match key.as_str()? {
            "limit" => chart.limit.unwrap_or(f64::INFINITY).into(),
            "names" => names(),
            "x_max" => chart.x_max().into(),
            _ => return None,
        })
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let Self(chart) = &**self;
        if method == "ranked" {
            let ranked = chart.ranked(from_args::<(f64,)>(args)?.0).into_iter();
            return Ok(ranked.map(|(name, y)| context! { name, y }).collect());
        }
        let (series, x) = from_args::<(&str, Option<&Value>)>(args)?;
        let number = || f64::try_from(x.cloned().unwrap_or_default());
        Ok(match method {
            "at" => chart.at(series, number()?).into(),
            "at_name" => {
                let name = x.and_then(Value::as_str).unwrap_or_default();
                chart.at_name(series, name).into()
            }
            "first_above" => chart.first_above(series, number()?).into(),
            "medians" => {
                let all = chart.medians(series).into_iter();
                let named =
                    |(x, y)| context! { name => chart.name_at(x), x, y };
                all.map(named).collect()
            }
            "ranked_names" => {
                let all = chart.ranked_names(series).into_iter();
                all.map(|(name, y)| context! { name, y }).collect()
            }
            _ => return Err(ErrorKind::UnknownMethod.into()),
        })
    }
}

impl Experiment {
    /// Puts the outcome into sentences, from the data alone.
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
