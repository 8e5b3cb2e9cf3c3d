//! Writes a run in Chrome's trace format, which <https://ui.perfetto.dev> and
//! chrome://tracing read.

use minijinja::value::Serde;
use minijinja::{Value, context};
use zen_bench::template;

use crate::lanes::label;
use crate::run::{Client, Run};

pub fn trace(run: &Run) -> String {
    let first = run.tasks.iter().map(|task| task.born).min();
    let labels = run.tasks.iter().map(|task| label(task, run));
    let context = context! {
        // A viewer starts at 0.
        shift => -first.unwrap_or(0).min(0),
        waits => run.clients.iter().map(Client::asked).collect::<Vec<_>>(),
        labels => labels.collect::<Vec<_>>(),
        ..Value::from(Serde(run))
    };
    let own = ("trace.json", include_str!("../templates/trace.json"));
    template::fill(&[own], context)
}
