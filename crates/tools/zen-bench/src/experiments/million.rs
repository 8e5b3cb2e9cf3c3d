//! As many silent clients as the machine can hold.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use zen_harness::server::Server;

use crate::holders::{Holder, addresses};
use crate::lab::Lab;
use crate::machine::descriptors_max;
use crate::results::{Charts, Point};
use crate::words::count;

/// This many clients connect before the server is asked whether it has accepted
/// them all. They fit into its queue.
const STEP: usize = 2_000;

/// The most clients of one client process. With three addresses each needs less
/// than half of the ports that the system hands out.
const HELD_MAX: usize = 19_800;

/// Descriptors of a process that do not belong to clients.
const DESCRIPTORS_OTHER: usize = 100;

const HOLDERS_MAX: usize = 60;
const FRESH: usize = 50;
const TIME_MAX: Duration = Duration::from_secs(200);

const SERVER: &str = "server";
const KERNEL: &str = "kernel, both ends";
const ONE: &str = "one address";
const THREE: &str = "three addresses";

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    lab.make_once();
    if cfg!(target_os = "linux") {
        hold(lab, charts)?;
        connect(lab, charts)?;
    } else {
        lab.leave_out("only Linux has enough loopback addresses");
    }
    Ok(())
}

/// Holds more and more clients, and measures at some sizes of the crowd.
fn hold(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    let crowds: &[usize] = lab.pick([
        &[60][..],
        &[1_000, 4_000],
        &[1_000, 10_000, 100_000, 300_000, 1_000_000],
    ]);
    let target = crowds[crowds.len() - 1];
    for run in 0..lab.runs() {
        for subject in lab.listings("zen-hybrid") {
            let held_max = held_max();
            let loops = (target / held_max).min(HOLDERS_MAX) * 8 / 7 + 2;
            let most = (loops * held_max).to_string();
            let loops = loops.to_string();
            let mut options = vec!["--share", "processes"];
            options.extend(["--backlog", "4096", "--loops", &loops]);
            options.extend(["--max-clients", &most]);
            let server = lab.start(&subject, &options)?;
            // Sockets, descriptors, and everything else that the kernel
            // allocates in small pieces.
            let kernel = meminfo("Slab:");
            let mut crowd = Crowd::new(&server, held_max);
            for &size in crowds {
                lab.tell(run, &format!("{size} silent clients"));
                let limit = crowd.grow(size).err();
                let x = crowd.held as f64;
                let both = meminfo("Slab:").saturating_sub(kernel);
                let time = crowd.time.as_secs_f64();
                charts.record("taken", &subject.name, x, time);
                charts.record("memory", KERNEL, x, both as f64 / 1e6);
                let own = lab.gauge(&server)?.map(|it| it.memory as f64 / 1e6);
                charts.record("memory", SERVER, x, own);
                for (series, value) in fresh(server.address)? {
                    charts.record("wait", series, x, value * 1e6);
                }
                if let Some(limit) = limit {
                    let most = count(x);
                    lab.leave_out(&format!(
                        "more than {most} clients, because of {limit}"
                    ));
                    break;
                }
            }
            drop(crowd);
            server.stop()?;
        }
    }
    Ok(())
}

fn held_max() -> usize {
    let descriptors = descriptors_max().unwrap_or(256).try_into();
    let descriptors: usize = descriptors.unwrap_or(usize::MAX);
    descriptors.saturating_sub(DESCRIPTORS_OTHER).clamp(1, HELD_MAX)
}

/// All silent clients of a server, held by client processes.
struct Crowd<'a> {
    server: &'a Server,
    holders: Vec<Holder>,
    held_max: usize,
    held: usize,
    /// The time from connecting the first client to the last.
    time: Duration,
}

impl<'a> Crowd<'a> {
    fn new(server: &'a Server, held_max: usize) -> Self {
        let (holders, time) = (Vec::new(), Duration::ZERO);
        Self { server, holders, held_max, held: 0, time }
    }

    /// Adds clients up to this number. The error names the limit reached.
    fn grow(&mut self, size: usize) -> Result<()> {
        let begun = Instant::now();
        let before = self.time;
        while self.held < size {
            let room = self.holders.len() * self.held_max - self.held;
            if room == 0 {
                let number = self.holders.len();
                ensure!(
                    number < HOLDERS_MAX,
                    "the descriptors, {} in each of {number} client processes",
                    self.held_max
                );
                let from = addresses(number.try_into()?, 3);
                let holder = Holder::start(self.server.address, &from)?;
                self.holders.push(holder);
                continue;
            }
            let more = STEP.min(room).min(size - self.held);
            let Some(holder) = self.holders.last_mut() else { continue };
            holder.connect(more)?;
            // It is served after all of them.
            answer_times(self.server.address)?;
            self.held += more;
            self.time = before + begun.elapsed();
            ensure!(
                self.time < TIME_MAX,
                "the time, at most {} s",
                TIME_MAX.as_secs()
            );
            ensure!(
                meminfo("MemAvailable:") > meminfo("MemTotal:") / 8,
                "the memory, of which an eighth stays available"
            );
        }
        Ok(())
    }
}

/// The time from connecting to the first answer, and that of a second answer.
fn answer_times(server: SocketAddr) -> Result<[f64; 2]> {
    let begun = Instant::now();
    let mut sock = TcpStream::connect(server)?;
    sock.set_nodelay(true)?;
    sock.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut answer = |begun: Instant| -> Result<f64> {
        sock.write_all(b"Simple is better than?")?;
        let mut answer = [0; 8];
        sock.read_exact(&mut answer)?;
        ensure!(&answer == b"Complex.", "{:?}", answer.escape_ascii());
        Ok(begun.elapsed().as_secs_f64())
    };
    Ok([answer(begun)?, answer(Instant::now())?])
}

fn fresh(server: SocketAddr) -> Result<[(&'static str, f64); 4]> {
    let times: Result<Vec<_>> =
        (0..FRESH).map(|_| answer_times(server)).collect();
    let times = times?;
    let [first, second] = [0, 1].map(|which| Point {
        x: 0.0,
        values: times.iter().map(|times| times[which]).collect(),
    });
    Ok([
        ("first answer, median", first.median()),
        ("first answer, worst", first.spread().1),
        ("second answer, median", second.median()),
        ("second answer, worst", second.spread().1),
    ])
}

/// The cost of each further client for its own process, if all come from one
/// address, and if they come from three.
fn connect(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    let clients = lab.pick([60, 4_000, 18_000]).min(held_max());
    for run in 0..lab.runs() {
        for subject in lab.listings("zen-hybrid") {
            for (count, series) in [(1, ONE), (3, THREE)] {
                lab.tell(run, &format!("{clients} clients, {series}"));
                let options = ["--loops", "1", "--backlog", "4096"];
                let server = lab.start(&subject, &options)?;
                let number = HOLDERS_MAX.try_into()?;
                let from = addresses(number, count);
                let mut holder = Holder::start(server.address, &from)?;
                for held in (0..clients).step_by(STEP) {
                    let more = STEP.min(clients - held);
                    let time = holder.connect(more)?.as_secs_f64();
                    answer_times(server.address)?;
                    let x = (held + more) as f64;
                    let cost = time / more as f64 * 1e6;
                    charts.record("ports", series, x, cost);
                }
                drop(holder);
                server.stop()?;
            }
        }
    }
    Ok(())
}

/// The line of /proc/meminfo with this name, in bytes.
fn meminfo(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|it| it.parse().ok()).map_or(0, |kib: u64| kib * 1024)
}
