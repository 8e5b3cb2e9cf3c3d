//! What is known of every client, socket and task after each event, in words.

use std::collections::{BTreeSet, HashMap};

use crate::lanes::label;
use crate::picture::LANES_MAX;
use crate::run::{Kind, Run, Seen, Task};
use crate::text::milliseconds;

#[derive(Debug)]
pub struct Story {
    /// The label of each row in the table of states.
    pub rows: Vec<String>,
    /// Every state that a row ever shows, as text.
    pub texts: Vec<String>,
    /// In the order of time.
    pub steps: Vec<Step>,
}

/// An event, or several similar ones.
#[derive(Debug)]
pub struct Step {
    /// Its time; of several events, that of the first.
    pub at: i64,
    pub says: String,
    /// The rows that change with it, and the index of their new text.
    pub changes: Vec<(usize, usize)>,
}

/// Actor, act and client: events are alike if all three are the same.
type Key = (usize, Act, Option<u16>);

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Act {
    Sees(Seen),
    Begins(Kind),
    Ends(Kind),
    Fails(Kind),
    EndOfFile,
    Birth,
    Death,
    Signal,
}

/// An event, or several similar ones that are close together.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    /// Its time; of several events, that of the first.
    pub(crate) at: i64,
    pub(crate) key: Key,
    pub(crate) times: usize,
    /// A number of bytes, or what a call returned.
    pub(crate) amount: i64,
    pub(crate) whole: usize,
}

impl Event {
    pub(crate) fn add(&mut self, like: &Self) {
        self.times += 1;
        self.amount = self.amount.max(0).saturating_add(like.amount.max(0));
    }
}

/// What is known of a client and of its socket at the server. Events fill it
/// in, and nothing is ever removed.
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
}

pub(crate) struct Teller<'a> {
    run: &'a Run,
    hides: bool,
    names: Vec<String>,
    clients: Vec<Client>,
    /// The last act of each task, and its client.
    tasks: Vec<Option<(Act, Option<usize>)>>,
    /// Clients whose sockets each process has: filled by accept() and by the
    /// birth of a process, which inherits them; emptied by close() and its end.
    open: HashMap<u32, BTreeSet<usize>>,
    numbers: HashMap<String, usize>,
    /// The index of each row's current text.
    shown: Vec<usize>,
    pub(crate) story: Story,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(run: &'a Run) -> Self {
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
        let start = "\u{2013}".to_string();
        Self {
            run,
            hides: run.hides(),
            names,
            clients: vec![Client::default(); run.clients.len()],
            tasks: vec![None; tasks.len()],
            open: HashMap::new(),
            numbers: HashMap::from([(start.clone(), 0)]),
            shown: vec![0; rows.len()],
            story: Story { rows, texts: vec![start], steps: Vec::new() },
        }
    }

    pub(crate) fn happens(&mut self, event: &Event) {
        let (actor, act, client) = event.key;
        let first = self.clients.len();
        if let Act::Sees(seen) = act {
            return self.sees(actor, seen, event);
        }
        let task = actor - first;
        let client = client.map(usize::from).filter(|it| *it < first);
        self.tasks[task] = Some((act, client));
        self.copies(&self.run.tasks[task], act, client);
        let Some(client) = client else { return };
        let it = &mut self.clients[client];
        match act {
            Act::Ends(Kind::Accept) => it.accepted_by = Some(task),
            Act::Ends(Kind::Recv) => it.server_received += event.amount,
            Act::Ends(Kind::Send) => it.server_sent += event.amount,
            _ => {}
        }
    }

    /// A socket is closed when no process holds it any more.
    fn copies(&mut self, task: &Task, act: Act, client: Option<usize>) {
        let of_process = self.open.entry(task.process).or_default();
        match (act, client) {
            (Act::Ends(Kind::Accept), Some(it)) => _ = of_process.insert(it),
            (Act::Ends(Kind::Close), Some(it)) => _ = of_process.remove(&it),
            (Act::Death, _) if task.id == task.process => of_process.clear(),
            (Act::Birth, _) if task.id == task.process => {
                let tasks = self.run.tasks.iter();
                let parent = tasks.clone().find(|it| it.id == task.parent);
                let parent = parent.and_then(|it| self.open.get(&it.process));
                let inherited = parent.cloned().unwrap_or_default();
                self.open.insert(task.process, inherited);
            }
            _ => {}
        }
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

    pub(crate) fn begin(&mut self) {
        let changes = self.changes();
        let says = "The clients begin".into();
        self.story.steps.push(Step { at: 0, says, changes });
    }

    /// Ends a step, or several at the same time.
    pub(crate) fn step(&mut self, groups: &[Event]) {
        for (index, group) in groups.iter().enumerate() {
            let says = self.says(group);
            let changes = match index + 1 == groups.len() {
                true => self.changes(),
                false => Vec::new(),
            };
            self.story.steps.push(Step { at: group.at, says, changes });
        }
    }

    fn changes(&mut self) -> Vec<(usize, usize)> {
        let mut changes = Vec::new();
        for (row, text) in self.rows().into_iter().enumerate() {
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

    /// What each row shows now.
    fn rows(&self) -> Vec<String> {
        let mut rows = vec![self.queue()];
        for (number, client) in self.clients.iter().enumerate() {
            rows.extend([self.client(client), self.socket(number)]);
        }
        rows.extend(self.tasks.iter().map(|it| self.task(*it)));
        rows
    }

    fn task(&self, task: Option<(Act, Option<usize>)>) -> String {
        let Some((act, client)) = task else { return "\u{2013}".into() };
        match act {
            Act::Begins(kind) => self.waits(kind, client),
            Act::Death => "has ended".into(),
            _ => format!("working{}", self.of_client(client)),
        }
    }

    fn of_client(&self, client: Option<usize>) -> String {
        let client = client.and_then(|it| self.run.clients.get(it));
        client.map_or(String::new(), |it| format!(" for {}", it.name))
    }

    fn waits(&self, kind: Kind, client: Option<usize>) -> String {
        // The client is known only when accept() returns.
        let known = client.filter(|_| kind != Kind::Accept);
        format!("{}{}", kind.state().says(), self.of_client(known))
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

    fn socket(&self, client: usize) -> String {
        let it = &self.clients[client];
        if !it.connected {
            return "\u{2013}".into();
        }
        if self.hides {
            return "strace cannot tell: io_uring moves the bytes".into();
        }
        let is_open = self.open.values().any(|it| it.contains(&client));
        let mut parts = vec![match it.accepted_by {
            None => "in the queue".to_string(),
            Some(_) if is_open => "open".into(),
            Some(_) => "closed".into(),
        }];
        let waiting = it.sent.saturating_sub(it.server_received);
        if waiting > 0 {
            parts.push(format!("{waiting} bytes to be read (inferred)"));
        }
        let under_way = it.server_sent.saturating_sub(it.received);
        if under_way > 0 && it.over.is_none() {
            parts.push(format!("{under_way} bytes on their way (inferred)"));
        }
        if it.over.is_some() && parts[0] != "closed" {
            parts.push("its client has gone".into());
        }
        parts.join("; ")
    }

    fn says(&self, group: &Event) -> String {
        let (actor, act, client) = group.key;
        let name = &self.names[actor];
        let bytes = group.amount.max(0);
        let client = client.map(usize::from);
        let who = client.and_then(|it| self.run.clients.get(it));
        let who = who.map_or("someone", |it| &it.name);
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
                format!("begins: {}", self.waits(kind, client))
            }
            Act::Ends(Kind::Accept) => format!("accepts {who}"),
            Act::Ends(Kind::Recv) => {
                format!("receives {bytes} bytes from {who}")
            }
            Act::Ends(Kind::Send) => format!("sends {bytes} bytes to {who}"),
            Act::Ends(Kind::Close) => format!("closes the socket of {who}"),
            Act::Ends(Kind::Shutdown) => format!("shuts down that of {who}"),
            Act::Ends(kind) => {
                format!("goes on after {}", kind.state().word())
            }
            Act::Fails(kind) => {
                format!("hears an error of {}", kind.state().word())
            }
            Act::EndOfFile => format!("reads the end of {who}"),
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
