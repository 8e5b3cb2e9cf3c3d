//! Turns what strace saw into tasks and their calls.

use std::collections::HashMap;

use zen_harness::waiting::State;

use crate::run::{Call, Client, Kind, Task, WAITS};
use crate::strace::{self, Descriptor, Event, Syscall, What};

/// A call or a wait that takes longer than this is worth showing.
const LONG: i64 = 1_000;

/// Of what ends before the clients begin, only this last moment is kept.
const BEFORE: i64 = -20_000;

/// Turns the lines of a trace into tasks. Times become microseconds since
/// `epoch`; a socket's port tells its client. Also returns the number of lines
/// that it could not read.
pub fn build<L: AsRef<str>>(
    lines: impl Iterator<Item = L>,
    epoch: i64,
    clients: &[Client],
) -> (Vec<Task>, usize) {
    let numbers = clients.iter().enumerate();
    let numbers = numbers.filter(|(_, client)| client.port != 0);
    let mut builder = Builder {
        clients: numbers.map(|(n, it)| (it.port, n as u16)).collect(),
        ..Builder::default()
    };
    let mut unread = 0;
    for line in lines {
        match strace::read(line.as_ref(), epoch) {
            Some(event) => builder.event(event),
            None => unread += usize::from(!line.as_ref().trim().is_empty()),
        }
    }
    (builder.finish(), unread)
}

/// Not a call, but it has a duration as well.
const STOPPED: &str = "stopped";

#[derive(Default)]
struct Builder {
    /// By port.
    clients: HashMap<u16, u16>,
    tasks: Vec<Task>,
    /// By the kernel's number: the latest task with that number.
    current: HashMap<u32, usize>,
    /// A task's unfinished call: filled and emptied by its events.
    begun: HashMap<usize, Syscall>,
    /// The client of a process's descriptor, when strace last knew it.
    sockets: HashMap<(u32, i64), u16>,
    last: i64,
}

impl Builder {
    fn event(&mut self, Event { task, at, what }: Event) {
        self.last = self.last.max(at);
        let task = self.task(task, at);
        if self.begun.get(&task).is_some_and(|it| it.name == STOPPED) {
            self.cut_short(task, at);
        }
        match what {
            What::Begun(call) => _ = self.begun.insert(task, call),
            What::Resumed(mut call) => {
                // Its beginning is missing if strace attached later.
                let begun = self.begun.remove(&task);
                if let Some(begun) = begun.filter(|it| it.name == call.name) {
                    call.begin = begun.begin;
                    call.arguments.insert_str(0, &begun.arguments);
                }
                call.took.get_or_insert(at.saturating_sub(call.begin));
                self.call(task, &call);
            }
            What::Call(call) => {
                self.begun.remove(&task);
                self.call(task, &call);
            }
            What::Signal(name) => self.tasks[task].signals.push((at, name)),
            What::Stopped => {
                let (name, begin) = (STOPPED.to_string(), at);
                let stopped = Syscall { name, begin, ..Syscall::default() };
                self.begun.insert(task, stopped);
            }
            What::Gone(why) => {
                self.cut_short(task, at);
                self.tasks[task].died = Some(at);
                self.tasks[task].death = why;
            }
        }
    }

    /// The task that has this number now.
    fn task(&mut self, number: u32, at: i64) -> usize {
        match self.current.get(&number) {
            Some(&task) if self.tasks[task].died.is_none() => task,
            _ => self.add(number, at),
        }
    }

    /// A new task is a process without a parent until its birth is known.
    fn add(&mut self, number: u32, born: i64) -> usize {
        let task = self.tasks.len();
        let id = task as u32 + 1;
        self.tasks.push(Task { id, process: id, born, ..Task::default() });
        self.current.insert(number, task);
        task
    }

    /// Ends the task's unfinished call when the task ends.
    fn cut_short(&mut self, task: usize, at: i64) {
        if let Some(mut call) = self.begun.remove(&task) {
            call.took = Some(at.saturating_sub(call.begin));
            self.call(task, &call);
        }
    }

    fn call(&mut self, task: usize, call: &Syscall) {
        self.last = self.last.max(call.begin.saturating_add(call.took()));
        match &*call.name {
            "clone" | "clone3" | "fork" | "vfork" => self.birth(task, call),
            "prctl" if call.arguments.starts_with("PR_SET_NAME") => {
                let name = call.arguments.split('"').nth(1);
                self.tasks[task].name = name.unwrap_or_default().into();
            }
            _ => {
                if let Some(call) = self.wait_or_transfer(task, call) {
                    self.tasks[task].calls.push(call);
                }
            }
        }
    }

    fn birth(&mut self, parent: usize, call: &Syscall) {
        let number = call.result.and_then(|it| u32::try_from(it).ok());
        let Some(number @ 1..) = number else { return };
        let born = call.begin;
        // The child may have been seen before its parent's call returned.
        let child = match self.current.get(&number) {
            Some(&child) if self.tasks[child].born >= born => child,
            _ => self.add(number, born),
        };
        if child == parent {
            return;
        }
        let is_thread = call.arguments.contains("CLONE_THREAD");
        let Task { id, process, .. } = self.tasks[parent];
        let child = &mut self.tasks[child];
        child.parent = id;
        child.process = if is_thread { process } else { child.id };
        child.born = born;
    }

    fn wait_or_transfer(
        &mut self,
        task: usize,
        call: &Syscall,
    ) -> Option<Call> {
        let (at, took) = (call.begin, call.took());
        let process = self.tasks[task].process;
        let descriptor = call.descriptor();
        let is_tcp = descriptor.is_some_and(|(_, it)| it != Descriptor::Other);
        let long = |kind| (took >= LONG).then_some(kind);
        let kind = match kind(interrupted(call)) {
            Some(Kind::Recv | Kind::Send) if !is_tcp => long(Kind::Other),
            Some(Kind::Close | Kind::Shutdown) if !is_tcp => None,
            Some(Kind::Futex) if !waits(&call.arguments) => None,
            None => long(Kind::Other),
            kind => kind,
        }?;
        let client = match (kind, descriptor) {
            (Kind::Accept, _) => self.accepted(process, call),
            (_, Some((number, it))) if is_tcp => {
                let key = (process, number);
                let known = match it {
                    Descriptor::Connected(port) => self.clients.get(&port),
                    _ => self.sockets.get(&key),
                };
                let known = known.copied();
                match (kind, known) {
                    (Kind::Close, _) => _ = self.sockets.remove(&key),
                    (_, Some(n)) => _ = self.sockets.insert(key, n),
                    (_, None) => {}
                }
                known
            }
            _ => None,
        };
        let is_listener = matches!(kind, Kind::Close | Kind::Shutdown);
        if is_listener && client.is_none() {
            return None;
        }
        let result = call.result.unwrap_or(-1);
        let result = if result < 0 { error(&call.remark) } else { result };
        let call = Call { at, took, kind, client, result };
        (call.end() >= BEFORE).then_some(call)
    }

    fn accepted(&mut self, process: u32, call: &Syscall) -> Option<u16> {
        let number = call.result.filter(|it| *it >= 0)?;
        let port = match call.returned() {
            Descriptor::Connected(port) => Some(port),
            _ => call.port(),
        };
        let client = *self.clients.get(&port?)?;
        self.sockets.insert((process, number), client);
        Some(client)
    }

    /// Numbers the tasks in the order of their birth.
    fn finish(mut self) -> Vec<Task> {
        for task in 0..self.tasks.len() {
            self.cut_short(task, self.last);
        }
        let mut tasks = self.tasks;
        // Helpers that only started the server are not part of it.
        tasks.retain(|task| task.died.is_none_or(|died| died >= BEFORE));
        tasks.sort_by_key(|task| (task.born, task.id));
        let new = (1..).zip(&tasks).map(|(new, task)| (task.id, new));
        let new: HashMap<u32, u32> = new.collect();
        let new = |old: u32| new.get(&old).copied().unwrap_or(0);
        for task in &mut tasks {
            task.id = new(task.id);
            task.process = new(task.process);
            task.parent = new(task.parent);
        }
        tasks
    }
}

/// The name of a call; if it resumes after a signal, its first name.
fn interrupted(call: &Syscall) -> &str {
    if call.name != "restart_syscall" {
        return &call.name;
    }
    let rest = call.arguments.split_once("resuming interrupted ");
    let first = rest.and_then(|(_, rest)| rest.split_whitespace().next());
    first.unwrap_or(&call.name)
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "io_uring_enter" => Kind::Ring,
        "close" => Kind::Close,
        "shutdown" => Kind::Shutdown,
        _ => {
            let state = State::of_call(name)?;
            WAITS.iter().find(|it| it.1 == state)?.0
        }
    })
}

/// Whether a futex call waits; the others wake up threads.
fn waits(arguments: &str) -> bool {
    !arguments.contains("FUTEX_WAKE") && !arguments.contains("FUTEX_UNLOCK")
}

/// Linux's number of an error that matters here; otherwise -1.
fn error(remark: &str) -> i64 {
    let name = remark.split_whitespace().find(|it| it.starts_with('E'));
    match name {
        Some("EINTR" | "ERESTARTSYS" | "ERESTARTNOHAND" | "ERESTARTNOINTR")
        | Some("ERESTART_RESTARTBLOCK") => -4,
        Some("EAGAIN") => -11,
        Some("EPIPE") => -32,
        Some("ECONNRESET") => -104,
        _ => -1,
    }
}
