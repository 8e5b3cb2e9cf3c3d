//! A lane: a server, its clients, and what the kernel says of both.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zen_harness::proc::{self, Call, Sockets};
use zen_harness::server::Server;
use zen_harness::system;
use zen_harness::waiting::State;

use crate::busy::Busy;
use crate::client::{Client, Place};
use crate::line::ClientAct;

/// Clients that have a name; others come in crowds.
const NAMED_MAX: usize = 60;

/// Threads that are shown one by one; others are counted.
const SHOWN_MAX: usize = 8;

/// How often what takes longer to read is read.
const NUMBERS_EVERY: Duration = Duration::from_millis(250);

/// What the page shows, by the name of each part.
pub(crate) type Shown = BTreeMap<String, Value>;

/// What a lane is about.
#[derive(Debug, Default)]
pub(crate) struct Subject {
    pub(crate) name: String,
    /// The command, without options.
    pub(crate) words: Vec<String>,
    /// The listing's sentence, or the command.
    pub(crate) about: String,
    /// Its page of the book.
    pub(crate) page: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) subject: Subject,
    options: Vec<String>,
    server: Option<Server>,
    /// Why there is no server.
    ended: String,
    clients: Vec<(String, Client)>,
    crowd: Vec<Client>,
    busy: Option<Busy>,
    /// The threads by the kernel's number, counted as they were first seen.
    born: HashMap<u32, usize>,
    births: usize,
    /// For which client each thread was last in recv or send, by its port.
    last: HashMap<u32, u16>,
    numbers: String,
    /// When the numbers were read, and the processor time then.
    read: Option<(Instant, Duration)>,
}

impl Lane {
    pub(crate) fn new(subject: Subject) -> Self {
        Self { subject, ..Self::default() }
    }

    /// Starts the server, or starts it again without its clients.
    pub(crate) fn start(&mut self, options: &[String]) {
        self.end();
        self.options = options.to_vec();
        match Server::run(&[&self.subject.words[..], options].concat()) {
            Ok(server) => self.server = Some(server),
            Err(err) => self.ended = err.to_string(),
        }
    }

    /// Ends everything, at once.
    pub(crate) fn end(&mut self) {
        *self = Self::new(mem::take(&mut self.subject));
    }

    /// All clients leave.
    pub(crate) fn dismiss(&mut self) {
        self.clients.clear();
        self.crowd.clear();
        self.busy = None;
    }

    /// Tells the server to end as it likes to.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        let Some(server) = &mut self.server else { return Ok(()) };
        server.process().signal_group(system::SIGTERM)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        let Some(server) = &mut self.server else { return true };
        server.process().ended().is_ok_and(|status| status.is_some())
    }

    /// Kills the youngest child, or else the server itself.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        let Some(server) = &self.server else { return Ok(()) };
        let youngest = proc::lineage(server.id()).pop();
        system::signal(youngest.unwrap_or(server.id()), system::SIGKILL)
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|it| it.address)
    }

    /// How many clients are there.
    pub(crate) fn clients(&self) -> usize {
        let busy = self.busy.as_ref().map_or(0, Busy::clients);
        self.clients.len() + self.crowd.len() + busy
    }

    pub(crate) fn client(
        &mut self,
        name: &str,
        act: &ClientAct,
    ) -> Result<(), String> {
        let Some(address) = self.address() else { return Ok(()) };
        let found = self.clients.iter_mut().find(|it| it.0 == name);
        match (found, act) {
            (Some((_, it)), ClientAct::Connect) if !it.is_over() => {}
            (_, ClientAct::Connect) => {
                self.clients.retain(|it| it.0 != name);
                if self.clients.len() >= NAMED_MAX {
                    return Err(format!("{name} would be one client too many"));
                }
                let new = Client::connect(address);
                let new = new.map_err(|it| it.to_string())?;
                self.clients.push((name.into(), new));
            }
            (_, ClientAct::Leave) => self.clients.retain(|it| it.0 != name),
            (Some((_, it)), act) => it.act(act),
            (None, _) => {}
        }
        Ok(())
    }

    pub(crate) fn silent(&mut self, clients: usize) -> Result<(), String> {
        let Some(address) = self.address() else { return Ok(()) };
        let new = (0..clients).map(|_| Client::connect(address));
        let new: io::Result<Vec<_>> = new.collect();
        self.crowd.extend(new.map_err(|it| it.to_string())?);
        Ok(())
    }

    pub(crate) fn flood(&mut self) {
        self.busy = self.address().map(Busy::start);
    }

    /// Lets clients go on, and adds to what is shown.
    pub(crate) fn show(&mut self, shown: &mut Shown, sockets: &Sockets) {
        let named = self.clients.iter_mut().map(|it| &mut it.1);
        named.chain(&mut self.crowd).for_each(Client::tick);
        self.look_for_end();
        let key = format!("lane/{}", self.subject.name);
        let (processes, threads) = self.tasks(&key, shown, sockets);
        for (name, client) in &mut self.clients {
            let key = format!("{key}/client/{name}");
            shown.insert(key, client.shown(sockets));
        }
        self.read_numbers(&processes);
        let mut crowd = [0; 3];
        for client in &mut self.crowd {
            crowd[match client.place(sockets) {
                Place::Held | Place::Unknown => 0,
                Place::Queued | Place::Connecting => 1,
                Place::Gone => 2,
            }] += 1;
        }
        let port = self.address().map_or(0, |it| it.port());
        let value = json!({
            "about": self.subject.about,
            "page": self.subject.page,
            "options": self.options.join(" "),
            "ended": self.ended,
            "queue": sockets.ends.get(&(port, 0)).map_or(0, |it| it.unread),
            "threads": threads,
            "processes": processes.len(),
            "numbers": self.numbers,
            "crowd": crowd,
            "flood": self.busy.as_ref().map(Busy::says),
        });
        shown.insert(key, value);
    }

    fn look_for_end(&mut self) {
        let Some(server) = &mut self.server else { return };
        if let Ok(Some(status)) = server.process().ended() {
            let words = server.process().last_words();
            self.ended = format!("ended: {status} {words}");
            self.server = None;
        }
    }

    /// Adds the threads that are shown one by one; returns the processes, and
    /// how many threads there are.
    fn tasks(
        &mut self,
        key: &str,
        shown: &mut Shown,
        sockets: &Sockets,
    ) -> (Vec<u32>, usize) {
        let Some(server) = &self.server else { return (Vec::new(), 0) };
        let mut processes = proc::lineage(server.id());
        let (mut alive, mut more) = (HashSet::new(), BTreeMap::new());
        processes.retain(|&process| {
            let calls = proc::calls(process).unwrap_or_default();
            for &(thread, call) in &calls {
                alive.insert(thread);
                let (state, mut task) =
                    self.task((process, thread), call, sockets);
                if alive.len() <= SHOWN_MAX {
                    let number =
                        *self.born.entry(thread).or_insert_with(|| {
                            self.births += 1;
                            self.births - 1
                        });
                    task["name"] = match number {
                        0 => "main".into(),
                        n if thread == process => format!("process {n}").into(),
                        n => format!("thread {n}").into(),
                    };
                    shown.insert(format!("{key}/task/{number:08}"), task);
                } else {
                    *more.entry(state.says()).or_insert(0) += 1;
                }
            }
            !calls.is_empty()
        });
        self.last.retain(|thread, _| alive.contains(thread));
        self.born.retain(|thread, _| alive.contains(thread));
        let more = more.iter().map(|(says, n)| format!("{n} more {says}"));
        let more = more.collect::<Vec<_>>().join(", ");
        shown.insert(format!("{key}/more"), more.into());
        (processes, alive.len())
    }

    fn task(
        &mut self,
        (process, thread): (u32, u32),
        call: Call,
        sockets: &Sockets,
    ) -> (State, Value) {
        let (mut state, mut call_name, mut client) = (State::Other, "", None);
        match call {
            Call::Running => state = State::Work,
            Call::In(name, first) => {
                let number = proc::socket_at(process, first);
                let socket = number.and_then(|it| sockets.numbers.get(&it));
                client = socket.map(|it| it.remote).filter(|it| *it != 0);
                // A pipe can be received from as well.
                let named = State::of_call(name).filter(|it| {
                    socket.is_some() || !matches!(it, State::Recv | State::Send)
                });
                state = named.unwrap_or(State::Other);
                call_name = name;
            }
            Call::None | Call::Unknown => {}
        }
        if let Some(port) = client {
            self.last.insert(thread, port);
        }
        // A sleep and a lock name no client: it is the one before, perhaps.
        let is_vague =
            matches!(state, State::Sleep | State::Futex | State::Work);
        let before = self.last.get(&thread).copied().filter(|_| is_vague);
        let port = self.address().map_or(0, |it| it.port());
        let before =
            before.filter(|it| sockets.ends.contains_key(&(port, *it)));
        let whose = client.or(before).map(|port| {
            let named = self.clients.iter().find(|it| it.1.port == port);
            let is_silent = self.crowd.iter().any(|it| it.port == port);
            let other = if is_silent { "a silent one" } else { "another" };
            named.map_or(other, |it| &*it.0)
        });
        let task = json!({
            "state": state.word(),
            "says": match state {
                State::Other => format!("{}: {call_name}", state.says()),
                state => state.says().into(),
            },
            "client": whose,
            "inferred": client.is_none(),
        });
        (state, task)
    }

    fn read_numbers(&mut self, processes: &[u32]) {
        let now = Instant::now();
        let took = self.read.map_or(NUMBERS_EVERY, |it| now - it.0);
        if took < NUMBERS_EVERY {
            return;
        }
        let (mut cpu, mut descriptors, mut memory) = (Duration::ZERO, 0, 0);
        for &it in processes {
            cpu += proc::own_cpu_time(it).unwrap_or_default();
            descriptors += proc::descriptors(it).map_or(0, |all| all.len());
            memory += proc::memory(it).unwrap_or_default() / 1024;
        }
        let before = self.read.map_or(cpu, |it| it.1);
        let share = cpu.saturating_sub(before).as_secs_f64();
        let percent = (100.0 * share / took.as_secs_f64()).round();
        self.numbers = match descriptors {
            0 => String::new(),
            n => format!("{n} descriptors, {memory} KiB, CPU {percent} %"),
        };
        self.read = Some((now, cpu));
    }
}
