//! The experiments, each bound to a claim of the chapter.

use crate::experiment::Experiment;
use crate::results::Results;

mod backlog;
mod churn;
mod knees;
mod loops;
mod million;
mod pollers;
mod prices;
mod rates;
mod silent;
mod slow;
mod waiting;

/// All of them, in the order of the chapter.
pub static EXPERIMENTS: [Experiment; 11] = [
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
    million::EXPERIMENT,
];

/// Which claim of the chapter has which experiment, as a table for the book.
pub fn claims() -> String {
    let mut text = String::from(
        "| pages | what the chapter says | experiment |\n|---|---|---|\n",
    );
    for Experiment { pages, claim, name, .. } in &EXPERIMENTS {
        let pages = pages.split_once(' ').map_or(*pages, |(_, them)| them);
        text += &format!("| {pages} | {claim} | `{name}` |\n");
    }
    text
}

/// The Markdown tables about single servers, by the server's name.
pub fn tables(results: &Results) -> Vec<(&'static str, String)> {
    match results.experiment == prices::EXPERIMENT.name {
        true => prices::tables(results),
        false => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_has_its_own_question() {
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
}
