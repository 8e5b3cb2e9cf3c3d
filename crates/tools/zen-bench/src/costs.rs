//! What answers cost, beside what the contract ("What it may cost") allows.
//!
//! The marginal cost: each server is run twice, with few and with many rounds
//! on connections that stay open, and the difference counts. So neither the
//! start nor the end of a server is in it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use zen_harness::server::Server;
use zen_harness::{proc, strace};

use zen_bench::listings::{LISTINGS, Listing, Programs, RELEASE, build};
use zen_bench::load::{Load, Plan};
use zen_bench::machine::descriptors_max;

const EVENT_DRIVEN: [&str; 4] =
    ["zen-poll", "zen-callback", "zen-asyncore", "zen-hybrid"];
const COMPLETIONS: &str = "zen-uring";
const RUNTIMES: [&str; 3] = ["zen-coroutine", "zen-async-std", "zen-tokio"];

/// Coroutines as well; but what runs them is the listing's own.
const EXECUTOR: &str = "zen-executor";

/// No run takes a tenth of this.
const TIME_MAX: Duration = Duration::from_secs(120);

/// So many clients, every one of them busy, are the contract's measure.
const CROWD: usize = 64;

/// Enough for every buffer to have the size that it keeps.
const ROUNDS_FEW: usize = 20;

/// A client that is alone waits so long before it asks again. Else its next
/// question would be there already when the server, which is slow while it is
/// traced, looks for it, and no server would be seen to wait.
const PAUSE: Duration = Duration::from_millis(1);

/// The two runs of a server do not end in quite the same way, and on a busy
/// machine one of them may wake up a few times more.
const NOISE: f64 = 0.02;

/// Counts allocations, and prints the count at the end.
const COUNTING: &str = "zen-utils/count-allocations";

const SILENT_CLIENTS: usize = 9_000;

/// What was counted in one run, by name.
type Counts = BTreeMap<String, f64>;

/// Counts everything and prints it; false if a bound was passed.
pub(crate) fn count(names: &[String]) -> Result<bool> {
    for name in names {
        let known = LISTINGS.iter().any(|listing| listing.name == name);
        ensure!(known, "no server is called {name}");
    }
    let mut listings = LISTINGS.to_vec();
    listings.retain(|listing| {
        names.is_empty() || names.iter().any(|name| name == listing.name)
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cores = thread::available_parallelism()?;
    println!("{cores} cores, Linux {}", kernel.trim());
    descriptors_max();
    let programs = build(&listings, None, RELEASE)?;
    listings.retain(|listing| runs_here(listing, &programs));
    let mut within_bounds = system_calls(&listings, &programs)?;
    within_bounds &= memory(&listings, &programs)?;
    let programs = build(&listings, Some(COUNTING), RELEASE)?;
    within_bounds &= allocations(&listings, &programs)?;
    Ok(within_bounds)
}

/// A server that a sandbox forbids io_uring is left out, with its reason.
fn runs_here(listing: &Listing, programs: &Programs) -> bool {
    if listing.name != COMPLETIONS {
        return true;
    }
    let server = Server::start(&mut Command::new(&programs[listing.name]));
    let ended = server.context("it does not start").and_then(|server| {
        let asked = Load::connect(server.address, 1)
            .and_then(|mut client| client.ask(plan(1)));
        server.stop()?;
        asked
    });
    match ended {
        Err(err) if format!("{err:#}").contains("no io_uring") => {
            println!("Left out: {err:#}");
            false
        }
        // Whatever else is wrong will be found.
        _ => true,
    }
}

fn system_calls(listings: &[Listing], programs: &Programs) -> Result<bool> {
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
        let able = |listing: &&Listing| clients == 1 || listing.crowd.is_some();
        for listing in listings.iter().filter(able) {
            let words = traced(&words_of(listing, programs));
            let pause = if clients == 1 { PAUSE } else { Duration::ZERO };
            let load = Plan { rounds, batch, pause, time_max: TIME_MAX };
            // The crowd is one loop's measure, and this server has two.
            let two = listing.name == "zen-hybrid" && clients == CROWD;
            let clients = if two { 2 * CROWD } else { clients };
            let cost = marginal(&words, clients, load, system_calls_in)
                .context(listing.name)?;
            let mut calls: Vec<_> = cost.iter().collect();
            calls.retain(|(_, calls)| **calls >= 0.005);
            calls.sort_by(|a, b| b.1.total_cmp(a.1));
            let calls = calls.iter().map(|(name, n)| format!("{name} {n:.2}"));
            let calls = calls.collect::<Vec<_>>().join(", ");
            let bound = match listing.name {
                name if EVENT_DRIVEN.contains(&name) => Some(bounds[0]),
                EXECUTOR => Some(bounds[0]),
                COMPLETIONS => Some(bounds[1]),
                _ => None,
            };
            within_bounds &=
                row(listing, 2, cost.values().sum(), bound, &calls);
        }
    }
    Ok(within_bounds)
}

/// The same command under strace, which counts on standard error.
pub(crate) fn traced(words: &[String]) -> Vec<String> {
    let strace = strace::counting("/dev/stderr").map(String::from);
    [&strace, words].concat()
}

/// The system calls of a server that has ended.
pub(crate) fn system_calls_in(errors: &str) -> Result<Counts> {
    let counts = strace::counts(errors);
    let counts = counts.with_context(|| format!("no table: {errors}"))?;
    Ok(counts.into_iter().map(|(name, n)| (name, n as f64)).collect())
}

fn allocations(listings: &[Listing], programs: &Programs) -> Result<bool> {
    let mut within_bounds = true;
    println!("\nAllocations for 10,000 further answers");
    for listing in listings {
        let words = words_of(listing, programs);
        let clients = if listing.crowd.is_some() { 10 } else { 1 };
        let load = plan(10_000 / clients);
        let cost = marginal(&words, clients, load, allocations_in)
            .context(listing.name)?;
        let count = cost.values().sum::<f64>() * 10_000.0;
        let bounded = !RUNTIMES.contains(&listing.name);
        let remark = match listing.name {
            "zen-fork" => "the parent; its children end without a count",
            _ => "",
        };
        within_bounds &=
            row(listing, 0, count, bounded.then_some(100.0), remark);
    }
    Ok(within_bounds)
}

/// The server's last words: `zen-poll: 27 allocations`.
fn allocations_in(errors: &str) -> Result<Counts> {
    let count = errors.lines().find_map(|line| {
        line.strip_suffix(" allocations")?.rsplit(' ').next()?.parse().ok()
    });
    let count = count.with_context(|| format!("no count in {errors:?}"))?;
    Ok([("allocations".to_string(), count)].into())
}

/// The command of a listing that serves a crowd, if it can.
fn words_of(listing: &Listing, programs: &Programs) -> Vec<String> {
    let program = programs[listing.name].to_string_lossy().into_owned();
    let crowd = listing.crowd.unwrap_or(&[]).iter();
    [program].into_iter().chain(crowd.map(|it| it.to_string())).collect()
}

/// What one more round of a client costs, in whatever `counts` finds on
/// standard error after the server has ended.
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

fn memory(listings: &[Listing], programs: &Programs) -> Result<bool> {
    let mut within_bounds = true;
    println!("\nBytes of memory for each of {SILENT_CLIENTS} silent clients");
    for listing in listings {
        let bound = match listing.name {
            name if EVENT_DRIVEN.contains(&name) => 400.0,
            COMPLETIONS => 400.0,
            name if RUNTIMES.contains(&name) || name == EXECUTOR => 2048.0,
            _ => continue,
        };
        let program = &programs[listing.name];
        let server = Server::start(&mut Command::new(program))?;
        // Whatever the first client costs, the others share.
        Load::connect(server.address, 1)?.ask(plan(1))?;
        let before = settled_memory(&server)?;
        let silent = Load::connect(server.address, SILENT_CLIENTS)?;
        // Accepted after all of them; and it is served as ever.
        Load::connect(server.address, 1)?.ask(plan(1))?;
        let after = settled_memory(&server)?;
        drop(silent);
        server.stop()?;
        let bytes = (after - before) / SILENT_CLIENTS as f64;
        within_bounds &= row(listing, 0, bytes, Some(bound), "");
    }
    Ok(within_bounds)
}

/// The memory that the process has filled itself (`RssAnon`), once it stays
/// the same: a runtime may still be busy with the last clients.
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

/// Prints a figure and its bound; false if it is above that.
fn row(
    listing: &Listing,
    places: usize,
    figure: f64,
    bound: Option<f64>,
    remark: &str,
) -> bool {
    let within_bound = bound.is_none_or(|bound| figure <= bound + NOISE);
    let unit = 10_f64.powf(places as f64);
    // Without a sign: adding 0 makes 0 of what was rounded to -0.
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

/// A question at a time.
fn plan(rounds: usize) -> Plan {
    Plan { rounds, batch: 1, pause: Duration::ZERO, time_max: TIME_MAX }
}
