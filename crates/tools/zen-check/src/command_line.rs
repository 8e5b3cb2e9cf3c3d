//! The command line: which server is checked, and how much of it.

use clap::{Parser, Subcommand};

use crate::matrix::MatrixOptions;
use zen_check::report::{Format, Profile};
use zen_check::{Architecture, CASES_AT_ONCE, quoted};

/// Check a server against every clause of the contract, and describe its
/// architecture.
///
/// COMMAND is started many times, each time on a port of its own, which
/// replaces {port} in it. If it takes the contract's options, add {options}:
/// cases that need them put `--idle-timeout SECONDS` or `--think MILLISECONDS`
/// there. ZEN_PORT, ZEN_IDLE_TIMEOUT and ZEN_THINK are set as well: a server in
/// Python may take float(os.environ.get("ZEN_THINK", 0)), and needs no {options}
/// then. COMMAND must stay in the foreground.
#[derive(Debug, Parser)]
#[command(name = "zen-check", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) what: Option<What>,

    /// The server: a program and its arguments, after `--`.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,

    /// Check a server that is already running, one case at a time. It gets no
    /// signals, and its process is not inspected.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "command")]
    pub(crate) connect: Option<String>,

    /// Allow an address that is not loopback. Make sure you have permission: a
    /// check sends floods, though bounded ones.
    #[arg(long)]
    pub(crate) allow_remote: bool,

    /// How much is asked: `wire` is bytes and endings; `server` also limits,
    /// crowds, signals and restarts; `listing` also our command line, log and
    /// costs, with all options appended to COMMAND.
    #[arg(long, default_value = "server")]
    pub(crate) profile: Profile,

    /// Check only bytes and endings, in a few seconds: `--profile wire` without
    /// a description of the architecture.
    #[arg(long, conflicts_with = "profile")]
    pub(crate) fast: bool,

    /// Require an architecture: single, pool:N, thread-per-client,
    /// process-per-client, event-loop, loops:N, coroutine, inetd-nowait or
    /// inetd-wait. As the kernel sees it, a coroutine server is an event loop.
    #[arg(long, value_name = "NAME")]
    pub(crate) architecture: Option<Architecture>,

    /// Run only this case, this clause (wire/3), or this group (wire), as far
    /// as it belongs to the profile. May be given several times.
    #[arg(long, value_name = "CASE")]
    pub(crate) case: Vec<String>,

    /// List the cases instead of running them.
    #[arg(long)]
    pub(crate) list: bool,

    /// Derive all random choices from this number, to repeat a run.
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// Use the words that belong to this number instead of the contract's: how
    /// a question and an answer end, how long a question may be, what is
    /// answered. With --list, show them.
    #[arg(long, value_name = "SEED")]
    pub(crate) dialect: Option<u64>,

    /// Run N cases at a time.
    #[arg(long, value_name = "N", default_value_t = CASES_AT_ONCE)]
    pub(crate) jobs: usize,

    /// Build the server first with this shell command. It has a time limit of
    /// its own.
    #[arg(long, value_name = "SHELL COMMAND")]
    pub(crate) build: Option<String>,

    /// Time limit for --build.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) build_time: u64,

    /// Time limit until the server can be connected to.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) start_time: u64,

    /// Time after which no further case is started.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) time: u64,

    /// Write a report: terminal, json, junit, gradescope, classroom50 or
    /// github, into a file, or `-` for standard output. May be given several
    /// times; without it, it is `terminal=-`.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report)]
    pub(crate) report: Vec<(Format, String)>,

    /// Show every failure in full on the terminal, not only the first few.
    #[arg(long)]
    pub(crate) all: bool,

    /// Exit with status 0 whatever the server did, for platforms that read a
    /// report. The checker's own errors still give 2.
    #[arg(long)]
    pub(crate) exit_zero: bool,
}

/// Instead of one server.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Check all servers of the workspace, one after another, and print how
    /// many cases each passes, group by group.
    Matrix(MatrixOptions),

    /// Build programs of the workspace, and print where Cargo has put each of
    /// them, one per line.
    Where {
        /// Their packages.
        #[arg(required = true, value_name = "PACKAGE")]
        packages: Vec<String>,
    },
}

impl Options {
    /// What is examined, as a person would type it.
    pub(crate) fn subject(&self) -> String {
        if let Some(address) = &self.connect {
            return address.clone();
        }
        let words: Vec<_> =
            self.command.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }

    pub(crate) fn profile(&self) -> Profile {
        if self.fast { Profile::Wire } else { self.profile }
    }
}

fn report(text: &str) -> Result<(Format, String), String> {
    match text.split_once('=') {
        Some((format, file)) if !file.is_empty() => {
            Ok((format.parse()?, file.into()))
        }
        _ => Err("it is a format and a file, such as junit=report.xml".into()),
    }
}

const EXAMPLES: &str = "\
Examples:
  zen-check -- python3 server.py {port}
  zen-check --architecture event-loop -- node server.js --port {port} {options}
  zen-check --build 'gcc -O2 -o server server.c' -- ./server {port}
  zen-check --fast --connect 127.0.0.1:1060
  zen-check --case wire/4 -- ./server {port}
  zen-check --exit-zero --report gradescope=results.json -- ./server {port}
  zen-check --profile listing --architecture event-loop -- target/debug/zen-poll

Exit status: 0 if the server passes every case that counts, 1 if it does not, 2
if the command line is wrong or the checker or its machine has failed. For each
case that is left out, the report gives the reason.";
