//! How many questions a second each server answers over loopback, a question
//! at a time on each connection. Server and clients share the machine.
//!
//! ```sh
//! cargo bench -p zen-bench --bench servers
//! ```

use std::sync::OnceLock;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;

use zen_bench::lab::servers;
use zen_bench::load::{Load, Plan};
use zen_harness::listing::Listing;
use zen_harness::server::Server;
use zen_harness::workspace::Servers;

static SERVERS: OnceLock<Servers> = OnceLock::new();

fn main() {
    let servers = servers("release", |it| !it.is_inetds());
    let servers = servers.expect("the servers are built");
    SERVERS.set(servers).expect("set only here");
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

fn built() -> &'static Servers {
    SERVERS.get().expect("set in main")
}

/// The servers that can serve so many at once.
fn names(clients: usize) -> impl Iterator<Item = &'static str> {
    let able =
        move |it: &&Listing| clients == 1 || it.options_for(clients).is_some();
    built().listings.iter().filter(able).map(|it| &*it.name)
}

fn ask(bencher: Bencher, name: &str, clients: usize, rounds: usize) {
    let listing = built().find(name).expect("it is one of the names");
    let words = built().words(listing, 64);
    let server = Server::run(&words);
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
