//! The program under examination: how it is started or reached, what is asked
//! of it, and what has been found out about it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use zen_harness::inetd;
use zen_harness::listing::Listing;

use crate::architecture::Architecture;
use crate::contract::{Dialect, Profile};
use crate::heard::Heard;
use crate::outcome::Observation;
use crate::process::PATIENCE;
use crate::verdict::{Fault, Verdict};

/// How long a server may take until it can be connected to, unless more is
/// allowed.
const START_TIME_MAX: Duration = Duration::from_secs(10);

/// Where a COMMAND is told its port, and the options of a case.
const PORT: &str = "{port}";
const OPTIONS: &str = "{options}";

/// A program that claims to keep the contract.
#[derive(Debug)]
pub struct Program {
    pub(crate) launch: Launch,
    /// How much is asked of it.
    pub profile: Profile,
    pub(crate) architecture: Option<Architecture>,
    /// From which every cut and every order is drawn.
    pub seed: u64,
    /// The words in which the contract is put to it.
    pub dialect: Arc<Dialect>,
    /// How long it may take until it can be connected to.
    pub start_time_max: Duration,
    pub(crate) known: Known,
}

#[derive(Debug)]
pub(crate) enum Launch {
    /// A program with the contract's command line, which says in its log
    /// where it listens.
    Listing(Vec<String>),
    /// Any command, which is told its port.
    Command(Vec<String>),
    /// A server that is running already.
    Running(SocketAddr),
}

/// What is found out once, by the first case that needs it.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// How many silent clients it serves at once; a large number may mean
    /// more.
    pub(crate) at_once: OnceLock<usize>,
    pub(crate) thinks: OnceLock<bool>,
    pub(crate) drops_the_idle: OnceLock<bool>,
    pub(crate) observation: OnceLock<Option<Observation>>,
    /// Whether one slow answer makes another client wait.
    pub(crate) stalls: OnceLock<Option<bool>>,
    /// Its own words, if they are not the contract's.
    pub(crate) heard: OnceLock<Heard>,
    /// If it is slow: how long an answer takes, and when the run has to end.
    pub(crate) slow: OnceLock<(Duration, Instant)>,
}

impl Program {
    /// A listing, examined whole: its program, and options that come before
    /// all others.
    #[must_use]
    pub fn listing(words: Vec<String>, architecture: Architecture) -> Self {
        Self::new(Launch::Listing(words), Profile::Listing, Some(architecture))
    }

    /// A server of the workspace as each of its architectures and variants,
    /// with the words that name them.
    ///
    /// # Errors
    ///
    /// There is no such architecture.
    pub fn variants(
        listing: &Listing,
        program: &Path,
    ) -> Result<Vec<(String, Self)>, String> {
        let mut programs = Vec::new();
        for name in &listing.architectures {
            let architecture: Architecture = name
                .parse()
                .map_err(|err| format!("{}: {name:?}: {err}", listing.name))?;
            for options in &listing.variants {
                let mut words = vec![program.to_string_lossy().into_owned()];
                words.extend(options.iter().cloned());
                if architecture.inetd().is_none() {
                    let title = options.last().cloned().unwrap_or_default();
                    let program = Self::listing(words, architecture);
                    programs.push((title, program));
                } else if cfg!(unix) {
                    // It takes the contract's options, but is no listing.
                    words.push(OPTIONS.into());
                    let (profile, of) = (Profile::Server, Some(architecture));
                    let program = Self::command(words, profile, of);
                    programs.push((name.clone(), program));
                }
            }
        }
        Ok(programs)
    }

    /// Any command. In its words `{port}` stands for the port, and `{options}`
    /// for the contract's options that a case needs.
    #[must_use]
    pub fn command(
        words: Vec<String>,
        profile: Profile,
        architecture: Option<Architecture>,
    ) -> Self {
        Self::new(Launch::Command(words), profile, architecture)
    }

    /// A server that runs already.
    #[must_use]
    pub fn running(
        address: SocketAddr,
        profile: Profile,
        architecture: Option<Architecture>,
    ) -> Self {
        Self::new(Launch::Running(address), profile, architecture)
    }

    fn new(
        launch: Launch,
        profile: Profile,
        architecture: Option<Architecture>,
    ) -> Self {
        Self {
            launch,
            profile,
            architecture,
            seed: 1060,
            dialect: Arc::default(),
            start_time_max: START_TIME_MAX,
            known: Known::default(),
        }
    }

    /// Its log is read, and its command line is known.
    pub(crate) fn is_listing(&self) -> bool {
        matches!(self.launch, Launch::Listing(_))
    }

    /// The name under which it speaks of itself.
    pub(crate) fn name(&self) -> String {
        let (Launch::Listing(words) | Launch::Command(words)) = &self.launch
        else {
            return String::new();
        };
        let path = Path::new(words.first().map_or("", String::as_str));
        let name = path.file_stem().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// How long an answer may take.
    pub(crate) fn patience(&self) -> Duration {
        let slow = self.known.slow.get();
        slow.map_or(PATIENCE, |(time, _)| PATIENCE.max(8 * *time))
    }

    /// A command line of this program, without anything from our environment
    /// that would change what it does; `runner` is another program, such as
    /// `unshare`, that runs it.
    pub(crate) fn command_line(
        &self,
        runner: &[&str],
        port: u16,
        options: &[&str],
    ) -> Verdict<Command> {
        let number = port.to_string();
        let mut words = Vec::new();
        match &self.launch {
            Launch::Running(_) => return Err(no_process()),
            Launch::Listing(program) => {
                words.extend(program.iter().cloned());
                words.extend(options.iter().map(|&word| word.into()));
            }
            Launch::Command(command) => {
                for word in command {
                    if word == OPTIONS {
                        words.extend(options.iter().map(|&word| word.into()));
                    } else {
                        let word = word.replace(PORT, &number);
                        words.push(word.replace(OPTIONS, &options.join(" ")));
                    }
                }
            }
        }
        let words = match self.architecture.and_then(Architecture::inetd) {
            Some(mode) => inetd::before(mode, &number, &words)?,
            None => words,
        };
        let runner = runner.iter().map(|&word| word.to_string());
        let mut words = runner.chain(words);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        // Else the legend pushes what a sanitizer has found out of the report.
        if std::env::var_os("ASAN_OPTIONS").is_none() {
            command.env("ASAN_OPTIONS", "print_legend=0");
        }
        if let Launch::Command(_) = self.launch {
            command.env("ZEN_PORT", &number);
            for pair in options.chunks(2) {
                let name = pair[0].trim_start_matches('-').replace('-', "_");
                let value = pair.get(1).copied().unwrap_or("1");
                command.env(format!("ZEN_{}", name.to_uppercase()), value);
            }
        }
        Ok(command)
    }

    /// The command that runs one case again, for a person to type.
    pub(crate) fn again(&self, case: &str) -> String {
        let mut words = vec!["zen-check".into()];
        let mut add = |option: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|it| [option.into(), it]));
        };
        add("--seed", Some(self.seed.to_string()));
        add("--dialect", self.dialect.seed().map(|it| it.to_string()));
        let start_time = Some(self.start_time_max);
        let start_time = start_time.filter(|&it| it != START_TIME_MAX);
        add("--start-time", start_time.map(|it| it.as_secs().to_string()));
        let profile = Some(self.profile).filter(|&it| it != Profile::Server);
        add("--profile", profile.map(|it| it.name().into()));
        add("--architecture", self.architecture.map(|it| it.to_string()));
        add("--case", Some(case.into()));
        match &self.launch {
            Launch::Running(to) => add("--connect", Some(to.to_string())),
            Launch::Listing(command) | Launch::Command(command) => {
                words.push("--".into());
                words.extend(command.iter().cloned());
            }
        }
        let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }

    /// Its command line says that it takes the contract's options.
    pub(crate) fn has_place_for_options(&self) -> bool {
        match &self.launch {
            Launch::Listing(_) => true,
            Launch::Running(_) => false,
            Launch::Command(words) => {
                words.iter().any(|word| word.contains(OPTIONS))
            }
        }
    }
}

/// A word as a shell wants it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,{}".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

pub(crate) fn no_process() -> Fault {
    Fault::skipped("it needs a server of its own, started by zen-check")
}
