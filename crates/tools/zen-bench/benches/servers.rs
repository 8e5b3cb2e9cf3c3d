//! How many questions a second each server answers over loopback, a question
//! at a time on each connection. Server and clients share the machine.
//!
//! ```sh
//! cargo bench -p zen-bench --bench servers
//! ```

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;

use zen_bench::listings::{LISTINGS, Programs, RELEASE, build};
use zen_bench::load::{Load, Plan};
use zen_harness::server::Server;

static PROGRAMS: OnceLock<Programs> = OnceLock::new();

fn main() {
    let programs =
        build(&LISTINGS, None, RELEASE).expect("the servers are built");
    PROGRAMS.set(programs).expect("set only here");
    divan::main();
}

#[divan::bench(args = names(1), max_time = 2)]
fn clients_1(bencher: Bencher, name: &str) {
    ask(bencher, name, 1, 200);
}

#[divan::bench(args = names(64), max_time = 2)]
fn clients_64(bencher: Bencher, name: &str) {
    ask(bencher, name, 64, 10);
}

/// The servers that can serve so many at once.
fn names(clients: usize) -> impl Iterator<Item = &'static str> {
    let able = LISTINGS
        .iter()
        .filter(move |listing| clients == 1 || listing.crowd.is_some());
    able.map(|listing| listing.name)
}

fn ask(bencher: Bencher, name: &str, clients: usize, rounds: usize) {
    let program = &PROGRAMS.get().expect("set in main")[name];
    let listing = LISTINGS.iter().find(|listing| listing.name == name);
    let crowd = listing.and_then(|listing| listing.crowd).unwrap_or(&[]);
    let server = Server::start(Command::new(program).args(crowd));
    let server = server.expect("the server starts");
    let mut load = Load::connect(server.address, clients).expect("it listens");
    let time_max = Duration::from_secs(20);
    let plan = Plan { rounds, batch: 1, time_max, ..Plan::default() };
    bencher
        .counter(ItemsCount::new(clients * rounds))
        .bench_local(|| load.ask(plan).expect("every answer comes"));
    drop(load);
    server.stop().expect("it ends by SIGTERM");
}
