//! The report of one load, as text and as JSON.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;
use zen_harness::proc::Turns;

use zen_bench::gauge::Gauge;
use zen_bench::machine::Machine;
use zen_bench::template;

/// A side is saturated if it wants at least this share of a core.
const SATURATED: f64 = 0.9;

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) server: String,
    pub(super) machine: Machine,
    pub(super) clients: usize,
    pub(super) batch: usize,
    /// Questions a second in an open loop; None in a closed loop.
    pub(super) offered_rate: Option<f64>,
    pub(super) seconds: f64,
    pub(super) answers: u64,
    pub(super) unanswered: u64,
    pub(super) answers_a_second: f64,
    /// In seconds, for each share of the questions that was answered within it,
    /// from when they were meant to be asked.
    pub(super) latency: BTreeMap<String, f64>,
    /// The same, from when they were sent.
    pub(super) latency_since_sent: BTreeMap<String, f64>,
    pub(super) load_cpu_us_a_question: f64,
    pub(super) server_cpu_us_an_answer: Option<f64>,
    /// In shares of a core: for the load, and for the server's busiest thread.
    pub(super) load_wanted: f64,
    pub(super) server_wanted: Option<f64>,
    pub(super) saturated: String,
    pub(super) after: Option<Gauge>,
    pub(super) context_switches_an_answer: Option<f64>,
    pub(super) system_calls_an_answer: Option<BTreeMap<String, f64>>,
}

const SHARES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 1.0];

pub(super) fn quantiles(histogram: &Histogram<u64>) -> BTreeMap<String, f64> {
    let value = |share| histogram.value_at_quantile(share) as f64 / 1e9;
    SHARES.into_iter().map(|it| (it.to_string(), value(it))).collect()
}

/// Which side was saturated: the measured rate is that side's limit.
pub(super) fn saturated(load: f64, server: Option<f64>, own: Turns) -> String {
    let percent = |share: f64| format!("{:.0} % of a core", share * 100.0);
    let server_is = server.is_some_and(|server| server >= SATURATED);
    let text = match (load >= SATURATED, server_is, server) {
        (false, true, Some(server)) => {
            format!("the server ({})", percent(server))
        }
        (true, false, _) => {
            format!("the load ({}): the rate is the load's", percent(load))
        }
        (true, true, _) => "both".into(),
        (false, _, Some(server)) => format!(
            "neither (the server's busiest thread {}, the load {})",
            percent(server),
            percent(load)
        ),
        (false, _, None) => format!(
            "not the load ({}); the server's figures are unknown",
            percent(load)
        ),
    };
    let delay = own.delay.as_secs_f64();
    let share = delay / (own.cpu.as_secs_f64() + delay).max(1e-9);
    match share > zen_bench::results::DELAY_MAX {
        true => format!(
            "{text}; a noisy run: other programs kept the load from its core for \
             {:.0} % of the time that it wanted",
            share * 100.0
        ),
        false => text,
    }
}

impl Report {
    pub(super) fn text(&self) -> String {
        let shares = SHARES.map(|share| {
            context! { key => share.to_string(), percent => share * 100.0 }
        });
        let context = context! {
            shares => Value::from_iter(shares),
            sentence => self.machine.sentence(),
            ..Value::from(Serde(self))
        };
        let template = include_str!("../../templates/load.txt");
        template::fill(&[("load.txt", template)], context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn reports_which_side_was_saturated() {
        let calm = Turns::default();
        let of = |load, server| saturated(load, server, calm);
        assert!(of(0.5, Some(0.95)).starts_with("the server"));
        assert!(of(0.95, Some(0.5)).starts_with("the load"));
        assert_eq!(of(0.95, Some(0.95)), "both");
        assert!(of(0.5, Some(0.5)).starts_with("neither"));
        assert!(of(0.5, None).starts_with("not the load"));
        let second = Duration::from_secs(1);
        let kept = Turns { cpu: 3 * second, delay: second };
        assert!(saturated(0.5, None, kept).contains("25 %"));
    }
}
