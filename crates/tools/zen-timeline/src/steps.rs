//! A run as a sequence of events, and who is waiting for what after each: the
//! state of every client, of every socket and of every thread.
//!
//! What is in a queue neither side can see. It follows from both: what one has
//! sent and the other has not received is on its way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::picture::{LANES_MAX, State, label};
use crate::run::{Call, Kind, Run, Seen, View};
use crate::svg::milliseconds;

/// Nobody steps through more. What is near and alike becomes one event.
pub const STEPS_MAX: usize = 1_500;

/// A shorter wait is not told as one.
const WAIT: i64 = 500;

/// The whole story.
#[derive(Debug)]
pub struct Story {
    /// What stands before each row of the table of states.
    pub rows: Vec<String>,
    /// Every text that a row ever has.
    pub texts: Vec<String>,
    /// In the order of time.
    pub steps: Vec<Step>,
}

/// An event, or some that are alike.
#[derive(Debug)]
pub struct Step {
    /// When; of several, the first.
    pub at: i64,
    /// What happens.
    pub says: String,
    /// Which rows change with it, and to which text.
    pub changes: Vec<(usize, usize)>,
}

/// Who does it, what it is, and with whom: alike if all of this is the same.
type Key = (usize, Act, Option<u16>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    Sees(Seen),
    Begins(Kind),
    Ends(Kind),
    Fails(Kind),
    EndOfFile,
    Birth,
    Death,
    Signal,
}

#[derive(Clone, Copy)]
struct Event {
    at: i64,
    key: Key,
    /// Bytes, or the state of a task's next moment.
    amount: i64,
    whole: usize,
}

/// Tells the story of a run.
#[must_use]
pub fn tell(run: &Run) -> Story {
    let events = events(run);
    let width = width(run, &events);
    let mut teller = Teller::new(run);
    let mut bucket = i64::MIN;
    let mut group: Vec<Group> = Vec::new();
    // What was there before the clients is where the story begins.
    let (before, events) =
        events.split_at(events.partition_point(|event| event.at < 0));
    for event in before {
        teller.happens(event);
    }
    teller.begin();
    for event in events {
        let its = if width == 0 { event.at } else { event.at / width };
        let is_like = |it: &&mut Group| it.key == event.key;
        if its != bucket || width == 0 {
            teller.step(&mut group);
            bucket = its;
        }
        match group.iter_mut().find(is_like) {
            Some(group) => group.add(event),
            None => group.push(Group::new(event)),
        }
        teller.happens(event);
    }
    teller.step(&mut group);
    teller.story
}

/// Of the tasks that have a lane, and of the clients.
fn events(run: &Run) -> Vec<Event> {
    let mut events = Vec::new();
    for (client, it) in run.clients.iter().enumerate() {
        events.extend(it.views.iter().map(|view| {
            let View { at, seen, bytes, whole } = *view;
            let key = (client, Act::Sees(seen), None);
            Event { at, key, amount: bytes as i64, whole }
        }));
    }
    let first = run.clients.len();
    for (index, task) in run.tasks.iter().take(LANES_MAX).enumerate() {
        let actor = first + index;
        let mut add = |at, act, client, amount| {
            let key = (actor, act, client);
            events.push(Event { at, key, amount, whole: 0 });
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

/// Whether the end of a call is worth telling.
fn ending(call: &Call) -> Option<Act> {
    let long = call.took >= WAIT;
    match (call.kind, call.result) {
        (Kind::Recv, 0) => Some(Act::EndOfFile),
        (Kind::Recv | Kind::Send, 1..) => Some(Act::Ends(call.kind)),
        (Kind::Accept, 0..) => Some(Act::Ends(call.kind)),
        (Kind::Close | Kind::Shutdown, _) => Some(Act::Ends(call.kind)),
        // Nothing was there: a listing that never blocks hears it often.
        (_, -11) => long.then_some(Act::Fails(call.kind)),
        (Kind::Accept | Kind::Recv | Kind::Send, _) => {
            Some(Act::Fails(call.kind))
        }
        _ => long.then_some(Act::Ends(call.kind)),
    }
}

/// How long a moment must be for there to be few enough steps.
fn width(run: &Run, events: &[Event]) -> i64 {
    if events.len() <= STEPS_MAX {
        return 0;
    }
    let mut width = (run.end / STEPS_MAX as i64).max(1);
    loop {
        let mut steps = 0;
        let mut bucket = i64::MIN;
        let mut seen: BTreeMap<usize, Vec<Key>> = BTreeMap::new();
        for event in events {
            if event.at / width != bucket {
                bucket = event.at / width;
                seen.clear();
            }
            let keys = seen.entry(event.key.0).or_default();
            if !keys.contains(&event.key) {
                keys.push(event.key);
                steps += 1;
            }
        }
        if steps <= STEPS_MAX || width > run.end {
            return width;
        }
        width *= 2;
    }
}

/// Events that are alike and near.
struct Group {
    at: i64,
    key: Key,
    times: usize,
    amount: i64,
}

impl Group {
    fn new(event: &Event) -> Self {
        let Event { at, key, amount, .. } = *event;
        Self { at, key, times: 1, amount: amount.max(0) }
    }

    fn add(&mut self, event: &Event) {
        self.times += 1;
        self.amount = self.amount.saturating_add(event.amount.max(0));
    }
}

/// What is known of a client and of its socket at the server. All of it is
/// filled by events; nothing is ever taken out.
#[derive(Clone, Default)]
struct Client {
    connected: bool,
    over: Option<Seen>,
    finished: bool,
    owed: usize,
    since: i64,
    sent: i64,
    received: i64,
    accepted_by: Option<usize>,
    server_received: i64,
    server_sent: i64,
    server_closed: bool,
}

struct Teller<'a> {
    run: &'a Run,
    /// The server's system calls are not where its bytes go.
    hides: bool,
    names: Vec<String>,
    clients: Vec<Client>,
    /// What each task did last, and with whom.
    tasks: Vec<Option<(Act, Option<usize>)>>,
    dirty: BTreeSet<usize>,
    numbers: HashMap<String, usize>,
    /// The text that each row has.
    shown: Vec<usize>,
    story: Story,
}

impl<'a> Teller<'a> {
    fn new(run: &'a Run) -> Self {
        let tasks = run.tasks.iter().take(LANES_MAX);
        let tasks: Vec<_> = tasks.map(|task| label(task, run)).collect();
        let mut rows = vec!["queue of the listener (inferred)".to_string()];
        let mut names = Vec::new();
        for client in &run.clients {
            let name = &client.name;
            names.push(name.clone());
            rows.push(format!("client \u{201c}{name}\u{201d}"));
            rows.push("\u{2026} its socket at the server".into());
        }
        names.extend(tasks.iter().cloned());
        rows.extend(tasks.iter().cloned());
        let calls = run.tasks.iter().flat_map(|task| &task.calls);
        let hides = calls.clone().any(|call| call.kind == Kind::Ring);
        let start = "\u{2013}".to_string();
        Self {
            run,
            hides,
            names,
            clients: vec![Client::default(); run.clients.len()],
            tasks: vec![None; tasks.len()],
            dirty: BTreeSet::new(),
            numbers: HashMap::from([(start.clone(), 0)]),
            shown: vec![0; rows.len()],
            story: Story { rows, texts: vec![start], steps: Vec::new() },
        }
    }

    fn happens(&mut self, event: &Event) {
        let (actor, act, client) = event.key;
        let first = self.clients.len();
        if let Act::Sees(seen) = act {
            self.sees(actor, seen, event);
            self.dirty.extend([0, 1 + 2 * actor, 2 + 2 * actor]);
            return;
        }
        let task = actor - first;
        self.dirty.insert(1 + 2 * first + task);
        let whom = client.map(usize::from).filter(|it| *it < first);
        self.tasks[task] = Some((act, whom));
        let Some(whom) = whom else { return };
        let it = &mut self.clients[whom];
        match act {
            Act::Ends(Kind::Accept) => it.accepted_by = Some(task),
            Act::Ends(Kind::Recv) => it.server_received += event.amount,
            Act::Ends(Kind::Send) => it.server_sent += event.amount,
            Act::Ends(Kind::Close) => it.server_closed = true,
            _ => return,
        }
        self.dirty.extend([0, 1 + 2 * whom, 2 + 2 * whom]);
    }

    fn sees(&mut self, client: usize, seen: Seen, event: &Event) {
        let it = &mut self.clients[client];
        match seen {
            Seen::Connects => {}
            Seen::Connected => it.connected = true,
            Seen::Sent => {
                if it.owed == 0 {
                    it.since = event.at;
                }
                it.owed += event.whole;
                it.sent += event.amount;
            }
            Seen::Received => {
                it.owed = it.owed.saturating_sub(event.whole);
                it.received += event.amount;
            }
            Seen::Finished => it.finished = true,
            Seen::EndOfFile | Seen::Failed | Seen::Left => {
                it.over = Some(seen);
            }
        }
    }

    fn begin(&mut self) {
        self.dirty.extend(0..self.shown.len());
        let changes = self.changes();
        let says = "The clients begin".into();
        self.story.steps.push(Step { at: 0, says, changes });
    }

    /// Ends a step, or several that were at the same time.
    fn step(&mut self, groups: &mut Vec<Group>) {
        let last = groups.len().saturating_sub(1);
        for (index, group) in groups.drain(..).enumerate() {
            let says = self.says(&group);
            let changes = match index == last {
                true => self.changes(),
                false => Vec::new(),
            };
            self.story.steps.push(Step { at: group.at, says, changes });
        }
    }

    fn changes(&mut self) -> Vec<(usize, usize)> {
        let mut changes = Vec::new();
        for row in std::mem::take(&mut self.dirty) {
            let text = self.row(row);
            let next = self.story.texts.len();
            let number = *self.numbers.entry(text.clone()).or_insert(next);
            if number == next {
                self.story.texts.push(text);
            }
            if self.shown[row] != number {
                self.shown[row] = number;
                changes.push((row, number));
            }
        }
        changes
    }

    fn row(&self, row: usize) -> String {
        let clients = 2 * self.clients.len();
        match row {
            0 => self.queue(),
            row if row > clients => self.task(row - clients - 1),
            row if row % 2 == 1 => self.client(&self.clients[row / 2]),
            row => self.socket(&self.clients[row / 2 - 1]),
        }
    }

    fn task(&self, task: usize) -> String {
        let Some((act, whom)) = self.tasks[task] else {
            return "\u{2013}".into();
        };
        let name = |it: usize| format!(" for {}", self.run.clients[it].name);
        let whose = whom.map(name).unwrap_or_default();
        match act {
            // A call that ends says with whom; that it will be is not known
            // while it waits in accept().
            Act::Begins(Kind::Accept) => "waiting in accept".into(),
            Act::Begins(kind) => {
                format!("{}{whose}", State::of(kind).says())
            }
            Act::Death => "has ended".into(),
            _ => format!("working{whose}"),
        }
    }

    fn queue(&self) -> String {
        if self.hides {
            return "strace cannot tell: io_uring accepts".into();
        }
        let waits = |it: &Client| it.connected && it.accepted_by.is_none();
        let names = self.clients.iter().zip(&self.names);
        let names = names.filter(|(it, _)| waits(it));
        let names: Vec<_> = names.map(|(_, name)| name.as_str()).collect();
        match names.len() {
            0 => "empty".into(),
            number => format!("{number}: {}", names.join(", ")),
        }
    }

    fn client(&self, it: &Client) -> String {
        match it {
            Client { over: Some(Seen::Left), .. } => "has left".into(),
            Client { over: Some(Seen::Failed), .. } => "has given up".into(),
            Client { over: Some(_), .. } => "has seen the end".into(),
            Client { connected: false, .. } => "not there yet".into(),
            Client { owed: 0, finished: true, .. } => "asks no more".into(),
            Client { owed: 0, .. } => "asks nothing".into(),
            Client { since, .. } => {
                format!("waits for an answer since {}", milliseconds(*since))
            }
        }
    }

    fn socket(&self, it: &Client) -> String {
        if !it.connected {
            return "\u{2013}".into();
        }
        if self.hides {
            return "strace cannot tell: io_uring moves the bytes".into();
        }
        let mut parts = Vec::new();
        match it.accepted_by {
            _ if it.server_closed => parts.push("closed".to_string()),
            None => parts.push("in the queue".into()),
            Some(_) => parts.push("open".into()),
        }
        let waiting = it.sent.saturating_sub(it.server_received);
        if waiting > 0 {
            parts.push(format!("{waiting} bytes to be read (inferred)"));
        }
        let under_way = it.server_sent.saturating_sub(it.received);
        if under_way > 0 && it.over.is_none() {
            parts.push(format!("{under_way} bytes on their way (inferred)"));
        }
        if it.over.is_some() && !it.server_closed {
            parts.push("its client has gone".into());
        }
        parts.join("; ")
    }

    fn says(&self, group: &Group) -> String {
        let (actor, act, client) = group.key;
        let name = &self.names[actor];
        let bytes = group.amount;
        let whom = client.and_then(|it| self.run.clients.get(it as usize));
        let whom = whom.map_or("somebody", |it| &it.name);
        let says = match act {
            Act::Sees(seen) => match seen {
                Seen::Connects => "connects".to_string(),
                Seen::Connected => "is connected".into(),
                Seen::Sent => format!("sends {bytes} bytes"),
                Seen::Received => format!("receives {bytes} bytes"),
                Seen::Finished => "will send nothing more".into(),
                Seen::EndOfFile => "sees the end".into(),
                Seen::Failed => "gives up".into(),
                Seen::Left => "leaves".into(),
            },
            Act::Begins(kind) => {
                let whose = match (kind, client) {
                    (Kind::Accept, _) | (_, None) => String::new(),
                    _ => format!(" for {whom}"),
                };
                format!("begins: {}{whose}", State::of(kind).says())
            }
            Act::Ends(Kind::Accept) => format!("accepts {whom}"),
            Act::Ends(Kind::Recv) => {
                format!("receives {bytes} bytes from {whom}")
            }
            Act::Ends(Kind::Send) => format!("sends {bytes} bytes to {whom}"),
            Act::Ends(Kind::Close) => format!("closes the socket of {whom}"),
            Act::Ends(Kind::Shutdown) => format!("shuts down that of {whom}"),
            Act::Ends(kind) => {
                format!("goes on after {}", State::of(kind).word())
            }
            Act::Fails(kind) => {
                format!("hears an error of {}", State::of(kind).word())
            }
            Act::EndOfFile => format!("reads the end of {whom}"),
            Act::Birth => "is there".into(),
            Act::Death => "ends".into(),
            Act::Signal => "gets a signal".into(),
        };
        match group.times {
            1 => format!("{name} {says}"),
            times => format!("{name} {says} ({times} times)"),
        }
    }
}
