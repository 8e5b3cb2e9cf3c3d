//! The server's processor time for an answer, compared with a bare epoll loop.
//!
//! Such a time includes whatever else the machine does. So a server and the
//! loop take turns, each pair gives a ratio, and the median counts. The loop is
//! also compared with itself, to show the noise.

use std::env;
use std::process::Command;

use anyhow::{Result, ensure};
use zen_harness::listing::Listing;
use zen_harness::proc;
use zen_harness::server::Server;

use zen_bench::lab::servers;
use zen_bench::load::{Load, Plan};
use zen_bench::machine;
use zen_bench::results::{Point, median};

const CLIENTS: usize = 64;

/// A bound of the lab's own, for servers with a hand-written loop.
const RATIO_MAX: f64 = 1.10;
const BOUNDED: [&str; 3] = ["zen-poll", "zen-callback", "zen-executor"];

const LOOP: &str = "bare loop";

struct Busy {
    server: Server,
    load: Load,
}

/// Measures and prints; false if a bound is exceeded.
pub(crate) fn measure(names: &[String], pairs: u16) -> Result<bool> {
    // In a blocking server each client has a thread or a process, or is the
    // only client. So there is no wait to share.
    let is_wanted = |it: &Listing| {
        (it.is_plain_loop() || it.runtime.is_some())
            && (names.is_empty() || names.contains(&it.name))
    };
    let servers = servers("release", is_wanted)?;
    for name in names {
        let known = servers.find(name).is_some();
        ensure!(known, "no event-driven server is called {name}");
    }
    println!("{}", machine::linux()?);
    let mut within_bounds = true;
    for (what, batch, rounds) in
        [("asked one at a time", 1, 200), ("asked 16 at once", 16, 100)]
    {
        println!(
            "\nProcessor time for an answer, {CLIENTS} clients busy, {what}:\n\
             median of {pairs} pairs with the bare loop, and how they spread"
        );
        let mut bare = Busy::start(&mut bare_loop(batch)?)?;
        let mut row = |name: &str, command: &mut Command| -> Result<bool> {
            let mut busy = Busy::start(command)?;
            let (mut ratios, mut times) = (Vec::new(), Vec::new());
            for pair in 0..pairs {
                let time = |which: &mut Busy| which.time(batch, rounds);
                // They swap places, so that neither always runs first.
                let (own, of_loop) = if pair % 2 == 0 {
                    let own = time(&mut busy)?;
                    (own, time(&mut bare)?)
                } else {
                    let of_loop = time(&mut bare)?;
                    (time(&mut busy)?, of_loop)
                };
                ratios.push(own / of_loop);
                times.push(own);
            }
            Ok(print_row(name, ratios, &times))
        };
        row(LOOP, &mut bare_loop(batch)?)?;
        for listing in &servers.listings {
            let mut command = Command::new(servers.program(listing));
            within_bounds &= row(&listing.name, &mut command)?;
        }
    }
    Ok(within_bounds)
}

fn bare_loop(batch: usize) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["bare-loop", "--batch", &batch.to_string()]);
    Ok(command)
}

impl Busy {
    fn start(command: &mut Command) -> Result<Self> {
        let server = Server::start(command)?;
        let load = Load::connect(server.address, CLIENTS)?;
        Ok(Self { server, load })
    }

    /// Nanoseconds of processor time that an answer takes.
    fn time(&mut self, batch: usize, rounds: usize) -> Result<f64> {
        let plan = Plan { batch, ..Plan::new(rounds) };
        self.load.ask(Plan { rounds: 5, ..plan })?;
        let before = self.processor_time()?;
        let answers = self.load.ask(plan)?;
        Ok((self.processor_time()? - before) / answers as f64)
    }

    fn processor_time(&self) -> Result<f64> {
        Ok(proc::cpu_time(self.server.id())?.as_nanos() as f64)
    }
}

fn print_row(name: &str, ratios: Vec<f64>, times: &[f64]) -> bool {
    let time = median(times).unwrap_or(0.0);
    let point = Point { x: 0.0, values: ratios };
    let (ratio, (least, most)) = (point.median(), point.spread());
    let bounded = BOUNDED.contains(&name);
    let within_bound = !bounded || ratio <= RATIO_MAX;
    let bound = match (bounded, within_bound) {
        (false, _) => "no bound".into(),
        (true, true) => format!("at most {RATIO_MAX:.2}"),
        (true, false) => format!("NOT at most {RATIO_MAX:.2}"),
    };
    println!(
        "  {name:14}{ratio:6.2}  {least:5.2} to {most:5.2}  {bound:16} \
         {:6.2} µs",
        time / 1000.0
    );
    within_bound
}
