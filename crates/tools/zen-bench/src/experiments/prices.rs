//! What every server of the workspace uses, side by side, and a table for each
//! of them.

use std::time::Duration;

use anyhow::Result;

use super::rates;
use crate::crowd::visit;
use crate::lab::{Lab, Subject};
use crate::load::Load;
use crate::results::{Charts, Results};
use crate::schedule::Pace;
use crate::words::{NOTHING, list};

const CROWDS: [usize; 4] = [0, 1, 5, 50];

/// The series of the processor time, and the number of clients that ask.
const ASKING: [(&str, usize); 2] =
    [("1 client asks", 1), ("16 clients ask", 16)];

/// What is counted while the clients are silent.
const COUNTED: [&str; 4] = ["processes", "threads", "descriptors", "memory"];

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    // For a server that inetd starts, its stand-in for inetd is counted too.
    let subjects = lab.servers(&lab.names());
    let names = subjects.iter().map(|it| it.name.clone());
    charts.get("price").x.names = names.collect();
    for run in 0..lab.runs() {
        for (x, subject) in subjects.iter().enumerate() {
            lab.tell(run, &subject.name);
            silent(lab, subject, charts)?;
            for (series, clients) in ASKING {
                // While one client is connected, it serves no other.
                if subject.name == "zen-single" && clients > 1 {
                    continue;
                }
                let (_, cost) =
                    rates::drive(lab, subject, clients, 1, Pace::Closed)?;
                if let Some(cost) = cost {
                    charts.record("price", series, x as f64, cost);
                }
            }
        }
    }
    Ok(())
}

/// Counts everything for a server with its default options, crowd by crowd.
fn silent(lab: &mut Lab, subject: &Subject, charts: &mut Charts) -> Result<()> {
    // A server that has not answered by then will not accept any more.
    let patience = Duration::from_secs_f64(lab.pick([0.1, 0.3, 1.0]));
    let server = lab.start(subject, &[])?;
    let mut crowd = Vec::new();
    let mut before = 0;
    for clients in CROWDS {
        crowd.push(Load::connect(server.address, clients - before)?);
        before = clients;
        if clients > 0 {
            visit(server.address, patience)?;
        }
        let Some(gauge) = lab.gauge(&server)? else { continue };
        for (chart, value) in gauge.counts() {
            charts.record(chart, &subject.name, clients as f64, value as f64);
        }
    }
    drop(crowd);
    server.stop()?;
    Ok(())
}

pub(super) fn seen(results: &Results) -> String {
    let price = results.chart("price").filter(|it| !it.series.is_empty());
    let Some(price) = price else { return NOTHING.into() };
    let mut text = String::new();
    for (series, _) in ASKING {
        let costs = price.ranked_names(series).into_iter();
        let told =
            list(costs.map(|(name, cost)| format!("`{name}` {cost:.1} µs")));
        text += &format!("When {series}, for an answer: {told}. ");
    }
    let grows = |what: &str| {
        let Some(chart) = results.chart(what) else { return list([]) };
        let more = |name: &&String| {
            let [few, many] = [1.0, 50.0].map(|x| chart.at(name, x));
            many.zip(few).is_some_and(|(many, few)| many - few >= 25.0)
        };
        let names = chart.series.iter().map(|series| &series.name);
        list(names.filter(more).map(|name| format!("`{name}`")))
    };
    text += &format!(
        "A process for each silent client: {}. A thread for each: {}, those \
         of processes included. A descriptor for each: {}. The table of each \
         server stands on its page, under \"What it costs\".",
        grows("processes"),
        grows("threads"),
        grows("descriptors")
    );
    text
}

/// A table for each server, included by its page: the server's name and the
/// table.
pub(super) fn tables(results: &Results) -> Vec<(String, String)> {
    let names = results.chart("price").map_or(&[][..], |it| &it.x.names);
    let table = |name: &String| (name.clone(), table(name, results));
    names.iter().map(table).collect()
}

fn table(name: &str, results: &Results) -> String {
    let mut text = String::from(
        "| silent clients | processes | threads | descriptors | memory (PSS) \
         |\n|---|---|---|---|---|\n",
    );
    for clients in CROWDS {
        text += &format!("| {clients} |");
        for chart in COUNTED {
            let chart = results.chart(chart);
            let value = chart.and_then(|it| it.at(name, clients as f64));
            text += &match (value, chart) {
                (None, _) => " – |".into(),
                (Some(bytes), Some(chart)) if chart.name == "memory" => {
                    format!(" {:.2} MB |", bytes / 1e6)
                }
                (Some(count), _) => format!(" {count} |"),
            };
        }
        text.push('\n');
    }
    let price = results.chart("price");
    let costs = ASKING.iter().filter_map(|(series, _)| {
        let cost = price?.at_name(series, name)?;
        Some(format!("{cost:.1} µs when {series}"))
    });
    let costs: Vec<_> = costs.collect();
    if !costs.is_empty() {
        let costs = list(costs);
        text += &format!("\nProcessor time for one answer: {costs}.\n");
    }
    text
}
