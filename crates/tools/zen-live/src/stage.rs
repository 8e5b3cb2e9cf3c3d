//! Where everything happens: one thread has all servers and clients. It does
//! what it is told, looks at everything twenty times a second, and sends what
//! has changed to the pages that are open.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use zen_harness::proc::{self, Sockets};

use crate::busy;
use crate::lane::{Lane, Shown};
use crate::lesson::Lesson;
use crate::line::{Act, ClientAct, Line};

/// How often everything is looked at, unless that takes long.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How soon after something was done, and how often: a server needs a moment.
const LOOK_AFTER: Duration = Duration::from_millis(5);
const LOOKS_AFTER: usize = 5;

/// Looking takes no more than one part in this of the time of a core.
const PARTS: u32 = 8;

/// Of all lanes.
const CLIENTS_MAX: usize = 2_000;

const PAGES_MAX: usize = 16;

/// Without a page it ends by itself.
const ALONE_MAX: Duration = Duration::from_secs(30 * 60);

/// How long servers have to end by themselves: the contract's 2 s, and a bit.
const END_TIME_MAX: Duration = Duration::from_millis(2_500);

const MISSING: &str = "Only Linux tells what threads wait for, and which \
                       clients are in a queue: here you see what clients see.";

pub(crate) enum Order {
    /// Do what this line says, and tell whether that can be.
    Do(String, oneshot::Sender<Result<(), String>>),
    /// Send all that is shown, and from then on what has changed.
    Watch(mpsc::Sender<Arc<str>>),
    /// Look, and tell once.
    Look(oneshot::Sender<String>),
    End,
}

#[derive(Default)]
pub(crate) struct Stage {
    lanes: Vec<Lane>,
    /// The names of the lanes that are there without a lesson.
    usual: Vec<String>,
    /// Of those that are there in every lesson as well.
    always: Vec<String>,
    /// Of those that are there now.
    present: Vec<String>,
    lessons: Vec<Lesson>,
    /// The number of the lesson, and of the steps that have been done.
    lesson: Option<(usize, usize)>,
    pages: Vec<mpsc::Sender<Arc<str>>>,
    shown: Shown,
}

impl Stage {
    pub(crate) fn new(
        lanes: Vec<Lane>,
        usual: Vec<String>,
        always: Vec<String>,
        lessons: Vec<Lesson>,
    ) -> Self {
        Self { lanes, usual, always, lessons, ..Self::default() }
    }

    /// Runs until it is told to end, or has been alone for long.
    pub(crate) fn run(mut self, lesson: &str, orders: &Receiver<Order>) {
        self.begin(lesson).ok();
        let mut next = Instant::now();
        let mut visited = next;
        let mut looks_soon = 0;
        while visited.elapsed() < ALONE_MAX {
            let left = next.saturating_duration_since(Instant::now());
            let mut asks = None;
            match orders.recv_timeout(left) {
                Ok(Order::Do(text, answer)) => {
                    answer.send(self.perform(&text)).ok();
                    next = next.min(Instant::now() + LOOK_AFTER);
                    looks_soon = LOOKS_AFTER;
                    visited = next;
                }
                Ok(Order::Watch(page)) if self.pages.len() < PAGES_MAX => {
                    let message = Self::message(&json!(self.shown), true);
                    page.try_send(message).ok();
                    self.pages.push(page);
                }
                Ok(Order::Look(answer)) => asks = Some(answer),
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Order::Watch(_)) | Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if !self.pages.is_empty() || asks.is_some() {
                visited = now;
            }
            if now >= next || asks.is_some() {
                let before = proc::own_turns().cpu;
                self.look();
                let took = proc::own_turns().cpu.saturating_sub(before);
                let soon = [LOOK_EVERY, LOOK_AFTER][looks_soon.min(1)];
                next = now + soon.max((PARTS - 1) * took);
                looks_soon = looks_soon.saturating_sub(1);
            }
            asks.map(|it| it.send(json!(self.shown).to_string()));
        }
        self.end();
    }

    fn end(&mut self) {
        for lane in &mut self.lanes {
            lane.dismiss();
            lane.stop().ok();
        }
        let deadline = Instant::now() + END_TIME_MAX;
        while !self.lanes.iter_mut().all(Lane::has_ended)
            && Instant::now() < deadline
        {
            thread::sleep(LOOK_AFTER);
        }
        self.lanes.iter_mut().for_each(Lane::end);
    }

    fn perform(&mut self, text: &str) -> Result<(), String> {
        let line = Line::parse(text)?;
        match &line.act {
            Act::Lesson(name) => self.begin(name),
            Act::Next => self.step(),
            _ => self.apply(&line),
        }
    }

    /// Begins a lesson, or without a name none: starts all servers that are
    /// needed, and ends the others.
    fn begin(&mut self, name: &str) -> Result<(), String> {
        let found = self.lessons.iter().position(|it| it.name == name);
        if found.is_none() && !name.is_empty() {
            return Err(format!("no lesson {name:?}"));
        }
        let mut names = self.usual.clone();
        if let Some(index) = found {
            names.clone_from(&self.lessons[index].lanes);
            let new = self.always.iter().filter(|it| !names.contains(it));
            names.extend(new.cloned().collect::<Vec<_>>());
        }
        for lane in &mut self.lanes {
            match names.contains(&lane.subject.name) {
                true => lane.start(&[]),
                false => lane.end(),
            }
        }
        self.present = names;
        self.lesson = found.map(|index| (index, 0));
        self.step()
    }

    fn step(&mut self) -> Result<(), String> {
        let Some((index, done)) = &mut self.lesson else { return Ok(()) };
        let step = self.lessons[*index].steps.get(*done).cloned();
        *done += usize::from(step.is_some());
        let lines = step.into_iter().flat_map(|it| it.lines);
        lines.into_iter().try_for_each(|line| self.apply(&line))
    }

    fn apply(&mut self, line: &Line) -> Result<(), String> {
        let clients: usize = self.lanes.iter().map(Lane::clients).sum();
        let is_meant = |it: &&mut Lane| {
            let name = &it.subject.name;
            let is_named = line.lane.as_ref().is_none_or(|it| it == name);
            is_named && self.present.contains(name)
        };
        let lanes: Vec<_> = self.lanes.iter_mut().filter(is_meant).collect();
        let new = match &line.act {
            Act::Silent(n) => *n,
            Act::Client(_, ClientAct::Connect) => 1,
            Act::Busy => busy::CLIENTS,
            _ => 0,
        };
        let new = new.saturating_mul(lanes.len());
        if lanes.is_empty() {
            return Err("there is no such lane now".into());
        } else if clients.saturating_add(new) > CLIENTS_MAX {
            return Err(format!("more than {CLIENTS_MAX} clients"));
        }
        for lane in lanes {
            match &line.act {
                Act::Client(name, act) => lane.client(name, act)?,
                Act::Silent(n) => lane.silent(*n)?,
                Act::Busy => lane.flood(),
                Act::Dismiss => lane.dismiss(),
                Act::Restart(options) => lane.start(options),
                Act::Stop => lane.stop().map_err(|it| it.to_string())?,
                Act::Kill => lane.kill().map_err(|it| it.to_string())?,
                Act::Lesson(_) | Act::Next => {}
            }
        }
        Ok(())
    }

    fn message(changes: &Value, is_all: bool) -> Arc<str> {
        json!({ "all": is_all, "set": changes }).to_string().into()
    }

    /// Looks at everything, and sends what has changed.
    fn look(&mut self) {
        let addresses = self.lanes.iter().filter_map(Lane::address);
        let ports: Vec<_> = addresses.map(|it| it.port()).collect();
        let sockets = Sockets::with(&ports);
        let mut shown = Shown::new();
        for lane in &mut self.lanes {
            if self.present.contains(&lane.subject.name) {
                lane.show(&mut shown, &sockets);
            }
        }
        shown.insert("lesson".into(), self.lesson());
        let lessons = self.lessons.iter().map(|it| (&it.name, &it.title));
        let about = json!({
            "lanes": self.present,
            "lessons": lessons.collect::<Vec<_>>(),
            "missing": if cfg!(target_os = "linux") { "" } else { MISSING },
        });
        shown.insert("stage".into(), about);
        let mut changes = shown.clone();
        changes.retain(|key, value| self.shown.get(key) != Some(value));
        let gone = self.shown.keys().filter(|it| !shown.contains_key(*it));
        changes.extend(gone.map(|key| (key.clone(), Value::Null)));
        self.shown = shown;
        // A page that does not keep up is dropped, and comes back by itself.
        self.pages.retain(|page| !page.is_closed());
        if !changes.is_empty() {
            let message = Self::message(&json!(changes), false);
            self.pages.retain(|page| page.try_send(message.clone()).is_ok());
        }
    }

    fn lesson(&self) -> Value {
        let Some((index, done)) = self.lesson else { return Value::Null };
        let Lesson { name, title, page, steps, .. } = &self.lessons[index];
        json!({
            "name": name,
            "title": title,
            "page": page,
            "steps": steps.len(),
            "step": done,
            "says": steps[done - 1].says,
            "claims": steps[done - 1].claims,
            "question": steps.get(done).map(|it| &it.question),
        })
    }
}
