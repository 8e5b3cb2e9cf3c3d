//! A run as a sequence of events, and what each client, socket and thread waits
//! for after each of them.
//!
//! Neither side can see what is in a queue. It follows from both: bytes that
//! one side has sent and the other has not received are on their way.

use std::collections::HashSet;

use crate::picture::LANES_MAX;
use crate::run::{Call, Kind, Run, View};
use crate::story::{Act, Event, Story, Teller};

/// No reader steps through more. Similar events close together become one.
pub const STEPS_MAX: usize = 1_500;

/// A shorter wait is not reported.
const WAIT: i64 = 500;

pub fn tell(run: &Run) -> Story {
    let events = events(run);
    let width = width(run, &events);
    let mut teller = Teller::new(run);
    // The story starts with what was there before the clients.
    let (before, events) =
        events.split_at(events.partition_point(|event| event.at < 0));
    for event in before {
        teller.happens(event);
    }
    teller.begin();
    let is_close = |a: &Event, b: &Event| {
        width.is_some_and(|width| a.at / width == b.at / width)
    };
    for events in events.chunk_by(is_close) {
        let mut groups: Vec<Event> = Vec::new();
        for event in events {
            match groups.iter_mut().find(|it| it.key == event.key) {
                Some(group) => group.add(event),
                None => groups.push(*event),
            }
            teller.happens(event);
        }
        teller.step(&groups);
    }
    teller.story
}

/// The events of the clients, and of the tasks that have a lane.
fn events(run: &Run) -> Vec<Event> {
    let mut events = Vec::new();
    for (client, it) in run.clients.iter().enumerate() {
        events.extend(it.views.iter().map(|view| {
            let View { at, seen, bytes, whole } = *view;
            let key = (client, Act::Sees(seen), None);
            Event { at, key, times: 1, amount: bytes as i64, whole }
        }));
    }
    let first = run.clients.len();
    for (index, task) in run.tasks.iter().take(LANES_MAX).enumerate() {
        let actor = first + index;
        let mut add = |at, act, client, amount| {
            let key = (actor, act, client);
            events.push(Event { at, key, times: 1, amount, whole: 0 });
        };
        add(task.born, Act::Birth, None, 0);
        for call in &task.calls {
            let waits = !matches!(call.kind, Kind::Close | Kind::Shutdown);
            if call.took >= WAIT && waits {
                add(call.at, Act::Begins(call.kind), call.client, 0);
            }
            if let Some(act) = ending(call) {
                add(call.end(), act, call.client, call.result);
            }
        }
        for (at, _) in &task.signals {
            add(*at, Act::Signal, None, 0);
        }
        if let Some(died) = task.died {
            add(died, Act::Death, None, 0);
        }
    }
    events.sort_by_key(|event| event.at);
    events
}

/// The event for the end of a call, if it is worth reporting.
fn ending(call: &Call) -> Option<Act> {
    let long = call.took >= WAIT;
    match (call.kind, call.result) {
        (Kind::Recv, 0) => Some(Act::EndOfFile),
        (Kind::Recv | Kind::Send, 1..) => Some(Act::Ends(call.kind)),
        (Kind::Accept, 0..) => Some(Act::Ends(call.kind)),
        (Kind::Close | Kind::Shutdown, _) => Some(Act::Ends(call.kind)),
        // EAGAIN: a listing that never blocks gets it often.
        (_, -11) => long.then_some(Act::Fails(call.kind)),
        (Kind::Accept | Kind::Recv | Kind::Send, _) => {
            Some(Act::Fails(call.kind))
        }
        _ => long.then_some(Act::Ends(call.kind)),
    }
}

/// How long a moment must be to leave few enough steps; None if each event can
/// have a step of its own.
fn width(run: &Run, events: &[Event]) -> Option<i64> {
    if events.len() <= STEPS_MAX {
        return None;
    }
    let mut width = (run.end / STEPS_MAX as i64).max(1);
    loop {
        let mut steps = HashSet::new();
        let fits = events.iter().all(|event| {
            steps.insert((event.at / width, event.key));
            steps.len() <= STEPS_MAX
        });
        if fits || width > run.end {
            return Some(width);
        }
        width *= 2;
    }
}
