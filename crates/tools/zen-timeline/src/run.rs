//! A recorded run: what strace saw of the server, and what the clients saw, on
//! one clock.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use zen_harness::waiting::State;

/// Files of another format are rejected.
pub const FORMAT: u32 = 1;

/// All times are microseconds since the clients began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub format: u32,
    /// The heading of the picture.
    pub name: String,
    pub command: String,
    pub scenario: String,
    /// Where it was recorded: cores, kernel, strace.
    pub machine: String,
    /// When the last client left.
    pub end: i64,
    /// What tracing cost, if it was measured.
    pub slowdown: Option<Slowdown>,
    /// The number of lines of strace's output that could not be read.
    pub unread: usize,
    /// In the order of the scenario.
    pub clients: Vec<Client>,
    /// Processes and threads, in the order of their birth.
    pub tasks: Vec<Task>,
}

impl Run {
    pub fn read(path: &Path) -> Result<Self> {
        let read = || -> Result<Self> {
            let run: Self = serde_json::from_str(&fs::read_to_string(path)?)?;
            ensure!(run.format == FORMAT, "it is of format {}", run.format);
            Ok(run)
        };
        read().with_context(|| path.display().to_string())
    }

    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.tasks.iter().flat_map(|task| &task.calls)
    }

    /// Whether the server moves its bytes with calls that strace does not see.
    pub(crate) fn hides(&self) -> bool {
        self.calls().any(|call| call.kind == Kind::Ring)
    }

    /// How long clients waited for answers, and how long tasks were busy or had
    /// to wait for a core. The lower it is, the calmer the run.
    pub fn unrest(&self) -> i64 {
        let waited: i64 = self.clients.iter().flat_map(Client::waits).sum();
        let busy = self.tasks.iter().map(|task| {
            let (born, died) = (task.born.max(0), task.died);
            let alive = died.unwrap_or(self.end).min(self.end) - born;
            let time = |call: &Call| call.end().min(self.end) - call.at.max(0);
            let calls = task.calls.iter().map(|call| time(call).max(0));
            (alive - calls.sum::<i64>()).max(0)
        });
        waited + busy.sum::<i64>()
    }
}

/// The same scenario without strace and with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slowdown {
    /// The median time between a question and its answer, without strace.
    pub untraced: i64,
    /// The same with strace.
    pub traced: i64,
    /// The number of answers behind each median.
    pub answers: usize,
    /// When the last client left, without strace.
    pub untraced_end: i64,
}

impl Slowdown {
    pub(crate) fn times(&self) -> String {
        let times = self.traced as f64 / self.untraced.max(1) as f64;
        format!("{times:.1}")
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Client {
    pub name: String,
    /// Its own port; 0 if it never connected.
    pub port: u16,
    /// Why it stopped early, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
    /// In the order of time.
    pub views: Vec<View>,
}

impl Client {
    /// The periods in which it waited for an answer.
    pub fn asked(&self) -> Vec<(i64, i64)> {
        let mut periods = Vec::new();
        let (mut owed, mut since) = (0_usize, None);
        for view in &self.views {
            match view.seen {
                Seen::Sent => owed += view.whole,
                Seen::Received => owed = owed.saturating_sub(view.whole),
                seen if seen.is_end() => owed = 0,
                _ => {}
            }
            if owed > 0 {
                since.get_or_insert(view.at);
            } else if let Some(from) = since.take() {
                periods.push((from, view.at));
            }
        }
        periods
    }

    /// How long it waited for each answer.
    pub fn waits(&self) -> Vec<i64> {
        let mut waits = Vec::new();
        let mut asked = VecDeque::new();
        for view in &self.views {
            match view.seen {
                Seen::Sent => asked.resize(asked.len() + view.whole, view.at),
                Seen::Received => {
                    let answered = view.whole.min(asked.len());
                    let answered = asked.drain(..answered);
                    waits.extend(answered.map(|asked| view.at - asked));
                }
                _ => {}
            }
        }
        waits
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "(i64, Seen, usize, usize)")]
pub struct View {
    pub at: i64,
    pub seen: Seen,
    pub bytes: usize,
    /// The number of questions or answers that ended with them.
    pub whole: usize,
}

impl From<View> for (i64, Seen, usize, usize) {
    fn from(view: View) -> Self {
        (view.at, view.seen, view.bytes, view.whole)
    }
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    Connects,
    Connected,
    Sent,
    Received,
    Finished,
    EndOfFile,
    Failed,
    Left,
}

impl Seen {
    /// Nothing that comes later matters to the client.
    pub fn is_end(self) -> bool {
        matches!(self, Self::EndOfFile | Self::Failed | Self::Left)
    }
}

/// A thread, or a process of one thread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its number, counted from 1 in the order of birth.
    pub id: u32,
    /// The number of the first task of its process.
    pub process: u32,
    /// The number of the task that started it; 0 for the first.
    pub parent: u32,
    /// The name that it has given itself, if any.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub name: String,
    pub born: i64,
    /// When it ended, if strace saw that.
    pub died: Option<i64>,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub death: String,
    /// In the order of time, without overlaps.
    pub calls: Vec<Call>,
    /// When each signal was delivered, and its name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub signals: Vec<(i64, String)>,
}

/// A system call that waited, moved bytes, or ended something.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "(i64, i64, Kind, Option<u16>, i64)")]
pub struct Call {
    pub at: i64,
    pub took: i64,
    pub kind: Kind,
    /// The client that it concerned: its place in the run's list.
    pub client: Option<u16>,
    /// Its return value, usually a number of bytes; below 0 it failed.
    pub result: i64,
}

impl From<Call> for (i64, i64, Kind, Option<u16>, i64) {
    fn from(it: Call) -> Self {
        (it.at, it.took, it.kind, it.client, it.result)
    }
}

impl Call {
    pub fn end(&self) -> i64 {
        self.at.saturating_add(self.took)
    }
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Accept,
    Recv,
    Send,
    Poll,
    /// io_uring_enter: strace does not see what it does.
    Ring,
    Futex,
    Sleep,
    /// Any other call, if it took long.
    Other,
    Close,
    Shutdown,
}

/// The calls in which a task waits, and its state during each.
pub(crate) const WAITS: [(Kind, State); 8] = [
    (Kind::Accept, State::Accept),
    (Kind::Recv, State::Recv),
    (Kind::Send, State::Send),
    (Kind::Poll, State::Poll),
    (Kind::Ring, State::Poll),
    (Kind::Futex, State::Futex),
    (Kind::Sleep, State::Sleep),
    (Kind::Other, State::Other),
];

impl Kind {
    pub fn state(self) -> State {
        let waits = WAITS.iter().find(|it| it.0 == self);
        waits.map_or(State::Work, |it| it.1)
    }
}
