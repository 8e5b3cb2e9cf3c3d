//! What a server has used according to the kernel: processor time, memory,
//! threads and so on. On systems without /proc this is unknown, and results
//! that need it are left out.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use zen_harness::proc::{self, Turns};

/// The remark where something is left out for lack of /proc.
pub const NOT_HERE: &str = "only Linux reports what a process has used";

/// The figures of a server: all its processes together.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Gauge {
    /// Processor time so far, including that of children that have ended.
    pub cpu: Duration,
    /// Bytes of memory; shared memory is split between its processes (PSS).
    pub memory: u64,
    pub threads: u64,
    /// Zombies count as well.
    pub processes: u64,
    pub descriptors: u64,
    /// Only those of threads that still exist.
    pub context_switches: u64,
}

impl Gauge {
    pub fn counts(&self) -> [(&'static str, u64); 4] {
        [
            ("processes", self.processes),
            ("threads", self.threads),
            ("descriptors", self.descriptors),
            ("memory", self.memory),
        ]
    }
}

/// None if the system does not provide it.
fn told<T>(result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Err(err) if err.kind() == ErrorKind::Unsupported => Ok(None),
        result => Ok(Some(result?)),
    }
}

/// Reads everything that is known of a server; None without /proc.
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

/// Whether all threads of a server sleep; true without /proc.
pub fn is_asleep(server: u32) -> Result<bool> {
    let threads = told(proc::threads(server))?.unwrap_or_default();
    Ok(threads.values().all(|thread| !thread.awake))
}

/// Processor time of a server so far; None without /proc.
pub fn cpu(server: u32) -> Result<Option<Duration>> {
    told(proc::cpu_time(server))
}

/// The processor time and delay of each thread of a server, by thread number;
/// empty without /proc.
pub fn turns(server: u32) -> BTreeMap<u32, Turns> {
    let family = proc::family(server).unwrap_or_default();
    family.into_iter().flat_map(proc::turns).collect()
}

/// Those of the thread that wanted its core most between two readings.
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

/// The share of a core that was wanted, whether it was available or not.
pub fn wanted(turns: Turns, elapsed: Duration) -> f64 {
    let wanted = (turns.cpu + turns.delay).as_secs_f64();
    wanted / elapsed.as_secs_f64().max(1e-9)
}
