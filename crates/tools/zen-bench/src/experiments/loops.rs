//! One loop compared with two.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::crowd::visit;
use crate::lab::Lab;
use crate::load::Load;
use crate::results::Charts;
use crate::schedule::{Order, Pace};

const CLIENTS: usize = 64;
const SPREAD: usize = 400;
const SLOW: &str = "answers of 1 ms";
const MODES: [&str; 3] = ["reuseport", "listener", "processes"];

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    lab.share_cores();
    let time = Duration::from_secs_f64(lab.pick([0.05, 0.4, 2.0]));
    for run in 0..lab.runs() {
        for subject in lab.listings("zen-hybrid") {
            for (x, loops) in ["1", "2"].into_iter().enumerate() {
                for (batch, think, series) in [
                    (1, "0", "one question at a time"),
                    (16, "0", "16 at once"),
                    (1, "1", SLOW),
                ] {
                    lab.tell(run, &format!("{loops} loops, {series}"));
                    let options = ["--loops", loops, "--think", think];
                    let server = lab.start(&subject, &options)?;
                    let mut load = Load::connect(server.address, CLIENTS)?;
                    let order = Order {
                        pace: Pace::Closed,
                        batch,
                        time,
                        questions_max: 10_000_000,
                    };
                    let outcome = load.drive(&order, &mut |_| ())?;
                    charts.record("rate", series, x as f64, outcome.rate());
                    drop(load);
                    server.stop()?;
                }
            }
            for (x, share) in MODES.into_iter().enumerate() {
                if share != "listener" && !cfg!(target_os = "linux") {
                    lab.leave_out(&format!("--share {share}: Linux only"));
                    continue;
                }
                lab.tell(run, &format!("--share {share}"));
                let options = ["--loops", "2", "--spread", "--share", share];
                let mut server = lab.start(&subject, &options)?;
                let log = Arc::clone(&server.process().output);
                let crowd = Load::connect(server.address, SPREAD)?;
                // It is served after all of them.
                visit(server.address, 10.0)?;
                drop(crowd);
                server.stop()?;
                let share = most_of(&log.text());
                charts.record("spread", "clients of one loop", x as f64, share);
            }
        }
    }
    Ok(())
}

/// Reads the log's last lines (`Loop 0 accepted 203 clients`); in percent.
fn most_of(log: &str) -> Option<f64> {
    let accepted = log.lines().filter_map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["Loop", _, "accepted", count, "clients"] => count.parse().ok(),
            _ => None,
        }
    });
    let counts: Vec<f64> = accepted.collect();
    let most = counts.iter().copied().fold(0.0, f64::max);
    let all: f64 = counts.iter().sum();
    (all > 0.0).then(|| 100.0 * most / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_spread_of_clients_from_the_log() {
        let log = "Listening at x\nLoop 1 accepted 100 clients\n\
            Loop 0 accepted 300 clients\nbye\n";
        assert_eq!(most_of(log), Some(75.0));
        for log in ["", "Loop 0", "Loop 0 accepted 0 clients"] {
            assert_eq!(most_of(log), None, "{log}");
        }
    }
}
