//! The room in which experiments are made: which servers there are, on which
//! cores they run, how often everything is measured.

mod files;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use zen_harness::inetd::{self, Mode};
use zen_harness::listing::Listing;
use zen_harness::proc;
use zen_harness::server::{PORT, Server};
use zen_harness::workspace::Servers;

use crate::cores::Cores;
use crate::experiments::Experiment;
use crate::gauge::{self, Gauge};
use crate::machine::{self, Machine};
use crate::results::Results;

pub use files::{
    book, data_folder, drawn, figures_folder, read, tables_folder, write,
};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// Hardly anything: a test that it can be done.
    Tiny,
    /// All experiments within five minutes.
    Quick,
    /// More runs, and longer ones.
    Full,
}

/// A server that takes part.
#[derive(Clone, Debug)]
pub struct Subject {
    /// As it is called in figures.
    pub name: String,
    /// The command that starts it.
    pub words: Vec<String>,
    /// What it is, if it takes the contract's options.
    pub listing: Option<Listing>,
}

/// Where experiments are made.
#[derive(Debug)]
pub struct Lab {
    /// How much is measured.
    pub size: Size,
    machine: Machine,
    servers: Servers,
    also: Vec<Subject>,
    cores: Option<Cores>,
    left_out: Vec<String>,
    progress: Progress,
}

/// A line that changes on a terminal, and lines elsewhere.
#[derive(Debug)]
struct Progress {
    bar: Option<ProgressBar>,
    heading: String,
}

/// Builds the servers of this workspace that are wanted, with a profile of
/// Cargo's, `release` or `dev`.
///
/// # Errors
///
/// They cannot be built.
pub fn servers(
    profile: &str,
    is_wanted: impl Fn(&Listing) -> bool,
) -> Result<Servers> {
    Servers::build(&zen_harness::folder!(), profile, None, is_wanted)
        .map_err(Error::msg)
}

impl Subject {
    /// A command of somebody else's, as `NAME=command`.
    ///
    /// # Errors
    ///
    /// A sentence for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, command) =
            text.split_once('=').ok_or("write NAME='command'")?;
        let words = shlex::split(command).filter(|words| !words.is_empty());
        let words = words.ok_or("after the = comes a command")?;
        if name.is_empty() {
            return Err("before the = comes a name".into());
        }
        Ok(Self { name: name.into(), words, listing: None })
    }
}

impl Lab {
    /// Builds all listings with this profile of cargo's, `release` or `dev`.
    ///
    /// # Errors
    ///
    /// They cannot be built.
    pub fn new(size: Size, profile: &str, also: Vec<Subject>) -> Result<Self> {
        machine::descriptors_max();
        let servers = servers(profile, |_| true)?;
        let cores = Cores::separate();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}");
            let bar = ProgressBar::new_spinner();
            bar.set_style(
                style.unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let progress = Progress { bar, heading: String::new() };
        let machine = Machine::here(profile, cores.is_some());
        let left_out = Vec::new();
        Ok(Self { size, machine, servers, also, cores, left_out, progress })
    }

    /// Makes an experiment. The load, which is the calling thread, stays on
    /// its own core from then on.
    ///
    /// # Errors
    ///
    /// A server does not do what it should.
    pub fn make(&mut self, experiment: &Experiment) -> Result<Results> {
        self.left_out.clear();
        if let Some(cores) = &self.cores {
            Cores::take(&cores.load);
        }
        let before = proc::own_turns();
        self.progress.heading = experiment.name.into();
        let charts = (experiment.make)(self).context(experiment.name)?;
        let turns = proc::own_turns().since(before);
        let wanted = (turns.cpu + turns.delay).as_secs_f64();
        let delay = turns.delay.as_secs_f64() / wanted.max(1e-9);
        let known = cfg!(target_os = "linux") && self.size != Size::Tiny;
        if let Some(bar) = &self.progress.bar {
            bar.finish_and_clear();
        }
        let separate = self.cores.is_some() && !experiment.on_all_cores;
        Ok(Results {
            experiment: experiment.name.into(),
            size: self.pick(["tiny", "quick", "full"]).into(),
            runs: self.runs(),
            machine: Machine { separate, ..self.machine.clone() },
            delay: known.then_some((delay * 1000.0).round() / 1000.0),
            left_out: self.left_out.clone(),
            charts: charts
                .into_iter()
                .filter(|it| !it.series.is_empty())
                .collect(),
        })
    }

    /// How often everything is measured.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.pick([1, 3, 7])
    }

    /// What suits the size: tiny, quick, full.
    pub fn pick<T>(&self, [tiny, quick, full]: [T; 3]) -> T {
        match self.size {
            Size::Tiny => tiny,
            Size::Quick => quick,
            Size::Full => full,
        }
    }

    /// These listings, and whatever else was brought along.
    pub fn servers(&mut self, names: &[&str]) -> Vec<Subject> {
        let mut subjects = self.listings(names);
        subjects.extend(self.also.iter().cloned());
        subjects
    }

    /// Only these listings: the experiment needs the contract's options.
    pub fn listings(&mut self, names: &[&str]) -> Vec<Subject> {
        let mut subjects = Vec::new();
        for &name in names {
            if cfg!(windows) && ["zen-fork", "zen-inetd"].contains(&name) {
                self.leave_out(&format!("{name}: only where there is fork()"));
                continue;
            }
            let Some(listing) = self.servers.find(name) else { continue };
            if let Some(why) = self.servers.cannot_run(listing) {
                self.leave_out(&format!("{name}: {}", why.trim()));
                continue;
            }
            let path = self.servers.program(listing).to_string_lossy();
            let mut words = vec![path.into_owned()];
            if listing.is_inetds() {
                match inetd::before(Mode::Nowait, PORT, &words) {
                    Ok(all) => words = all,
                    Err(err) => {
                        self.leave_out(&format!("{name}: {err}"));
                        continue;
                    }
                }
            }
            let listing = Some(listing.clone());
            subjects.push(Subject { name: name.into(), words, listing });
        }
        subjects
    }

    /// Something is not measured here.
    pub fn leave_out(&mut self, why: &str) {
        if !self.left_out.iter().any(|it| it == why) {
            self.left_out.push(why.into());
        }
    }

    /// Starts a server on the cores that are the servers'.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start(&self, subject: &Subject, options: &[&str]) -> Result<Server> {
        let mut words = subject.words.clone();
        if subject.listing.is_some() {
            words.extend(options.iter().map(|word| word.to_string()));
        }
        if let Some(cores) = &self.cores {
            Cores::take(&cores.server);
        }
        let server = Server::run(&words);
        if let Some(cores) = &self.cores {
            Cores::take(&cores.load);
        }
        server.with_context(|| subject.name.clone())
    }

    /// Gives all cores to everybody, for an experiment that needs them.
    pub fn share_cores(&mut self) {
        if let Some(Cores { server, load }) = self.cores.take() {
            Cores::take(&[server, load].concat());
        }
    }

    /// What the server has used; None, and a remark, where it is not known.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn gauge(&mut self, server: &Server) -> Result<Option<Gauge>> {
        let gauge = gauge::read(server.id())?;
        if gauge.is_none() {
            self.leave_out(gauge::NOT_HERE);
        }
        Ok(gauge)
    }

    /// Its processor time in seconds; None, and a remark, where it is not
    /// known.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn cpu(&mut self, server: &Server) -> Result<Option<f64>> {
        let cpu = gauge::cpu(server.id())?;
        if cpu.is_none() {
            self.leave_out(gauge::NOT_HERE);
        }
        Ok(cpu.map(|cpu| cpu.as_secs_f64()))
    }

    /// Says what is being done.
    pub fn tell(&self, run: usize, what: &str) {
        let Progress { bar, heading } = &self.progress;
        let text = format!("{heading}, run {} of {}", run + 1, self.runs());
        match bar {
            Some(bar) => bar.set_message(format!("{text}: {what}")),
            None => eprintln!("{text}: {what}"),
        }
    }
}
