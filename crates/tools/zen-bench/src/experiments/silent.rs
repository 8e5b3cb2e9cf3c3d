//! Clients that connect and say nothing.

use std::time::Duration;

use anyhow::Result;

use super::{Experiment, code, list, seconds};
use crate::crowd::{Silent, visit};
use crate::lab::Lab;
use crate::results::{Axis, Chart, Results, Scale};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "silent",
    title: "A silent crowd",
    pages: "pages 120-125",
    claim: "One silent client denies service to all if one thread serves one \
            client. A pool loses a thread to each silent client. With a thread \
            or a process for each client, a silent one costs one as well.",
    question: "How long does a client wait for the answer to one question, \
               while 0, 1, 2 ... 1000 others are connected and silent?",
    predict: "For each server, write down the number of silent clients from \
              which on there is no answer. The pool has four workers, and \
              there are at most 40 processes.",
    on_all_cores: false,
    make,
    seen,
};

const SERVERS: [&str; 6] = [
    "zen-single",
    "zen-threaded",
    "zen-legacy",
    "zen-fork",
    "zen-poll",
    "zen-coroutine",
];

fn make(lab: &mut Lab) -> Result<Vec<Chart>> {
    let crowds: &[usize] = lab.pick([
        &[0, 1, 4],
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 39, 40, 41, 1000],
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 39, 40, 41, 1000],
    ]);
    let limit = lab.pick([0.2, 0.5, 1.0]);
    let x = || Axis::new("silent clients", Scale::Steps);
    let chart = |name, title, label| {
        Chart::lines(name, title, x(), Axis::new(label, Scale::Log))
    };
    let mut wait =
        chart("wait", "How long one client waits", "seconds").with_limit(limit);
    let mut threads = chart("threads", "Threads, in all processes", "threads");
    let mut processes = chart("processes", "Processes", "processes");
    let mut memory = chart("memory", "Memory (PSS)", "bytes");
    let mut descriptors =
        chart("descriptors", "Descriptors, in all processes", "descriptors");
    for run in 0..lab.runs() {
        for &clients in crowds {
            lab.tell(run, &format!("{clients} silent clients"));
            for subject in lab.servers(&SERVERS) {
                let server = lab.start(&subject, &[])?;
                let crowd = Silent::connect(server.address, clients)?;
                let time = Duration::from_secs_f64(limit);
                let time = visit(server.address, time)?;
                let x = clients as f64;
                let seconds = time.map_or(limit, |time| time.as_secs_f64());
                wait.record(&subject.name, x, seconds);
                if let Some(gauge) = lab.gauge(&server)? {
                    let record = |chart: &mut Chart, value: u64| {
                        chart.record(&subject.name, x, value as f64);
                    };
                    record(&mut threads, gauge.threads);
                    record(&mut processes, gauge.processes);
                    record(&mut memory, gauge.memory);
                    record(&mut descriptors, gauge.descriptors);
                }
                drop(crowd);
                server.stop()?;
            }
        }
    }
    Ok(vec![wait, threads, processes, memory, descriptors])
}

fn seen(results: &Results) -> String {
    let Some(wait) = results.chart("wait") else { return String::new() };
    let limit = wait.limit.unwrap_or(f64::INFINITY);
    let (mut steps, mut never, mut longest) = (Vec::new(), Vec::new(), 0_f64);
    for series in &wait.series {
        match wait.first_above(&series.name, limit) {
            Some(x) => steps.push(format!("{} at {x}", code(&series.name))),
            None => {
                never.push(code(&series.name));
                let medians = wait.medians(&series.name);
                longest =
                    medians.iter().fold(longest, |most, it| most.max(it.1));
            }
        }
    }
    let most = wait.series.iter().flat_map(|it| &it.points);
    let most = most.map(|it| it.x).fold(0.0, f64::max);
    let mut text = format!(
        "The client got no answer within {} from this number of silent clients on: \
         {}. It always got one from {}, after {} at the longest.",
        seconds(limit),
        list(&steps),
        list(&never),
        seconds(longest)
    );
    if let Some(threads) = results.chart("threads") {
        let counts: Vec<_> = threads
            .series
            .iter()
            .filter_map(|it| Some((&it.name, threads.at(&it.name, most)?)))
            .map(|(name, count)| format!("{} {count}", code(name)))
            .collect();
        text +=
            &format!(" Threads with {most} silent clients: {}.", list(&counts));
    }
    if let Some(memory) = results.chart("memory") {
        let each: Vec<_> = ["zen-legacy", "zen-fork", "zen-poll"]
            .into_iter()
            .filter_map(|name| Some((name, memory.at(name, most)?)))
            .map(|(name, bytes)| {
                format!("{} {:.1} MB", code(name), bytes / 1e6)
            })
            .collect();
        text += &format!(" Memory then: {}.", list(&each));
    }
    text
}
