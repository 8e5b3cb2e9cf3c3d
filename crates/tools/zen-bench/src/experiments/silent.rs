//! Clients that connect and send nothing.

use std::time::Duration;

use anyhow::Result;

use crate::crowd::visit;
use crate::lab::Lab;
use crate::load::Load;
use crate::results::{Chart, Charts, Results};
use crate::words::{list, seconds};

pub(super) const SERVERS: &str = "zen-single zen-threaded zen-legacy zen-fork \
                                  zen-poll zen-coroutine";

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    let all: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 39, 40, 41, 1000];
    let crowds = lab.pick([&[0, 1, 4], all, all]);
    let limit = lab.pick([0.2, 0.5, 1.0]);
    charts.get("wait").limit = Some(limit);
    for run in 0..lab.runs() {
        for &clients in crowds {
            lab.tell(run, &format!("{clients} silent clients"));
            for subject in lab.servers(SERVERS) {
                let server = lab.start(&subject, &[])?;
                let crowd = Load::connect(server.address, clients)?;
                let time = Duration::from_secs_f64(limit);
                let time = visit(server.address, time)?;
                let x = clients as f64;
                let seconds = time.map_or(limit, |time| time.as_secs_f64());
                charts.record("wait", &subject.name, x, seconds);
                if let Some(gauge) = lab.gauge(&server)? {
                    for (chart, value) in gauge.counts() {
                        charts.record(chart, &subject.name, x, value as f64);
                    }
                }
                drop(crowd);
                server.stop()?;
            }
        }
    }
    Ok(())
}

pub(super) fn seen(results: &Results) -> String {
    let Some(wait) = results.chart("wait") else { return String::new() };
    let limit = wait.limit.unwrap_or(f64::INFINITY);
    let (mut steps, mut never, mut longest) = (Vec::new(), Vec::new(), 0_f64);
    for name in wait.series.iter().map(|it| &it.name) {
        match wait.first_above(name, limit) {
            Some(x) => steps.push(format!("`{name}` at {x}")),
            None => {
                never.push(format!("`{name}`"));
                let medians = wait.medians(name);
                longest =
                    medians.iter().fold(longest, |most, it| most.max(it.1));
            }
        }
    }
    let most = wait.x_max();
    let mut text = format!(
        "The client got no answer within {} from this number of silent clients on: \
         {}. It always got one from {}, after {} at the longest.",
        seconds(limit),
        list(steps),
        list(never),
        seconds(longest)
    );
    let told = |chart, names: &str, tell: fn(f64) -> String| {
        let chart: Option<&Chart> = results.chart(chart);
        let at = |name: &str| {
            Some(format!("`{name}` {}", tell(chart?.at(name, most)?)))
        };
        list(names.split(' ').filter_map(at))
    };
    if results.chart("threads").is_some() {
        let threads = told("threads", SERVERS, |count| count.to_string());
        let memory = told("memory", "zen-legacy zen-fork zen-poll", |bytes| {
            format!("{:.1} MB", bytes / 1e6)
        });
        text += &format!(
            " Threads with {most} silent clients: {threads}. Memory then: \
             {memory}."
        );
    }
    text
}
