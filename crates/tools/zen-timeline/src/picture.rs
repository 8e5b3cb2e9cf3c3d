//! What is to be drawn: a lane for each client and each task, and on it what
//! it did at each moment, no finer than can be seen.

use crate::run::{Call, Client, Kind, Run, Seen, Task};

/// Further tasks are counted, and not drawn.
pub const LANES_MAX: usize = 60;

/// What a lane's owner did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "`State::says` says it")]
pub enum State {
    Work,
    Accept,
    Recv,
    Poll,
    Futex,
    Send,
    Sleep,
    Other,
    Idle,
    Asked,
}

impl State {
    /// In the order of the legend.
    pub const ALL: [Self; 10] = [
        Self::Work,
        Self::Accept,
        Self::Recv,
        Self::Poll,
        Self::Futex,
        Self::Send,
        Self::Sleep,
        Self::Other,
        Self::Asked,
        Self::Idle,
    ];

    /// As the legend has it.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Work => "working",
            Self::Accept => "waiting in accept",
            Self::Recv => "waiting in recv",
            Self::Poll => "waiting in the poller",
            Self::Futex => "futex: lock or channel",
            Self::Send => "waiting in send",
            Self::Sleep => "sleeping",
            Self::Other => "waiting elsewhere",
            Self::Idle => "connected, asks nothing",
            Self::Asked => "has asked, waits",
        }
    }

    /// One word, in the picture.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Accept => "accept",
            Self::Recv => "recv",
            Self::Poll => "poller",
            Self::Futex => "futex",
            Self::Send => "send",
            Self::Sleep => "sleep",
            Self::Other => "other",
            Self::Idle => "idle",
            Self::Asked => "asked",
        }
    }

    /// What a task is in while it makes this call, if it is worth a colour.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Accept => Self::Accept,
            Kind::Recv => Self::Recv,
            Kind::Send => Self::Send,
            Kind::Poll | Kind::Ring => Self::Poll,
            Kind::Futex => Self::Futex,
            Kind::Sleep => Self::Sleep,
            Kind::Other => Self::Other,
            Kind::Close | Kind::Shutdown => Self::Work,
        }
    }
}

/// A time in one state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// Its begin and its end.
    pub time: (i64, i64),
    /// What it is.
    pub state: State,
    /// Whom it concerns, by number.
    pub client: Option<u16>,
}

impl Span {
    /// How long it is.
    #[must_use]
    pub fn length(&self) -> i64 {
        self.time.1 - self.time.0
    }
}

/// Bytes that arrive on a lane, or leave it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark {
    /// When the first did.
    pub at: i64,
    /// Whose they are, by number.
    pub client: u16,
    /// They arrive.
    pub arrives: bool,
    /// How many there are.
    pub bytes: u64,
    /// In how many calls.
    pub calls: u64,
}

/// A line of the picture.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// Its number among the tasks; 0 is a client's.
    pub task: u32,
    /// Above it.
    pub label: String,
    /// The lane of its parent, if that is drawn.
    pub parent: Option<usize>,
    /// When it was there.
    pub life: (i64, i64),
    /// How it ended, if that was seen.
    pub death: Option<String>,
    /// One after the other.
    pub spans: Vec<Span>,
    /// In the order of time.
    pub marks: Vec<Mark>,
    /// A client's: until when nobody had accepted it.
    pub queued: Option<(i64, i64)>,
}

/// How fine a picture is to be.
#[derive(Clone, Copy, Debug)]
pub struct Detail {
    /// Nothing shorter than one of so many parts of the whole is told apart.
    pub cells: i64,
    /// So many spans on all lanes together.
    pub spans_max: usize,
    /// Marks of one client nearer than one of so many parts become one.
    pub mark_cells: i64,
    /// So many marks on all lanes together.
    pub marks_max: usize,
}

impl Detail {
    /// For a figure that stays as it is.
    pub const FIGURE: Self = Self {
        cells: 1_500,
        spans_max: 6_000,
        mark_cells: 200,
        marks_max: 2_000,
    };
    /// For one that is looked at more closely.
    pub const ZOOM: Self = Self {
        cells: 100_000,
        spans_max: 16_000,
        mark_cells: 10_000,
        marks_max: 8_000,
    };
}

/// All that is drawn.
#[derive(Clone, Debug)]
pub struct Picture {
    /// From when to when.
    pub time: (i64, i64),
    /// First the clients, then the tasks.
    pub lanes: Vec<Lane>,
    /// So many of these are clients.
    pub clients: usize,
    /// Tasks for which there was no room.
    pub hidden: usize,
    /// What is shorter than this has become part of what is beside it.
    pub cell: i64,
}

impl Picture {
    /// What is to be drawn of a run.
    #[must_use]
    pub fn new(run: &Run, detail: Detail) -> Self {
        let time = time(run);
        let clients = (0..).zip(&run.clients);
        let mut lanes: Vec<_> =
            clients.map(|(number, it)| client_lane(number, it)).collect();
        let clients = lanes.len();
        for (number, lane) in lanes.iter_mut().enumerate() {
            lane.queued = queued(run, number);
        }
        let alive = |it: &&Task| {
            it.born < time.1 && it.died.is_none_or(|died| died > time.0)
        };
        let tasks: Vec<_> = run.tasks.iter().filter(alive).collect();
        let hidden = tasks.len().saturating_sub(LANES_MAX);
        for task in tasks.iter().take(LANES_MAX) {
            let parent = lanes[clients..]
                .iter()
                .position(|lane| lane.task == task.parent)
                .map(|at| at + clients);
            let mut lane = task_lane(task, time);
            lane.label = label(task, run);
            lane.parent = parent;
            lanes.push(lane);
        }
        let cell = merge_spans(&mut lanes, time, detail);
        merge_marks(&mut lanes, time, detail);
        Self { time, lanes, clients, hidden, cell }
    }

    /// Where a moment is, in percent of the width.
    #[must_use]
    pub fn percent(&self, at: i64) -> f64 {
        let (from, to) = self.time;
        let at = at.clamp(from, to) - from;
        let percent = 100.0 * at as f64 / (to - from) as f64;
        (percent * 1000.0).round() / 1000.0
    }
}

/// A little before the clients begin, and after they have left.
fn time(run: &Run) -> (i64, i64) {
    let end = run.end.max(1_000);
    let room = end / 50;
    (-room, end + room)
}

/// How a task is called: a number for its process only where there are some.
#[must_use]
pub fn label(task: &Task, run: &Run) -> String {
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

fn client_lane(number: u16, client: &Client) -> Lane {
    let over = [Seen::Left, Seen::Failed, Seen::EndOfFile];
    let first = |seen: &[Seen]| {
        let view = client.views.iter().find(|it| seen.contains(&it.seen));
        view.map(|view| view.at)
    };
    let born = first(&[Seen::Connected]).unwrap_or(0);
    let died = first(&over);
    let mut lane = Lane {
        label: format!("client \u{201c}{}\u{201d}", client.name),
        life: (born, died.unwrap_or(i64::MAX)),
        death: died.map(|_| match &client.failure {
            Some(why) => why.clone(),
            None => "left".into(),
        }),
        ..Lane::default()
    };
    let mut begin = born;
    let mut owed = 0_usize;
    for view in &client.views {
        let before = owed;
        if view.bytes > 0 {
            lane.marks.push(Mark {
                at: view.at,
                client: number,
                arrives: view.seen == Seen::Received,
                bytes: view.bytes as u64,
                calls: 1,
            });
        }
        match view.seen {
            Seen::Sent => owed += view.whole,
            Seen::Received => owed = owed.saturating_sub(view.whole),
            _ => {}
        }
        let is_over = over.contains(&view.seen);
        if (before == 0) != (owed == 0) || is_over {
            let state = if before > 0 { State::Asked } else { State::Idle };
            let time = (begin, view.at);
            lane.spans.push(Span { time, state, client: None });
            begin = view.at;
        }
        if is_over {
            break;
        }
    }
    lane
}

/// The time between a client's connect() and the server's accept(), if the
/// latter can be seen.
fn queued(run: &Run, number: usize) -> Option<(i64, i64)> {
    let mut views = run.clients.get(number)?.views.iter();
    let from = views.find(|it| it.seen == Seen::Connected)?.at;
    let calls = run.tasks.iter().flat_map(|task| &task.calls);
    let accepted = |it: &&Call| {
        it.kind == Kind::Accept && it.client == Some(number as u16)
    };
    let to = calls.clone().find(accepted).map(Call::end);
    // Who accepts with io_uring is not seen to accept anybody.
    let unseen = calls.clone().any(|it| it.kind == Kind::Ring);
    let to = to.or_else(|| (!unseen).then_some(run.end))?;
    (to > from).then_some((from, to))
}

fn task_lane(task: &Task, (from, to): (i64, i64)) -> Lane {
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
        let state = State::of(call.kind);
        let begin = call.at.clamp(at, end.max(at));
        let over = call.end().clamp(begin, end.max(begin));
        // What comes after a recv() is done for that client.
        push(at, begin, State::Work, client);
        // Whom it will be is not known while it waits in accept().
        let whom = call.client.filter(|_| state != State::Accept);
        push(begin, over, state, whom);
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

/// Makes cells wider until there are few enough spans; returns their width.
fn merge_spans(lanes: &mut [Lane], time: (i64, i64), detail: Detail) -> i64 {
    let mut cell = ((time.1 - time.0) / detail.cells).max(1);
    for lane in lanes.iter_mut() {
        lane.spans = merged(&lane.spans, time.0, cell);
    }
    while lanes.iter().map(|lane| lane.spans.len()).sum::<usize>()
        > detail.spans_max
        && cell < time.1 - time.0
    {
        cell *= 2;
        for lane in lanes.iter_mut() {
            lane.spans = merged(&lane.spans, time.0, cell);
        }
    }
    cell
}

/// In each cell what took most of it.
fn merged(spans: &[Span], from: i64, cell: i64) -> Vec<Span> {
    let mut out: Vec<Span> = Vec::new();
    let mut push = |span: Span| match out.last_mut() {
        Some(last)
            if last.state == span.state
                && last.client == span.client
                && last.time.1 == span.time.0 =>
        {
            last.time.1 = span.time.1;
        }
        _ => out.push(span),
    };
    // What has been seen of a cell so far.
    let mut parts: Vec<Span> = Vec::new();
    for span in spans {
        let mut at = span.time.0;
        while at < span.time.1 {
            let begin = at - (at - from).rem_euclid(cell);
            let is_new = parts.last().is_none_or(|it| it.time.0 < begin);
            if is_new && !parts.is_empty() {
                push(strongest(&parts));
                parts.clear();
            }
            let whole = span.time.1 - (span.time.1 - from).rem_euclid(cell);
            if at == begin && whole > begin {
                push(Span { time: (at, whole), ..*span });
                at = whole;
                continue;
            }
            let end = span.time.1.min(begin + cell);
            parts.push(Span { time: (at, end), ..*span });
            at = end;
        }
    }
    if !parts.is_empty() {
        push(strongest(&parts));
    }
    out
}

/// The one that takes most of the time, for all of it.
fn strongest(parts: &[Span]) -> Span {
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let time_of = |part: &Span| -> i64 {
        let same = parts.iter().filter(|it| it.state == part.state);
        same.map(Span::length).sum()
    };
    let strongest = parts.iter().max_by_key(|part| time_of(part));
    let strongest = strongest.unwrap_or(&first);
    Span { time: (first.time.0, last.time.1), ..*strongest }
}

fn merge_marks(lanes: &mut [Lane], time: (i64, i64), detail: Detail) {
    let mut cell = ((time.1 - time.0) / detail.mark_cells).max(1);
    loop {
        for lane in lanes.iter_mut() {
            lane.marks = merged_marks(&lane.marks, cell);
        }
        let marks: usize = lanes.iter().map(|lane| lane.marks.len()).sum();
        if marks <= detail.marks_max || cell >= time.1 - time.0 {
            return;
        }
        cell *= 2;
    }
}

/// One for all that are nearer than this.
fn merged_marks(marks: &[Mark], cell: i64) -> Vec<Mark> {
    let mut out: Vec<Mark> = Vec::new();
    // By client and direction: where the last one is in `out`.
    let mut last = std::collections::HashMap::new();
    for mark in marks {
        let key = (mark.client, mark.arrives);
        match last.get(&key).map(|at: &usize| &mut out[*at]) {
            Some(near) if mark.at - near.at < cell => {
                near.bytes += mark.bytes;
                near.calls += mark.calls;
            }
            _ => {
                last.insert(key, out.len());
                out.push(*mark);
            }
        }
    }
    out
}
