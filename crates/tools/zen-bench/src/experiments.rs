//! The experiments, each linked to a claim of the chapter.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::experiment::{About, Experiment, fill};
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

pub static EXPERIMENTS: LazyLock<Vec<Experiment>> = LazyLock::new(|| {
    let about = toml::from_str(include_str!("experiments/about.toml"));
    let mut about: HashMap<String, About> = about.expect("it is TOML");
    macro_rules! experiments {
        ($($name:ident)*) => {
            vec![$(Experiment {
                name: stringify!($name),
                about: about.remove(stringify!($name)).expect("it is there"),
                make: $name::make,
                words: include_str!(concat!(
                    "../templates/seen/",
                    stringify!($name),
                    ".md"
                )),
            }),*]
        };
    }
    experiments! {
        silent waiting slow churn knees backlog pollers rates prices loops
        million
    }
});

/// A table for the book: the claims of the chapter and their experiments.
pub fn claims() -> String {
    let mut text = String::from(
        "| pages | what the chapter says | experiment |\n|---|---|---|\n",
    );
    for Experiment { name, about, .. } in &*EXPERIMENTS {
        let About { pages, claim, .. } = about;
        let pages = pages.split_once(' ').map_or(&**pages, |(_, it)| it);
        text += &format!("| {pages} | {claim} | `{name}` |\n");
    }
    text
}

/// The Markdown tables about single servers, by the server's name.
pub fn tables(results: &Results) -> Vec<(String, String)> {
    let of_prices = results.experiment == "prices";
    let names = results.chart("price").filter(|_| of_prices);
    let names = names.map_or(&[][..], |it| &it.x.names).iter();
    let table = include_str!("../templates/table.md");
    names.map(|it| (it.clone(), fill(table, results, it))).collect()
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
        for Experiment { name, about, .. } in &*EXPERIMENTS {
            assert!(about.question.ends_with('?'), "{name}");
            assert!(about.predict.len() > 40, "{name}");
            let claim = &about.claim;
            assert!(claims().contains(claim) && !claim.contains('|'));
        }
    }
}
