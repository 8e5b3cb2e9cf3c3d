//! A lane: a server, its clients, and what the kernel says of both.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zen_harness::proc::{self, Call, Socket};
use zen_harness::server::Server;
use zen_harness::system;
use zen_harness::waiting::State;

use crate::busy::Busy;
use crate::client::{Client, Place, Sockets};
use crate::line::ClientAct;

/// Clients that have a name; others come in crowds.
const NAMED_MAX: usize = 60;

/// Threads that are shown one by one; others are counted.
const SHOWN_MAX: usize = 24;

/// How often what takes longer to read is read.
const NUMBERS_EVERY: Duration = Duration::from_millis(250);

/// What the page shows, by the name of each part.
pub(crate) type Shown = BTreeMap<String, Value>;

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) name: String,
    /// The program and its own options.
    words: Vec<String>,
    /// The listing's sentence, or the command.
    about: String,
    /// Its page of the book.
    page: Option<String>,
    options: Vec<String>,
    server: Option<Server>,
    /// Why there is none, or what became of it.
    ended: Option<String>,
    clients: Vec<(String, Client)>,
    crowd: Vec<Client>,
    busy: Option<Busy>,
    /// What threads are called, by number: filled when one is first seen,
    /// emptied at a start.
    names: HashMap<u32, String>,
    /// For which client each thread was last in recv or send, by its port.
    last: HashMap<u32, u16>,
    numbers: Value,
    /// When the numbers were read, and the processor time then.
    read: Option<(Instant, Duration)>,
}

impl Lane {
    pub(crate) fn new(
        name: &str,
        words: Vec<String>,
        about: &str,
        page: Option<String>,
    ) -> Self {
        Self {
            name: name.into(),
            words,
            about: about.into(),
            page,
            options: Vec::new(),
            server: None,
            ended: None,
            clients: Vec::new(),
            crowd: Vec::new(),
            busy: None,
            names: HashMap::new(),
            last: HashMap::new(),
            numbers: Value::Null,
            read: None,
        }
    }

    /// Starts the server, or starts it again without its clients.
    pub(crate) fn start(&mut self, options: &[String]) {
        self.end();
        self.options = options.to_vec();
        let words = [&self.words[..], options].concat();
        match Server::run(&words) {
            Ok(server) => self.server = Some(server),
            Err(err) => self.ended = Some(err.to_string()),
        }
    }

    /// Ends everything, at once.
    pub(crate) fn end(&mut self) {
        self.dismiss();
        self.server = None;
        self.ended = None;
        self.names.clear();
        self.last.clear();
        self.numbers = Value::Null;
        self.read = None;
    }

    /// Has the server end as it likes to: it is waited for elsewhere.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        match &mut self.server {
            Some(it) => it.process().signal_group(system::SIGTERM),
            None => Ok(()),
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.server.as_mut().is_none_or(|it| {
            it.process().ended().is_ok_and(|status| status.is_some())
        })
    }

    /// Kills the youngest child, or else the server itself.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        let Some(server) = &self.server else { return Ok(()) };
        let lineage = proc::lineage(server.id());
        let youngest = lineage.last().copied().unwrap_or(server.id());
        system::signal(youngest, system::SIGKILL)
    }

    fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|it| it.address)
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.address().map(|it| it.port())
    }

    /// All clients that are there.
    pub(crate) fn clients(&self) -> usize {
        let named = self.clients.iter().filter(|it| !it.1.is_over()).count();
        named + self.crowd.len() + self.busy.as_ref().map_or(0, Busy::clients)
    }

    pub(crate) fn client(
        &mut self,
        name: &str,
        act: &ClientAct,
    ) -> Result<(), String> {
        let Some(address) = self.address() else { return Ok(()) };
        if *act == ClientAct::Connect {
            let others = self.clients.iter().filter(|it| it.0 != name).count();
            if others >= NAMED_MAX {
                return Err(format!("{NAMED_MAX} clients have a name already"));
            }
            let new = Client::connect(address).map_err(|it| it.to_string())?;
            match self.clients.iter_mut().find(|it| it.0 == name) {
                Some((_, it)) if it.is_over() => *it = new,
                Some(_) => {}
                None => self.clients.push((name.into(), new)),
            }
            return Ok(());
        }
        let found = self.clients.iter_mut().find(|it| it.0 == name);
        if let Some((_, client)) = found {
            client.act(act);
            if client.is_over() && *act == ClientAct::Leave {
                self.clients.retain(|it| it.0 != name);
            }
        }
        Ok(())
    }

    pub(crate) fn silent(&mut self, clients: usize) -> io::Result<()> {
        let Some(address) = self.address() else { return Ok(()) };
        for _ in 0..clients {
            self.crowd.push(Client::connect(address)?);
        }
        Ok(())
    }

    pub(crate) fn flood(&mut self) {
        self.busy = self.address().map(Busy::start);
    }

    /// All clients leave.
    pub(crate) fn dismiss(&mut self) {
        self.clients.clear();
        self.crowd.clear();
        self.busy = None;
    }

    /// Adds to what is shown.
    pub(crate) fn show(
        &mut self,
        shown: &mut Shown,
        all: &[Socket],
        epoch: Instant,
    ) {
        let named = self.clients.iter_mut().map(|it| &mut it.1);
        named.chain(&mut self.crowd).for_each(Client::tick);
        self.look_for_end();
        let sockets = Sockets::of(self.port().unwrap_or_default(), all);
        let key = format!("lane/{}", self.name);
        let (processes, threads) = self.tasks(&key, shown, &sockets);
        for (name, client) in &mut self.clients {
            let key = format!("{key}/client/{name}");
            shown.insert(key, client.shown(&sockets, epoch));
        }
        let crowd = self.crowd(&sockets);
        self.read_numbers(&processes);
        let counts = [(threads, "thread", "threads"), {
            (processes.len(), "process", "processes")
        }];
        let counts = counts.map(|(n, one, many)| {
            format!("{n} {}", if n == 1 { one } else { many })
        });
        shown.insert(
            key,
            json!({
                "about": self.about,
                "page": self.page,
                "options": self.options.join(" "),
                "runs": self.server.is_some(),
                "ended": self.ended,
                "queue": self.server.as_ref().map(|_| sockets.queue()),
                "counts": counts.join(", "),
                "numbers": self.numbers,
                "crowd": crowd,
            }),
        );
    }

    fn look_for_end(&mut self) {
        let Some(server) = &mut self.server else { return };
        let Ok(Some(status)) = server.process().ended() else { return };
        let words = server.process().last_words();
        self.ended = Some(format!("ended: {status} {words}"));
        self.server = None;
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
        let leader = server.id();
        let mut processes = proc::lineage(leader);
        let mut threads = 0;
        let mut alive = HashSet::new();
        let mut more = BTreeMap::new();
        processes.retain(|&process| {
            let calls = proc::calls(process).unwrap_or_default();
            for &(thread, call) in &calls {
                threads += 1;
                alive.insert(thread);
                let (state, task) =
                    self.task((leader, process, thread), call, sockets);
                if threads <= SHOWN_MAX {
                    shown.insert(format!("{key}/task/{thread:08}"), task);
                } else {
                    *more.entry(state.says()).or_insert(0) += 1;
                }
            }
            !calls.is_empty()
        });
        self.names.retain(|thread, _| alive.contains(thread));
        self.last.retain(|thread, _| alive.contains(thread));
        let more: Vec<_> =
            more.iter().map(|(says, n)| format!("{n} more {says}")).collect();
        if !more.is_empty() {
            shown.insert(format!("{key}/more"), more.join(", ").into());
        }
        (processes, threads)
    }

    fn task(
        &mut self,
        (leader, process, thread): (u32, u32, u32),
        call: Call,
        sockets: &Sockets,
    ) -> (State, Value) {
        let born = self.names.len();
        let name = self.names.entry(thread).or_insert_with(|| {
            let kind = match (thread == leader, thread == process) {
                (true, _) => return "main".into(),
                (_, true) => "process",
                _ => "thread",
            };
            format!("{kind} {born}")
        });
        let (state, word, socket) = match call {
            Call::Running => (State::Work, "", None),
            Call::In(word, first) => {
                let number = proc::socket_at(process, first);
                let socket = number.and_then(|it| sockets.numbers.get(&it));
                let state = State::of_call(word).unwrap_or(State::Other);
                let is_on_socket = matches!(state, State::Recv | State::Send);
                match is_on_socket && socket.is_none() {
                    true => (State::Other, word, None),
                    false => (state, word, socket),
                }
            }
            Call::None | Call::Unknown => (State::Other, "", None),
        };
        let client = socket.filter(|it| !it.listens).map(|it| it.remote);
        if let Some(port) = client {
            self.last.insert(thread, port);
        }
        // A sleep and a lock name no client: it is the one before, perhaps.
        let is_vague =
            matches!(state, State::Sleep | State::Futex | State::Work);
        let before = self.last.get(&thread).copied().filter(|_| is_vague);
        let before = before.filter(|it| sockets.servers.contains_key(it));
        let whose = client.or(before);
        let whose = whose.map(|port| {
            let named = self.clients.iter().find(|it| it.1.port == port);
            let silent = self.crowd.iter().any(|it| it.port == port);
            let other = if silent { "a silent one" } else { "another" };
            named.map_or(other, |it| &it.0).to_string()
        });
        let mut says = state.says().to_string();
        if state == State::Other && !word.is_empty() {
            write!(says, ": {word}").ok();
        }
        let task = json!({
            "name": name,
            "state": state.word(),
            "says": says,
            "client": whose,
            "inferred": client.is_none(),
        });
        (state, task)
    }

    /// What is said of the crowd, and how many are where.
    fn crowd(&mut self, sockets: &Sockets) -> Value {
        let mut counts = [0_usize; 3];
        for client in &mut self.crowd {
            let at = match client.place(sockets) {
                Place::Held | Place::Unknown => 0,
                Place::Queued | Place::Connecting => 1,
                Place::Gone => 2,
            };
            counts[at] += 1;
        }
        let busy = self.busy.as_ref().map(Busy::says);
        json!({ "counts": counts, "busy": busy })
    }

    fn read_numbers(&mut self, processes: &[u32]) {
        let now = Instant::now();
        let (before, cpu_before) = self.read.unwrap_or((now, Duration::ZERO));
        let took = now - before;
        if self.read.is_some() && took < NUMBERS_EVERY {
            return;
        }
        let cpu: Duration =
            processes.iter().flat_map(|&it| proc::own_cpu_time(it)).sum();
        let descriptors: Option<usize> = processes
            .iter()
            .map(|&it| proc::descriptors(it).ok().map(|all| all.len()))
            .sum();
        let memory: u64 =
            processes.iter().flat_map(|&it| proc::memory(it)).sum();
        let share = cpu.saturating_sub(cpu_before).as_secs_f64()
            / took.as_secs_f64().max(1e-3);
        let share = if self.read.is_some() { share } else { 0.0 };
        self.numbers = descriptors.filter(|_| !processes.is_empty()).map_or(
            Value::Null,
            |it| {
                let memory = (memory / 1024 + 5) / 10 * 10;
                let share = (share * 100.0).round() as u64;
                let text = format!("{it} descriptors, {memory} KiB");
                format!("{text}, CPU {share} %").into()
            },
        );
        self.read = Some((now, cpu));
    }
}
