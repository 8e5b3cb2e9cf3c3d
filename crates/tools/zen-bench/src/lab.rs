//! The setting of the experiments: which servers there are, on which cores they
//! run, and how often everything is measured.

use std::time::Duration;

use anyhow::{Context, Error, Result};
use zen_harness::listing::Listing;
use zen_harness::proc;
use zen_harness::process::wait_for;
use zen_harness::server::Server;
use zen_harness::workspace::Servers;

use crate::cores::Cores;
use crate::gauge::{self, Gauge};
use crate::machine::{self, Machine};
use crate::progress;
use crate::results::{Charts, Results};

/// How long to wait for a server to sleep before its threads are counted.
const REST_TIME_MAX: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// As little as possible, to test that it works.
    Tiny,
    /// All experiments in five minutes.
    Quick,
    Full,
}

/// A server that takes part in experiments.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name in figures.
    pub name: String,
    pub words: Vec<String>,
    /// The listing, if the server has the contract's options.
    pub listing: Option<Listing>,
}

#[derive(Debug)]
pub struct Lab {
    size: Size,
    machine: Machine,
    servers: Servers,
    also: Vec<Subject>,
    cores: Option<Cores>,
    left_out: Vec<String>,
    /// The experiment that runs now.
    name: String,
    /// It counts, and takes too long to be repeated.
    is_made_once: bool,
}

/// Builds the listed servers of this workspace with a Cargo profile, `release`
/// or `dev`.
pub fn servers(
    profile: &str,
    is_wanted: impl Fn(&Listing) -> bool,
) -> Result<Servers> {
    Servers::build(&zen_harness::folder!(), profile, None, is_wanted)
        .map_err(Error::msg)
}

impl Subject {
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, command) =
            text.split_once('=').ok_or("write NAME='command'")?;
        let words = shlex::split(command).filter(|words| !words.is_empty());
        let words = words.ok_or("a command has to follow the =")?;
        if name.is_empty() {
            return Err("a name has to come before the =".into());
        }
        Ok(Self { name: name.into(), words, listing: None })
    }
}

impl Lab {
    /// Builds all listings with a Cargo profile, `release` or `dev`.
    pub fn new(size: Size, profile: &str, also: Vec<Subject>) -> Result<Self> {
        machine::descriptors_max();
        let servers = servers(profile, |_| true)?;
        let cores = Cores::separate();
        Ok(Self {
            size,
            machine: Machine::here(profile, cores.is_some()),
            servers,
            also,
            cores,
            left_out: Vec::new(),
            name: String::new(),
            is_made_once: false,
        })
    }

    /// Runs an experiment. From then on the load, which is the calling thread,
    /// stays on its own core.
    pub fn make(
        &mut self,
        name: &str,
        mut charts: Charts,
        make: fn(&mut Self, &mut Charts) -> Result<()>,
    ) -> Result<Results> {
        self.left_out.clear();
        self.is_made_once = false;
        self.name = name.into();
        if let Some(cores) = &self.cores {
            Cores::take(&cores.load);
        }
        let before = proc::own_turns();
        make(self, &mut charts).with_context(|| self.name.clone())?;
        let Charts(mut charts) = charts;
        charts.retain(|it| !it.series.is_empty());
        let turns = proc::own_turns().since(before);
        progress::end();
        let wanted = (turns.cpu + turns.delay).as_secs_f64();
        let delay = turns.delay.as_secs_f64() / wanted.max(1e-9);
        let known = cfg!(target_os = "linux")
            && self.size != Size::Tiny
            && !self.is_made_once;
        let separate = self.cores.is_some();
        Ok(Results {
            experiment: name.into(),
            size: self.pick(["tiny", "quick", "full"]).into(),
            runs: self.runs(),
            machine: Machine { separate, ..self.machine.clone() },
            delay: known.then_some((delay * 1000.0).round() / 1000.0),
            left_out: self.left_out.clone(),
            charts,
        })
    }

    pub fn runs(&self) -> usize {
        if self.is_made_once { 1 } else { self.pick([1, 3, 7]) }
    }

    /// For an experiment that counts, and takes too long to be repeated. Its
    /// load runs in other processes, so the load's delay is unknown.
    pub fn make_once(&mut self) {
        self.is_made_once = true;
    }

    pub fn pick<T>(&self, [tiny, quick, full]: [T; 3]) -> T {
        match self.size {
            Size::Tiny => tiny,
            Size::Quick => quick,
            Size::Full => full,
        }
    }

    /// The listings of the workspace, in reading order.
    pub fn names(&self) -> String {
        let names = self.servers.listings.iter().map(|it| it.name.as_str());
        names.collect::<Vec<_>>().join(" ")
    }

    /// These listings, and the servers that the user has added.
    pub fn servers(&mut self, names: &str) -> Vec<Subject> {
        let mut subjects = self.listings(names);
        subjects.extend(self.also.iter().cloned());
        subjects
    }

    /// Only these listings: the experiment needs the contract's options.
    pub fn listings(&mut self, names: &str) -> Vec<Subject> {
        let mut subjects = Vec::new();
        for name in names.split(' ') {
            match self.subject(name) {
                Ok(subject) => subjects.push(subject),
                Err(why) => self.leave_out(&format!("{name}: {why}")),
            }
        }
        subjects
    }

    /// The listing, or the reason why it cannot take part.
    fn subject(&self, name: &str) -> Result<Subject, String> {
        let listing = self.servers.find(name).ok_or("it does not exist")?;
        if cfg!(windows) && ["zen-fork", "zen-inetd"].contains(&name) {
            return Err("it needs fork()".into());
        }
        if let Some(why) = self.servers.cannot_run(listing) {
            return Err(why.trim().into());
        }
        let words = self.servers.command(listing, &[]);
        let words = words.map_err(|err| err.to_string())?;
        let listing = Some(listing.clone());
        Ok(Subject { name: name.into(), words, listing })
    }

    pub fn leave_out(&mut self, why: &str) {
        if !self.left_out.iter().any(|it| it == why) {
            self.left_out.push(why.into());
        }
    }

    /// Starts a server on the servers' cores. Only listings are given options.
    pub fn start(&self, subject: &Subject, options: &[&str]) -> Result<Server> {
        let mut words = subject.words.clone();
        if subject.listing.is_some() {
            words.extend(options.iter().map(|word| word.to_string()));
        }
        Cores::start(self.cores.as_ref(), &words)
            .with_context(|| subject.name.clone())
    }

    /// As `start`, with the options that let it serve this many clients at
    /// once.
    pub fn start_for(
        &self,
        subject: &Subject,
        clients: usize,
    ) -> Result<Server> {
        let listing = subject.listing.as_ref();
        let options = listing.and_then(|it| it.options_for(clients));
        let options = options.unwrap_or_default();
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        self.start(subject, &options)
    }

    /// Lets server and load use all cores, for an experiment that needs them.
    pub fn share_cores(&mut self) {
        if let Some(Cores { server, load }) = self.cores.take() {
            Cores::take(&[server, load].concat());
        }
    }

    /// What the server has used; None, with a remark, where that is unknown.
    pub fn gauge(&mut self, server: &Server) -> Result<Option<Gauge>> {
        let gauge = gauge::read(server.id())?;
        if gauge.is_none() {
            self.leave_out(gauge::NOT_HERE);
        }
        Ok(gauge)
    }

    /// Records the counts of everything that the server has, at this place. A
    /// thread whose client has left may take a moment to end.
    pub fn record_counts(
        &mut self,
        charts: &mut Charts,
        subject: &Subject,
        server: &Server,
        x: f64,
    ) -> Result<()> {
        wait_for(REST_TIME_MAX, || {
            gauge::is_asleep(server.id()).map(|asleep| asleep.then_some(()))
        })?;
        for (chart, value) in self.gauge(server)?.iter().flat_map(Gauge::counts)
        {
            charts.record(chart, &subject.name, x, value as f64);
        }
        Ok(())
    }

    /// The server's processor time during this work, in seconds; None, with a
    /// remark, where that is unknown.
    pub fn cpu<T>(
        &mut self,
        server: &Server,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<(T, Option<f64>)> {
        let before = gauge::cpu(server.id())?;
        let done = work()?;
        let both = before.zip(gauge::cpu(server.id())?);
        if both.is_none() {
            self.leave_out(gauge::NOT_HERE);
        }
        // The time of a child that has ended is rounded, so it may shrink.
        let cpu = both.map(|(from, to)| to.saturating_sub(from).as_secs_f64());
        Ok((done, cpu))
    }

    pub fn tell(&self, run: usize, what: &str) {
        let (name, run, runs) = (&self.name, run + 1, self.runs());
        progress::tell(&format!("{name}, run {run} of {runs}: {what}"));
    }
}
