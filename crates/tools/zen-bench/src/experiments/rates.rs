//! How many answers a second, with what latency, and at what price.

use std::time::Duration;

use anyhow::Result;

use crate::drive::Outcome;
use crate::lab::{Lab, Subject};
use crate::load::{Load, Plan};
use crate::results::Charts;
use crate::schedule::{Order, Pace};

const SERVERS: &str = "zen-threaded zen-legacy zen-fork zen-poll \
                       zen-callback zen-coroutine";
const PACED: &str = "zen-threaded zen-poll zen-coroutine";
const PACED_CLIENTS: usize = 32;
const BATCH_CLIENTS: usize = 16;

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    let all: &[usize] = &[1, 4, 16, 64, 256, 1000];
    let clients = lab.pick([&[1, 8][..], all, all]);
    let batches: &[usize] =
        lab.pick([&[1, 16], &[1, 4, 16, 64], &[1, 2, 4, 8, 16, 32, 64]]);
    let rates: &[f64] = lab.pick([
        &[500.0],
        &[1e3, 5e3, 1e4, 2e4, 4e4, 8e4, 1.6e5],
        &[1e3, 2e3, 5e3, 1e4, 2e4, 4e4, 6e4, 8e4, 1.2e5, 1.6e5],
    ]);
    for run in 0..lab.runs() {
        for &clients in clients {
            lab.tell(run, &format!("{clients} clients"));
            for subject in lab.servers(SERVERS) {
                let (outcome, cost) =
                    drive(lab, &subject, clients, 1, Pace::Closed)?;
                let (name, x) = (&subject.name, clients as f64);
                charts.record("rate", name, x, outcome.rate());
                charts.record("median", name, x, outcome.quantile(0.5));
                charts.record("late", name, x, outcome.quantile(0.99));
                charts.record("price", name, x, cost);
            }
        }
        for &batch in batches {
            lab.tell(run, &format!("{batch} questions at once"));
            for subject in lab.servers(SERVERS) {
                let (_, cost) =
                    drive(lab, &subject, BATCH_CLIENTS, batch, Pace::Closed)?;
                charts.record("batches", &subject.name, batch as f64, cost);
            }
        }
        for &rate in rates {
            lab.tell(run, &format!("{rate} questions a second"));
            for subject in lab.servers(PACED) {
                let pace = Pace::Open(rate);
                let (outcome, _) =
                    drive(lab, &subject, PACED_CLIENTS, 1, pace)?;
                let late = outcome.quantile(0.99);
                charts.record("paced", &subject.name, rate, late);
            }
        }
    }
    Ok(())
}

/// The outcome, and the server's processor time for an answer in microseconds.
pub(super) fn drive(
    lab: &mut Lab,
    subject: &Subject,
    clients: usize,
    batch: usize,
    pace: Pace,
) -> Result<(Outcome, Option<f64>)> {
    let server = lab.start_for(subject, clients)?;
    let mut load = Load::connect(server.address, clients)?;
    let time = Duration::from_secs_f64(lab.pick([0.05, 0.15, 1.0]));
    let order = Order { pace, batch, time, questions_max: 10_000_000 };
    // A first load, so that every thread runs and every buffer has its size.
    load.ask(Plan { batch, ..Plan::new(2) })?;
    let (outcome, cpu) =
        lab.cpu(&server, || load.drive(&order, &mut |_| ()))?;
    drop(load);
    server.stop()?;
    let answers = outcome.answers.max(1) as f64;
    Ok((outcome, cpu.map(|cpu| cpu * 1e6 / answers)))
}
