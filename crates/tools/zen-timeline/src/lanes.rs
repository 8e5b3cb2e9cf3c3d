//! A lane for each client, as it saw the run, and for each task, as strace did.

use crate::lane::{Lane, Mark, Span, State};
use crate::run::{Call, Client, Kind, Run, Seen, Task};

/// A task's label. It names the process only if there are several.
pub(crate) fn label(task: &Task, run: &Run) -> String {
    let is_process = task.process == task.id;
    let of_process = |it: &&Task| it.process == task.process;
    let threads = run.tasks.iter().filter(of_process);
    let number = threads.clone().take_while(|it| it.id != task.id).count() + 1;
    let processes = run.tasks.iter().filter(|it| it.process == it.id);
    let process = processes.clone().take_while(|it| it.id != task.process);
    let process = match processes.count() {
        1 => String::new(),
        _ => format!("process {}", process.count() + 1),
    };
    let thread = match (is_process, threads.count()) {
        (true, 1) if process.is_empty() => "the only thread".into(),
        (true, 1) => String::new(),
        (true, _) => "main thread".into(),
        (false, _) => format!("thread {number}"),
    };
    let name = match &*task.name {
        "" => String::new(),
        name => format!("\u{201c}{name}\u{201d}"),
    };
    let parts = [process, thread, name];
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.map(String::as_str).collect::<Vec<_>>().join(" ")
}

pub(crate) fn client_lane(number: u16, client: &Client) -> Lane {
    let mut views = client.views.iter();
    let born = views.find(|it| it.seen == Seen::Connected);
    let born = born.map_or(0, |it| it.at);
    let end = client.views.iter().position(|it| it.seen.is_end());
    let died = end.map(|end| client.views[end].at);
    let mut lane = Lane {
        label: format!("client \u{201c}{}\u{201d}", client.name),
        life: (born, died.unwrap_or(i64::MAX)),
        death: died.map(|_| match &client.failure {
            Some(why) => why.clone(),
            None => "left".into(),
        }),
        ..Lane::default()
    };
    let mut push = |from, to, state| {
        lane.spans.push(Span { time: (from, to), state, client: None });
    };
    let mut begin = born;
    for (from, to) in client.asked() {
        push(begin, from, State::Idle);
        push(from, to, State::Asked);
        begin = to;
    }
    if let Some(died) = died {
        push(begin, died, State::Idle);
    }
    let until = end.map_or(client.views.len(), |end| end + 1);
    let moves = client.views[..until].iter().filter(|view| view.bytes > 0);
    lane.marks.extend(moves.map(|view| Mark {
        at: view.at,
        client: number,
        arrives: view.seen == Seen::Received,
        bytes: view.bytes as u64,
        calls: 1,
    }));
    lane
}

/// The time between a client's connect() and the server's accept(), if strace
/// saw the accept().
pub(crate) fn queued(run: &Run, number: usize) -> Option<(i64, i64)> {
    let mut views = run.clients.get(number)?.views.iter();
    let from = views.find(|it| it.seen == Seen::Connected)?.at;
    let accepted = |it: &&Call| {
        it.kind == Kind::Accept && it.client == Some(number as u16)
    };
    let to = run.calls().find(accepted).map(Call::end);
    // strace does not see which clients io_uring accepts.
    let to = to.or_else(|| (!run.hides()).then_some(run.end))?;
    (to > from).then_some((from, to))
}

pub(crate) fn task_lane(task: &Task, (from, to): (i64, i64)) -> Lane {
    let born = task.born.max(from);
    let died = task.died.unwrap_or(i64::MAX);
    let mut lane = Lane {
        task: task.id,
        life: (task.born, died),
        death: task.died.map(|_| task.death.clone()),
        ..Lane::default()
    };
    let mut push = |from: i64, to: i64, state, client| {
        if to > from {
            lane.spans.push(Span { time: (from, to), state, client });
        }
    };
    let end = died.min(to);
    let mut at = born;
    let mut client = None;
    for call in &task.calls {
        let state = call.kind.state();
        let begin = call.at.clamp(at, end.max(at));
        let over = call.end().clamp(begin, end.max(begin));
        // The work after a recv() is done for the same client.
        push(at, begin, State::Work, client);
        // While it waits in accept(), the client is not yet known.
        let known = call.client.filter(|_| state != State::Accept);
        push(begin, over, state, known);
        client = match call.kind {
            Kind::Accept | Kind::Recv | Kind::Send => call.client,
            _ => None,
        };
        at = over;
    }
    push(at, end, State::Work, None);
    lane.marks.extend(task.calls.iter().filter_map(|call| {
        let arrives = match call.kind {
            Kind::Recv => true,
            Kind::Send => false,
            _ => return None,
        };
        let bytes = u64::try_from(call.result).ok().filter(|it| *it > 0)?;
        let at = if arrives { call.end() } else { call.at };
        let within = (from..=to).contains(&at);
        let client = call.client?;
        within.then_some(Mark { at, client, arrives, bytes, calls: 1 })
    }));
    lane
}
