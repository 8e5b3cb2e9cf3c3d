//! What a server has used: processor time, memory, threads, and so on, as the
//! kernel keeps it. On systems without /proc nothing is known, and what depends
//! on it is left out.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use zen_harness::proc::{self, Turns};

/// Said where something is left out for want of /proc.
pub const NOT_HERE: &str = "only Linux tells what a process has used";

/// Of a server: all its processes together.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Gauge {
    /// Processor time so far, that of children which have ended included.
    pub cpu: Duration,
    /// Bytes of memory; what processes share is shared out (PSS).
    pub memory: u64,
    pub threads: u64,
    /// Zombies included.
    pub processes: u64,
    pub descriptors: u64,
    /// Of the threads that live.
    pub context_switches: u64,
}

impl Gauge {
    /// What it counts, by the names that charts have for it.
    pub fn counts(&self) -> [(&'static str, u64); 4] {
        [
            ("processes", self.processes),
            ("threads", self.threads),
            ("descriptors", self.descriptors),
            ("memory", self.memory),
        ]
    }
}

/// None where the system does not tell.
fn told<T>(result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Err(err) if err.kind() == ErrorKind::Unsupported => Ok(None),
        result => Ok(Some(result?)),
    }
}

/// Reads all that is known of a server; None where nothing is.
pub fn read(server: u32) -> Result<Option<Gauge>> {
    let Some(parts) = told(proc::parts(server))? else { return Ok(None) };
    ensure!(parts.processes + parts.zombies > 0, "the server has ended");
    let threads = proc::threads(server)?.into_values();
    Ok(Some(Gauge {
        cpu: proc::cpu_time(server)?,
        memory: proc::shared_memory(server)?,
        threads: parts.threads as u64,
        processes: (parts.processes + parts.zombies) as u64,
        descriptors: parts.descriptors as u64,
        context_switches: threads.map(|it| it.sleeps + it.preemptions).sum(),
    }))
}

/// Processor time of a server so far; None where it is not known.
pub fn cpu(server: u32) -> Result<Option<Duration>> {
    told(proc::cpu_time(server))
}

/// The turns of each thread of a server, by its number; empty where they are
/// not known.
pub fn turns(server: u32) -> BTreeMap<u32, Turns> {
    let family = proc::family(server).unwrap_or_default();
    family.into_iter().flat_map(proc::turns).collect()
}

/// Those of the thread that wanted most between two readings.
pub fn busiest(
    before: &BTreeMap<u32, Turns>,
    after: &BTreeMap<u32, Turns>,
) -> Turns {
    let since = |(thread, turns): (&u32, &Turns)| {
        turns.since(before.get(thread).copied().unwrap_or_default())
    };
    let all = after.iter().map(since);
    all.max_by_key(|turns| turns.cpu + turns.delay).unwrap_or_default()
}

/// The share of a core that was wanted, whether it was had or not.
pub fn wanted(turns: Turns, elapsed: Duration) -> f64 {
    let wanted = (turns.cpu + turns.delay).as_secs_f64();
    wanted / elapsed.as_secs_f64().max(1e-9)
}
