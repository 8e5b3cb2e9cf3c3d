//! Writes a run in Chrome's trace format, which <https://ui.perfetto.dev> and
//! chrome://tracing read: a slice for each call and each wait, an instant for
//! bytes, births and deaths.

use serde_json::{Value, json};

use crate::lanes::label;
use crate::run::{Call, Client, Kind, Run, Seen, Task};

/// The clients form a process of their own, with a number that no task has.
const CLIENTS: u32 = 1_000_000;

pub fn trace(run: &Run) -> Value {
    let first = run.tasks.iter().map(|task| task.born).min();
    // A viewer starts at 0.
    let shift = -first.unwrap_or(0).min(0);
    let mut events = vec![name("process_name", CLIENTS, 0, "the clients")];
    for (number, client) in (1..).zip(&run.clients) {
        events.push(name("thread_name", CLIENTS, number, &client.name));
        client_events(client, number, shift, &mut events);
    }
    for task in &run.tasks {
        if task.id == task.process {
            events.push(name("process_name", task.id, 0, &run.name));
        }
        let label = label(task, run);
        events.push(name("thread_name", task.process, task.id, &label));
        task_events(task, run, shift, &mut events);
    }
    json!({
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "command": run.command,
            "scenario": run.scenario,
            "machine": run.machine,
        },
    })
}

fn name(what: &str, process: u32, thread: u32, name: &str) -> Value {
    json!({
        "ph": "M", "name": what, "pid": process, "tid": thread,
        "args": { "name": name },
    })
}

fn slice(place: (u32, u32), at: i64, took: i64, name: &str) -> Value {
    json!({
        "ph": "X", "cat": "zen", "name": name, "pid": place.0,
        "tid": place.1, "ts": at, "dur": took, "args": {},
    })
}

fn instant(place: (u32, u32), at: i64, name: &str) -> Value {
    json!({
        "ph": "i", "s": "t", "cat": "zen", "name": name, "pid": place.0,
        "tid": place.1, "ts": at,
    })
}

fn client_events(
    client: &Client,
    number: u32,
    shift: i64,
    events: &mut Vec<Value>,
) {
    let place = (CLIENTS, number);
    // The number of unanswered questions, and when the first was asked.
    let mut owed = 0_usize;
    let mut since = 0;
    for view in &client.views {
        let at = view.at + shift;
        let before = owed;
        match view.seen {
            Seen::Sent => owed += view.whole,
            Seen::Received => owed = owed.saturating_sub(view.whole),
            Seen::Left | Seen::Failed | Seen::EndOfFile => owed = 0,
            _ => {}
        }
        if before == 0 && owed > 0 {
            since = at;
        }
        if before > 0 && owed == 0 {
            events.push(slice(place, since, at - since, "waits for an answer"));
        }
        let name = format!("{:?}, {} bytes", view.seen, view.bytes);
        events.push(instant(place, at, &name));
    }
}

fn task_events(task: &Task, run: &Run, shift: i64, events: &mut Vec<Value>) {
    let place = (task.process, task.id);
    events.push(instant(place, task.born + shift, "is born"));
    let mut over = i64::MIN;
    for call in &task.calls {
        // A viewer expects slices that do not overlap.
        let at = call.at.max(over);
        over = call.end().max(at);
        let mut slice = slice(place, at + shift, over - at, call_name(call));
        if let Some(arguments) = slice["args"].as_object_mut() {
            let client = call.client.map(usize::from);
            if let Some(client) = client.and_then(|it| run.clients.get(it)) {
                arguments.insert("client".into(), json!(client.name));
            }
            arguments.insert("result".into(), json!(call.result));
        }
        events.push(slice);
    }
    for (at, signal) in &task.signals {
        events.push(instant(place, at + shift, signal));
    }
    if let Some(died) = task.died {
        events.push(instant(place, died + shift, &task.death));
    }
}

fn call_name(call: &Call) -> &'static str {
    match call.kind {
        Kind::Close => "close",
        Kind::Shutdown => "shutdown",
        Kind::Ring => "io_uring",
        kind => kind.state().word(),
    }
}
