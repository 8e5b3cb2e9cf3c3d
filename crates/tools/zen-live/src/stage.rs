//! Where everything happens: one thread has all servers and clients. It does
//! what it is told, looks at everything twenty times a second, and sends what
//! has changed to the pages that are open.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use zen_harness::proc;

use crate::lane::{Lane, Shown};
use crate::lesson::{Lesson, Step};
use crate::line::{Act, ClientAct, Line};

/// How often everything is looked at, unless that takes long.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How soon after something was done: a server needs a moment.
const LOOK_AFTER: Duration = Duration::from_millis(4);

/// Looking takes no more than one part in this of the time.
const PARTS: u32 = 3;

/// How often our own cost is told.
const COST_EVERY: Duration = Duration::from_secs(2);

/// Of all lanes.
const CLIENTS_MAX: usize = 2_000;

const PAGES_MAX: usize = 16;

/// Without a page it ends by itself.
const ALONE_MAX: Duration = Duration::from_secs(30 * 60);

/// How long servers have to end by themselves: the contract's 2 s, and a bit.
const END_TIME_MAX: Duration = Duration::from_millis(2_500);

pub(crate) enum Order {
    /// Do what this line says, and tell whether that can be.
    Do(String, oneshot::Sender<Result<(), String>>),
    /// Send all that is shown, and from then on what has changed.
    Watch(mpsc::Sender<Arc<str>>),
    /// Tell once.
    Look(oneshot::Sender<String>),
    End,
}

pub(crate) struct Stage {
    lanes: Vec<Lane>,
    /// The names of the lanes that are there without a lesson.
    usual: Vec<String>,
    /// Of those that are there in every lesson as well.
    always: Vec<String>,
    lessons: Vec<Lesson>,
    /// Of those that are there now.
    present: Vec<String>,
    /// The number of the lesson, and of the steps that have been done.
    lesson: Option<(usize, usize)>,
    /// Filled by a lesson's step, emptied as soon as no line asks to wait.
    pending: VecDeque<Line>,
    resume: Instant,
    pages: Vec<mpsc::Sender<Arc<str>>>,
    shown: Shown,
    epoch: Instant,
    /// When our cost was told, and the processor time then.
    costed: (Instant, Duration),
    cost: Value,
}

impl Stage {
    pub(crate) fn new(
        lanes: Vec<Lane>,
        usual: Vec<String>,
        always: Vec<String>,
        lessons: Vec<Lesson>,
    ) -> Self {
        let now = Instant::now();
        Self {
            lanes,
            usual,
            always,
            lessons,
            present: Vec::new(),
            lesson: None,
            pending: VecDeque::new(),
            resume: now,
            pages: Vec::new(),
            shown: Shown::new(),
            epoch: now,
            costed: (now, Duration::ZERO),
            cost: Value::Null,
        }
    }

    /// Runs until it is told to end, or has been alone for long.
    pub(crate) fn run(mut self, orders: &Receiver<Order>) {
        if self.lesson.is_none() {
            self.set(self.usual.clone());
        }
        let mut next = Instant::now();
        let mut visited = next;
        while visited.elapsed() < ALONE_MAX {
            let left = next.saturating_duration_since(Instant::now());
            let wants_look = match orders.recv_timeout(left) {
                Ok(Order::Do(text, answer)) => {
                    answer.send(self.perform(&text)).ok();
                    next = next.min(Instant::now() + LOOK_AFTER);
                    None
                }
                Ok(Order::Watch(page)) => {
                    self.welcome(page);
                    None
                }
                Ok(Order::Look(answer)) => Some(answer),
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => None,
            };
            let now = Instant::now();
            if now >= next || wants_look.is_some() {
                self.go_on();
                self.look();
                next = now + LOOK_EVERY.max(PARTS * now.elapsed());
            }
            if !self.pages.is_empty() || wants_look.is_some() {
                visited = now;
            }
            wants_look.map(|it| it.send(json!(self.shown).to_string()));
        }
        self.end();
    }

    fn end(&mut self) {
        self.lanes.iter_mut().for_each(Lane::dismiss);
        for lane in &mut self.lanes {
            lane.stop().ok();
        }
        let deadline = Instant::now() + END_TIME_MAX;
        let all_ended = |lanes: &mut Vec<Lane>| {
            lanes.iter_mut().map(Lane::has_ended).fold(true, |a, b| a & b)
        };
        while !all_ended(&mut self.lanes) && Instant::now() < deadline {
            thread::sleep(LOOK_AFTER);
        }
        self.lanes.iter_mut().for_each(Lane::end);
    }

    /// Starts these lanes, and ends all others.
    fn set(&mut self, names: Vec<String>) {
        for lane in &mut self.lanes {
            match names.contains(&lane.name) {
                true => lane.start(&[]),
                false => lane.end(),
            }
        }
        self.present = names;
    }

    fn perform(&mut self, text: &str) -> Result<(), String> {
        let line = Line::parse(text)?;
        match &line.act {
            Act::Lesson(name) if name.is_empty() => {
                self.lesson = None;
                self.pending.clear();
                self.set(self.usual.clone());
                Ok(())
            }
            Act::Lesson(name) => self.begin(name),
            Act::Next => {
                self.step();
                Ok(())
            }
            _ => self.apply(&line),
        }
    }

    pub(crate) fn begin(&mut self, name: &str) -> Result<(), String> {
        let index = self.lessons.iter().position(|it| it.name == name);
        let index = index.ok_or_else(|| format!("no lesson {name:?}"))?;
        let mut names = self.lessons[index].lanes.clone();
        let new = self.always.iter().filter(|it| !names.contains(it));
        names.extend(new.cloned().collect::<Vec<_>>());
        self.pending.clear();
        self.set(names);
        self.lesson = Some((index, 0));
        self.step();
        Ok(())
    }

    fn step(&mut self) {
        let Some((index, done)) = &mut self.lesson else { return };
        if let Some(step) = self.lessons[*index].steps.get(*done) {
            *done += 1;
            self.pending.extend(step.lines.iter().cloned());
            self.go_on();
        }
    }

    /// Does what is pending, up to the next wait.
    fn go_on(&mut self) {
        while self.resume <= Instant::now() {
            let Some(line) = self.pending.pop_front() else { return };
            if let Err(err) = self.apply(&line) {
                eprintln!("zen-live: {err}");
            }
        }
    }

    fn apply(&mut self, line: &Line) -> Result<(), String> {
        let clients: usize = self.lanes.iter().map(Lane::clients).sum();
        let is_meant = |name: &String| {
            self.present.contains(name)
                && line.lane.as_ref().is_none_or(|it| it == name)
        };
        let lanes: Vec<_> =
            self.lanes.iter_mut().filter(|it| is_meant(&it.name)).collect();
        if lanes.is_empty() {
            return Err("there is no such lane now".into());
        }
        let new = match &line.act {
            Act::Silent(n) => *n,
            Act::Client(_, ClientAct::Connect) => 1,
            Act::Busy => 8,
            _ => 0,
        };
        if clients.saturating_add(new.saturating_mul(lanes.len())) > CLIENTS_MAX
        {
            return Err(format!("more than {CLIENTS_MAX} clients"));
        }
        for lane in lanes {
            match &line.act {
                Act::Client(name, act) => lane.client(name, act)?,
                Act::Silent(n) => {
                    lane.silent(*n).map_err(|it| it.to_string())?;
                }
                Act::Busy => lane.flood(),
                Act::Dismiss => lane.dismiss(),
                Act::Restart(options) => lane.start(options),
                Act::Stop => lane.stop().map_err(|it| it.to_string())?,
                Act::Kill => lane.kill().map_err(|it| it.to_string())?,
                Act::Wait(time) => self.resume = Instant::now() + *time,
                Act::Lesson(_) | Act::Next => {}
            }
        }
        Ok(())
    }

    fn welcome(&mut self, page: mpsc::Sender<Arc<str>>) {
        if self.pages.len() < PAGES_MAX {
            let message = self.message(&json!(self.shown), true);
            page.try_send(message).ok();
            self.pages.push(page);
        }
    }

    fn message(&self, changes: &Value, is_all: bool) -> Arc<str> {
        let now = self.epoch.elapsed().as_millis();
        json!({ "now": now, "all": is_all, "set": changes }).to_string().into()
    }

    /// Looks at everything, and sends what has changed.
    fn look(&mut self) {
        let mut shown = Shown::new();
        let ports: Vec<_> = self.lanes.iter().filter_map(Lane::port).collect();
        let sockets = proc::sockets(&ports);
        for lane in &mut self.lanes {
            if self.present.contains(&lane.name) {
                lane.show(&mut shown, &sockets, self.epoch);
            }
        }
        self.tell_cost();
        shown.insert("lesson".into(), self.lesson());
        shown.insert("stage".into(), self.about());
        let mut changes = Shown::new();
        for (key, value) in &shown {
            if self.shown.get(key) != Some(value) {
                changes.insert(key.clone(), value.clone());
            }
        }
        for key in self.shown.keys().filter(|it| !shown.contains_key(*it)) {
            changes.insert(key.clone(), Value::Null);
        }
        self.shown = shown;
        // A page that does not keep up is dropped, and comes back by itself.
        self.pages.retain(|page| !page.is_closed());
        if !changes.is_empty() {
            let message = self.message(&json!(changes), false);
            self.pages.retain(|page| page.try_send(message.clone()).is_ok());
        }
    }

    fn tell_cost(&mut self) {
        let (at, before) = self.costed;
        if at.elapsed() >= COST_EVERY {
            let cpu = proc::own_turns().cpu;
            let share =
                (cpu - before).as_secs_f64() / at.elapsed().as_secs_f64();
            self.cost = ((100.0 * share).round() as u64).into();
            self.costed = (Instant::now(), cpu);
        }
    }

    fn about(&self) -> Value {
        let lessons = self.lessons.iter().map(|it| (&it.name, &it.title));
        let missing = cfg!(not(target_os = "linux")).then_some(
            "This system does not tell what threads wait for, nor which \
             clients are in a queue: only Linux does. You see what clients see.",
        );
        json!({
            "lanes": self.present,
            "lessons": lessons.collect::<Vec<_>>(),
            "missing": missing,
            "cost": self.cost,
        })
    }

    fn lesson(&self) -> Value {
        let Some((index, done)) = self.lesson else { return Value::Null };
        let Lesson { name, title, page, steps, .. } = &self.lessons[index];
        let said: Vec<_> = steps[..done].iter().map(|it| &it.says).collect();
        let question = steps.get(done).map(|it: &Step| &it.question);
        let claims = done.checked_sub(1).map(|last| &steps[last].claims);
        json!({
            "name": name,
            "title": title,
            "page": page,
            "steps": steps.len(),
            "said": said,
            "question": question,
            "claims": claims,
        })
    }
}
