//! What answers cost, next to what the contract ("What it may cost") allows.
//!
//! It measures the marginal cost: each server runs twice, with few and with
//! many rounds on open connections, and the difference counts. So the start and
//! the end of a server are left out.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail, ensure};
use zen_harness::listing::Listing;
use zen_harness::server::Server;
use zen_harness::workspace::Servers;
use zen_harness::{proc, strace};

use zen_bench::lab::servers;
use zen_bench::load::{Load, Plan};
use zen_bench::machine;

/// The contract's bounds hold for this number of clients, all of them busy.
const CROWD: usize = 64;

/// Enough rounds for every buffer to reach its final size.
const ROUNDS_FEW: usize = 20;

/// How long a lone client waits before it asks again. Without a pause its next
/// question would already be there when the server, slow under strace, looks
/// for it, and no server would be seen to wait.
const PAUSE: Duration = Duration::from_millis(1);

/// The two runs of a server do not end in exactly the same way. On a busy
/// machine one of them may wake up a few times more.
const NOISE: f64 = 0.02;

/// The feature that counts allocations and prints the count at the end.
const COUNTING: &str = "zen-utils/count-allocations";

const SILENT_CLIENTS: usize = 9_000;

type Counts = BTreeMap<String, f64>;

/// Counts everything and prints it; false if a bound is exceeded.
pub(crate) fn count(names: &[String], profile: &str) -> Result<bool> {
    let is_wanted = |it: &Listing| {
        !it.is_inetds() && (names.is_empty() || names.contains(&it.name))
    };
    let mut servers = servers(profile, is_wanted)?;
    for name in names {
        ensure!(servers.find(name).is_some(), "no server is called {name}");
    }
    println!("{}", machine::linux()?);
    machine::descriptors_max();
    for listing in std::mem::take(&mut servers.listings) {
        match servers.cannot_run(&listing) {
            Some(why) => println!("Left out: {why}"),
            None => servers.listings.push(listing),
        }
    }
    let mut within_bounds = system_calls(&servers)?;
    within_bounds &= memory(&servers)?;
    let folder = zen_harness::folder!();
    let is_wanted = |it: &Listing| servers.find(&it.name).is_some();
    let counting = Servers::build(&folder, profile, Some(COUNTING), is_wanted);
    within_bounds &= allocations(&counting.map_err(Error::msg)?)?;
    Ok(within_bounds)
}

fn system_calls(servers: &Servers) -> Result<bool> {
    if let Err(why) = strace::version() {
        println!("\nSystem calls: not counted, {why}");
        return Ok(true);
    }
    let mut within_bounds = true;
    for (what, clients, rounds, batch, bounds) in [
        ("an answer, 64 clients busy", CROWD, 300, 1, [2.2, 0.5]),
        ("an answer, one client busy", 1, 1_000, 1, [7.0, 2.1]),
        ("64 answers at once, 64 clients busy", CROWD, 100, 64, [2.2, 0.5]),
    ] {
        println!("\nSystem calls for {what}");
        let able =
            |it: &&Listing| clients == 1 || it.options_for(clients).is_some();
        for listing in servers.listings.iter().filter(able) {
            let words = traced(&servers.words(listing, CROWD));
            let pause = if clients == 1 { PAUSE } else { Duration::ZERO };
            let load = Plan { batch, pause, ..Plan::new(rounds) };
            // The bound for a crowd is for one loop, and this server has two.
            let two = listing.name == "zen-hybrid" && clients == CROWD;
            let clients = if two { 2 * CROWD } else { clients };
            let cost = marginal(&words, clients, load, system_calls_in)
                .context(listing.name.clone())?;
            let mut calls: Vec<_> = cost.iter().collect();
            calls.retain(|(_, calls)| **calls >= 0.005);
            calls.sort_by(|a, b| b.1.total_cmp(a.1));
            let calls = calls.iter().map(|(name, n)| format!("{name} {n:.2}"));
            let calls = calls.collect::<Vec<_>>().join(", ");
            let is_loop = listing.is_plain_loop() || listing.runs_on("own");
            let bound = match is_loop {
                true => Some(bounds[0]),
                false => listing.runs_on("io_uring").then_some(bounds[1]),
            };
            within_bounds &=
                row(listing, 2, cost.values().sum(), bound, &calls);
        }
    }
    Ok(within_bounds)
}

/// The same command under strace, which writes its counts to standard error.
pub(crate) fn traced(words: &[String]) -> Vec<String> {
    let strace = strace::counting("/dev/stderr").map(String::from);
    [&strace, words].concat()
}

pub(crate) fn system_calls_in(errors: &str) -> Result<Counts> {
    let counts = strace::counts(errors);
    let counts = counts.with_context(|| format!("no table: {errors}"))?;
    Ok(counts.into_iter().map(|(name, n)| (name, n as f64)).collect())
}

fn allocations(servers: &Servers) -> Result<bool> {
    let mut within_bounds = true;
    println!("\nAllocations for 10,000 further answers");
    for listing in &servers.listings {
        let words = servers.words(listing, CROWD);
        let clients = if listing.options_for(10).is_some() { 10 } else { 1 };
        let load = Plan::new(10_000 / clients);
        let cost = marginal(&words, clients, load, allocations_in)
            .context(listing.name.clone())?;
        let count = cost.values().sum::<f64>() * 10_000.0;
        let bounded = !listing.has_foreign_runtime();
        let remark = match &*listing.name {
            "zen-fork" => "the parent; its children end without a count",
            _ => "",
        };
        within_bounds &=
            row(listing, 0, count, bounded.then_some(100.0), remark);
    }
    Ok(within_bounds)
}

/// Parses the last line of a server's log: `zen-poll: 27 allocations`.
fn allocations_in(errors: &str) -> Result<Counts> {
    let count = errors.lines().find_map(|line| {
        line.strip_suffix(" allocations")?.rsplit(' ').next()?.parse().ok()
    });
    let count = count.with_context(|| format!("no count in {errors:?}"))?;
    Ok([("allocations".to_string(), count)].into())
}

/// The cost of one more round of a client. `counts` finds the figures in the
/// server's standard error after it has ended.
pub(crate) fn marginal(
    words: &[String],
    clients: usize,
    load: Plan,
    counts: fn(&str) -> Result<Counts>,
) -> Result<Counts> {
    let run = |rounds| -> Result<Counts> {
        let server = Server::run(words)?;
        let mut clients = Load::connect(server.address, clients)?;
        clients.ask(Plan { rounds, ..load })?;
        drop(clients);
        counts(&server.stop()?)
    };
    let few = run(ROUNDS_FEW)?;
    let mut cost = run(ROUNDS_FEW + load.rounds)?;
    for (name, count) in &mut cost {
        *count -= few.get(name).unwrap_or(&0.0);
        *count /= (clients * load.rounds) as f64;
    }
    Ok(cost)
}

fn memory(servers: &Servers) -> Result<bool> {
    let mut within_bounds = true;
    println!("\nBytes of memory for each of {SILENT_CLIENTS} silent clients");
    for listing in &servers.listings {
        let bound = match listing {
            it if it.is_plain_loop() || it.runs_on("io_uring") => 400.0,
            it if it.runtime.is_some() => 2048.0,
            _ => continue,
        };
        let program = servers.program(listing);
        let server = Server::start(&mut Command::new(program))?;
        // The first client pays for what all clients share.
        Load::connect(server.address, 1)?.ask(Plan::new(1))?;
        let before = settled_memory(&server)?;
        let silent = Load::connect(server.address, SILENT_CLIENTS)?;
        // It is accepted after all the others, and still gets its answers.
        Load::connect(server.address, 1)?.ask(Plan::new(1))?;
        let after = settled_memory(&server)?;
        drop(silent);
        server.stop()?;
        let bytes = (after - before) / SILENT_CLIENTS as f64;
        within_bounds &= row(listing, 0, bytes, Some(bound), "");
    }
    Ok(within_bounds)
}

/// The memory that the process has filled itself (`RssAnon`), once it stops
/// changing: a runtime may still be busy with the last clients.
fn settled_memory(server: &Server) -> Result<f64> {
    let mut last = 0.0;
    let mut times_the_same = 0;
    for _ in 0..200 {
        thread::sleep(Duration::from_millis(50));
        let bytes = proc::memory(server.id())? as f64;
        times_the_same = if bytes == last { times_the_same + 1 } else { 0 };
        last = bytes;
        if times_the_same == 5 {
            return Ok(bytes);
        }
    }
    bail!("the memory of the server does not stay the same")
}

/// Prints a figure and its bound; false if the figure is above the bound.
fn row(
    listing: &Listing,
    places: usize,
    figure: f64,
    bound: Option<f64>,
    remark: &str,
) -> bool {
    let within_bound = bound.is_none_or(|bound| figure <= bound + NOISE);
    let unit = 10_f64.powf(places as f64);
    // Adding 0 turns a -0 from rounding into 0, which has no sign.
    let figure = (figure * unit).round() / unit + 0.0;
    let bound = match bound {
        Some(bound) if within_bound => format!("at most {bound}"),
        Some(bound) => format!("NOT at most {bound}"),
        None => "no bound".into(),
    };
    let line =
        format!("  {:14}{figure:8.places$}  {bound:16}{remark}", listing.name);
    println!("{}", line.trim_end());
    within_bound
}
