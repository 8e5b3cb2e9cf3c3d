//! `zen-bench load`: loads any server, and reports.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use zen_harness::listing::Listing;
use zen_harness::server::Server;
use zen_harness::strace;

use crate::costs;
use zen_bench::cores::Cores;
use zen_bench::drive::{Outcome, QUESTIONS_MAX};
use zen_bench::gauge;
use zen_bench::lab::{Subject, servers};
use zen_bench::load::{Load, Plan};
use zen_bench::machine::Machine;
use zen_bench::progress;
use zen_bench::schedule::{Order, Pace};

mod report;

use report::{Report, quantiles, saturated};

/// Limits for a server that zen-bench did not start.
const STRANGER_CLIENTS_MAX: usize = 64;
const STRANGER_QUESTIONS_MAX: u64 = 1_000_000;

/// Limits for a server on another machine.
const REMOTE_CLIENTS_MAX: usize = 8;
const REMOTE_RATE_MAX: f64 = 100.0;

/// What to load, and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Listings, such as zen-poll
    servers: Vec<String>,

    /// Another server: any command that keeps the contract, with {port} for
    /// the port on which it has to listen
    #[arg(long, value_name = "NAME='COMMAND'", value_parser = Subject::parse)]
    also: Vec<Subject>,

    /// A server that is already running; it gets only a small load
    #[arg(long, value_name = "ADDRESS")]
    connect: Option<SocketAddr>,

    /// Allow that server to be on another machine, which has to be yours; it
    /// gets at most 100 questions a second
    #[arg(long, requires_all = ["connect", "rate"])]
    not_loopback: bool,

    /// Run N clients concurrently
    #[arg(short, long, value_name = "N", default_value_t = 16)]
    clients: usize,

    /// Let each client ask N questions at once
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    batch: usize,

    /// Ask N questions a second, whatever the server does (an open loop);
    /// without this, each client asks when it is answered (a closed loop)
    #[arg(short, long, value_name = "N")]
    rate: Option<f64>,

    /// Duration of the load, at most 600 seconds
    #[arg(
        short, long, value_name = "SECONDS", default_value = "2",
        value_parser = zen_bench::load::seconds
    )]
    seconds: Duration,

    /// Ask at most N questions
    #[arg(short, long, value_name = "N", default_value_t = QUESTIONS_MAX)]
    questions: u64,

    /// Cargo profile of the listings: release or dev
    #[arg(long, default_value = "release")]
    profile: String,

    /// Also count system calls, in a separate run under strace (Linux only)
    #[arg(long)]
    system_calls: bool,

    /// Write the results to this file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Loads each server in turn, and prints a report.
pub(crate) fn run(options: &Options) -> Result<()> {
    let subjects = subjects(options)?;
    refuse(options)?;
    zen_bench::machine::descriptors_max();
    let cores = Cores::separate().filter(|_| options.connect.is_none());
    let separate = cores.is_some();
    let mut reports = Vec::new();
    if let Some(address) = options.connect {
        let name = address.to_string();
        reports.push(measure(options, &name, address, None, false)?);
    }
    for subject in subjects {
        let server = Cores::start(cores.as_ref(), &subject.words)
            .context(subject.name.clone())?;
        let (name, address) = (&subject.name, server.address);
        let mut report =
            measure(options, name, address, Some(&server), separate)?;
        server.stop().context(subject.name.clone())?;
        if options.system_calls {
            let calls = system_calls(options, &subject)?;
            report.system_calls_an_answer = calls;
        }
        reports.push(report);
    }
    for report in &reports {
        print!("{}", report.text());
    }
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&reports)? + "\n";
        std::fs::write(path, text)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The servers to load, and the command that starts each of them.
fn subjects(options: &Options) -> Result<Vec<Subject>> {
    let some = options.servers.len() + options.also.len() > 0;
    ensure!(
        some || options.connect.is_some(),
        "name a server, such as: zen-bench load zen-poll"
    );
    let mut subjects = Vec::new();
    if !options.servers.is_empty() {
        let wanted = |it: &Listing| options.servers.contains(&it.name);
        let servers = servers(&options.profile, wanted)?;
        for name in &options.servers {
            let listing = servers.find(name).filter(|it| !it.is_inetds());
            let listing = listing.with_context(|| {
                format!("no server is called {name} (see --also)")
            })?;
            ensure!(
                listing.options_for(options.clients).is_some()
                    || options.clients == 1,
                "{name} serves one client at a time: --clients 1"
            );
            let words = servers.words(listing, options.clients);
            let (name, listing) = (name.clone(), Some(listing.clone()));
            subjects.push(Subject { name, words, listing });
        }
    }
    subjects.extend(options.also.iter().cloned());
    Ok(subjects)
}

/// Keeps a user from flooding a server that may be someone else's.
fn refuse(options: &Options) -> Result<()> {
    ensure!(options.clients > 0, "--clients must be at least 1");
    let Some(address) = options.connect else { return Ok(()) };
    let Options { clients, questions, rate, .. } = *options;
    ensure!(
        clients <= STRANGER_CLIENTS_MAX,
        "a server that zen-bench did not start gets at most \
         {STRANGER_CLIENTS_MAX} clients"
    );
    ensure!(
        questions <= STRANGER_QUESTIONS_MAX || questions == QUESTIONS_MAX,
        "a server that zen-bench did not start gets at most \
         {STRANGER_QUESTIONS_MAX} questions"
    );
    ensure!(
        address.ip().is_loopback() || options.not_loopback,
        "{address} is not a loopback address; see --not-loopback"
    );
    if !address.ip().is_loopback() {
        ensure!(
            clients <= REMOTE_CLIENTS_MAX
                && rate.is_some_and(|rate| rate <= REMOTE_RATE_MAX),
            "another machine gets at most {REMOTE_CLIENTS_MAX} clients and \
             {REMOTE_RATE_MAX} questions a second"
        );
    }
    Ok(())
}

fn measure(
    options: &Options,
    name: &str,
    address: SocketAddr,
    server: Option<&Server>,
    separate: bool,
) -> Result<Report> {
    let connect = match options.not_loopback {
        true => Load::connect_anywhere,
        false => Load::connect,
    };
    let mut load = connect(address, options.clients)?;
    let questions_max = match server {
        Some(_) => options.questions,
        None => options.questions.min(STRANGER_QUESTIONS_MAX),
    };
    let order = Order {
        pace: options.rate.map_or(Pace::Closed, Pace::Open),
        batch: options.batch,
        time: options.seconds,
        questions_max,
    };
    let read = || -> Result<_> {
        let Some(server) = server else { return Ok(Default::default()) };
        let turns = gauge::turns(server.id());
        Ok((gauge::read(server.id())?, turns))
    };
    let (before, turns_before) = read()?;
    let outcome = load.drive(&order, &mut shows(name));
    progress::end();
    let outcome = outcome.context(name.to_string())?;
    let (after, turns_after) = read()?;
    let questions = outcome.answers.max(1) as f64;
    let each = |value: Option<f64>| value.map(|value| value / questions);
    let both = before.zip(after);
    let cpu = both.map(|(from, to)| (to.cpu - from.cpu).as_secs_f64() * 1e6);
    let switches = both.map(|(from, to)| {
        to.context_switches.saturating_sub(from.context_switches) as f64
    });
    let busiest = gauge::busiest(&turns_before, &turns_after);
    let load_wanted = gauge::wanted(outcome.own, outcome.elapsed);
    let server_wanted = after.map(|_| gauge::wanted(busiest, outcome.elapsed));
    Ok(Report {
        server: name.into(),
        machine: Machine::here(&options.profile, separate),
        clients: options.clients,
        batch: options.batch,
        offered_rate: options.rate,
        seconds: outcome.elapsed.as_secs_f64(),
        answers: outcome.answers,
        unanswered: outcome.unanswered,
        answers_a_second: outcome.rate(),
        latency: quantiles(&outcome.latency),
        latency_since_sent: quantiles(&outcome.since_sent),
        load_cpu_us_a_question: outcome.own.cpu.as_secs_f64() * 1e6 / questions,
        server_cpu_us_an_answer: each(cpu),
        load_wanted,
        server_wanted,
        saturated: saturated(load_wanted, server_wanted, outcome.own),
        after,
        context_switches_an_answer: each(switches),
        system_calls_an_answer: None,
    })
}

/// Prints the progress once a second.
fn shows(name: &str) -> impl FnMut(&Outcome) {
    let (mut shown, mut answers) = (Instant::now(), 0);
    move |so_far| {
        let since = shown.elapsed();
        if since >= Duration::from_secs(1) {
            let rate = (so_far.answers - answers) as f64 / since.as_secs_f64();
            let [half, late] = [0.5, 0.99].map(|it| so_far.quantile(it) * 1e6);
            (shown, answers) = (Instant::now(), so_far.answers);
            progress::tell(&format!(
                "{name}: {rate:.0} answers a second; latency 50 % {half:.0} \
                 µs, 99 % {late:.0} µs"
            ));
        }
    }
}

fn system_calls(
    options: &Options,
    subject: &Subject,
) -> Result<Option<BTreeMap<String, f64>>> {
    if let Err(why) = strace::version() {
        println!("System calls: not counted, {why}");
        return Ok(None);
    }
    let words = costs::traced(&subject.words);
    let rounds = 4_000 / options.clients + 1;
    let plan = Plan { batch: options.batch, ..Plan::new(rounds) };
    let count = costs::system_calls_in;
    let mut cost = costs::marginal(&words, options.clients, plan, count)?;
    cost.retain(|_, calls| *calls >= 0.005);
    cost.values_mut().for_each(|calls| *calls /= options.batch as f64);
    Ok(Some(cost))
}
