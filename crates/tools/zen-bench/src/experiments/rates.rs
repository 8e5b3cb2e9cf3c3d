//! How many answers a second, how late, and at what price.

use std::time::Duration;

use anyhow::Result;

use super::{Experiment, borrowed, code, count, list, options_for, seconds};
use crate::lab::{Lab, Subject};
use crate::load::{Load, Order, Outcome, Pace, Plan};
use crate::results::{Axis, Chart, Results, Scale};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "rates",
    title: "Rate, latency and price",
    pages: "pages 125 and 133",
    claim: "One thread that waits on many sockets serves hundreds or thousands \
            of clients; it hits the wall of one processor at 100 %.",
    question: "From 1 to 1000 clients ask as fast as they are answered: what \
               happens to the rate, the latency and the processor time for \
               each answer? And what if questions come by a schedule, faster \
               and faster?",
    predict: "Which server is fastest with 1 client, and which with 1000? Is it \
              the same one? Where is the wall, and what does the latency do \
              in front of it?",
    on_all_cores: false,
    make,
    seen,
};

const SERVERS: [&str; 6] = [
    "zen-threaded",
    "zen-legacy",
    "zen-fork",
    "zen-poll",
    "zen-callback",
    "zen-coroutine",
];
const PACED: [&str; 3] = ["zen-threaded", "zen-poll", "zen-coroutine"];
const PACED_CLIENTS: usize = 32;
const BATCH_CLIENTS: usize = 16;

struct Charts {
    rate: Chart,
    median: Chart,
    late: Chart,
    price: Chart,
    batches: Chart,
    paced: Chart,
}

impl Charts {
    fn new() -> Self {
        let chart = |name, title, x, y| {
            let x = Axis::new(x, Scale::Log);
            Chart::lines(name, title, x, Axis::new(y, Scale::Log))
        };
        let clients = "clients that ask";
        let micro = "microseconds of processor time";
        let latency = "seconds";
        Self {
            rate: chart("rate", "Answers a second", clients, "a second"),
            median: chart("median", "Latency, median", clients, latency),
            late: chart("late", "Latency that 99 % keep", clients, latency),
            price: chart("price", "For one answer", clients, micro),
            batches: chart(
                "batches",
                "For one answer, many asked at once",
                "questions at once, 16 clients",
                micro,
            ),
            paced: chart(
                "paced",
                "Latency that 99 % keep, by a schedule",
                "questions a second, 32 clients",
                latency,
            ),
        }
    }
}

fn make(lab: &mut Lab) -> Result<Vec<Chart>> {
    let clients: &[usize] = lab.pick([
        &[1, 8],
        &[1, 4, 16, 64, 256, 1000],
        &[1, 4, 16, 64, 256, 1000],
    ]);
    let batches: &[usize] =
        lab.pick([&[1, 16], &[1, 4, 16, 64], &[1, 2, 4, 8, 16, 32, 64]]);
    let rates: &[f64] = lab.pick([
        &[500.0],
        &[1e3, 5e3, 1e4, 2e4, 4e4, 8e4, 1.6e5],
        &[1e3, 2e3, 5e3, 1e4, 2e4, 4e4, 6e4, 8e4, 1.2e5, 1.6e5],
    ]);
    let mut charts = Charts::new();
    for run in 0..lab.runs() {
        for &clients in clients {
            lab.tell(run, &format!("{clients} clients"));
            for subject in lab.servers(&SERVERS) {
                let (outcome, price) =
                    drive(lab, &subject, clients, 1, Pace::Closed)?;
                let (name, x) = (&subject.name, clients as f64);
                charts.rate.record(name, x, outcome.rate());
                charts.median.record(name, x, outcome.quantile(0.5));
                charts.late.record(name, x, outcome.quantile(0.99));
                if let Some(price) = price {
                    charts.price.record(name, x, price);
                }
            }
        }
        for &batch in batches {
            lab.tell(run, &format!("{batch} questions at once"));
            for subject in lab.servers(&SERVERS) {
                let (_, price) =
                    drive(lab, &subject, BATCH_CLIENTS, batch, Pace::Closed)?;
                if let Some(price) = price {
                    charts.batches.record(&subject.name, batch as f64, price);
                }
            }
        }
        for &rate in rates {
            lab.tell(run, &format!("{rate} questions a second"));
            for subject in lab.servers(&PACED) {
                let pace = Pace::Open(rate);
                let (outcome, _) =
                    drive(lab, &subject, PACED_CLIENTS, 1, pace)?;
                let late = outcome.quantile(0.99);
                charts.paced.record(&subject.name, rate, late);
            }
        }
    }
    let Charts { rate, median, late, price, batches, paced } = charts;
    Ok(vec![rate, median, late, price, batches, paced])
}

/// What came of it, and microseconds of the server's for each answer.
pub(super) fn drive(
    lab: &mut Lab,
    subject: &Subject,
    clients: usize,
    batch: usize,
    pace: Pace,
) -> Result<(Outcome, Option<f64>)> {
    let options = options_for(subject, clients);
    let server = lab.start(subject, &borrowed(&options))?;
    let mut load = Load::connect(server.address, clients)?;
    let time = Duration::from_secs_f64(lab.pick([0.05, 0.15, 1.0]));
    let order = Order { pace, batch, time, questions_max: 10_000_000 };
    // Until every thread is there, and every buffer has its size.
    let time_max = Duration::from_secs(60);
    load.ask(Plan { rounds: 2, batch, time_max, ..Plan::default() })?;
    let before = lab.cpu(&server)?;
    let outcome = load.drive(&order, &mut |_| ())?;
    let after = lab.cpu(&server)?;
    drop(load);
    server.stop()?;
    let price = before.zip(after).map(|(before, after)| {
        (after - before) * 1e6 / outcome.answers.max(1) as f64
    });
    Ok((outcome, price))
}

fn seen(results: &Results) -> String {
    let Some(rate) = results.chart("rate") else { return String::new() };
    let places = rate.series.iter().flat_map(|it| &it.points);
    let most = places.map(|it| it.x).fold(0.0, f64::max);
    let at = |x| {
        let mut rates: Vec<_> = rate
            .series
            .iter()
            .filter_map(|it| Some((rate.at(&it.name, x)?, &it.name)))
            .collect();
        rates.sort_by(|a, b| b.0.total_cmp(&a.0));
        let told = rates.iter();
        let told =
            told.map(|(rate, name)| format!("{} {}", code(name), count(*rate)));
        list(&told.collect::<Vec<_>>())
    };
    let mut text = format!(
        "Answers a second with 1 client, from the fastest: {}. With {most}: \
         {}.",
        at(1.0),
        at(most)
    );
    if let Some(batches) = results.chart("batches") {
        let medians = batches.medians("zen-poll");
        if let (Some(one), Some(many)) = (medians.first(), medians.last()) {
            text += &format!(
                " `zen-poll` needs {:.1} µs of processor time for an answer \
                 when questions come one at a time, and {:.2} µs when {} come \
                 together.",
                one.1, many.1, many.0
            );
        }
    }
    if let Some(paced) = results.chart("paced") {
        let walls: Vec<_> = paced
            .series
            .iter()
            .map(|it| match paced.first_above(&it.name, WALL) {
                Some(x) => format!("{} at {}", code(&it.name), count(x)),
                None => format!("{} nowhere", code(&it.name)),
            })
            .collect();
        text += &format!(
            " With a schedule, the 99th percentile of latency first passes {} \
             at this many questions a second: {}.",
            seconds(WALL),
            list(&walls)
        );
    }
    text
}

/// Later than that is too late, and behind the wall.
const WALL: f64 = 0.05;
