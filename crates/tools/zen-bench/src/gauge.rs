//! What a process has used: processor time, memory, threads, and so on, as
//! the kernel keeps it. On systems without /proc nothing of a server's is
//! known, and what depends on it is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
#[path = "gauge/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "gauge/other.rs"]
mod system;

/// Said where something is left out for want of /proc.
pub const NOT_HERE: &str = "only Linux tells what a process has used";

/// Of a server: all processes of its group together.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Gauge {
    /// Processor time so far, that of children which have ended included.
    pub cpu: Duration,
    /// Bytes of memory; what processes share is shared out (PSS).
    pub memory: u64,
    /// In all processes.
    pub threads: u64,
    /// Zombies included.
    pub processes: u64,
    /// In all processes.
    pub descriptors: u64,
    /// Of the threads that live.
    pub context_switches: u64,
}

/// How a thread spent its time: on a processor, and waiting for one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turns {
    /// On a processor.
    pub cpu: Duration,
    /// Ready to run, while others did.
    pub delay: Duration,
}

impl Turns {
    /// What came since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            delay: self.delay.saturating_sub(earlier.delay),
        }
    }

    /// The share of a core that was wanted, whether it was had or not.
    #[must_use]
    pub fn wanted(self, elapsed: Duration) -> f64 {
        let wanted = (self.cpu + self.delay).as_secs_f64();
        wanted / elapsed.as_secs_f64().max(1e-9)
    }
}

/// Reads all that is known of the group of this process; None where nothing
/// is.
///
/// # Errors
///
/// /proc cannot be read, or there is no such process.
pub fn read(leader: u32) -> Result<Option<Gauge>> {
    system::read(leader)
}

/// Processor time of the group of this process so far; None where it is not
/// known.
///
/// # Errors
///
/// /proc cannot be read, or there is no such process.
pub fn cpu(leader: u32) -> Result<Option<Duration>> {
    system::cpu(leader)
}

/// The turns of each thread that lives, by its number; empty where they are
/// not known.
#[must_use]
pub fn turns(leader: u32) -> BTreeMap<i32, Turns> {
    system::turns(leader)
}

/// Those of the thread that wanted most between two readings.
#[must_use]
pub fn busiest(
    before: &BTreeMap<i32, Turns>,
    after: &BTreeMap<i32, Turns>,
) -> Turns {
    let since = |(thread, turns): (&i32, &Turns)| {
        turns.since(before.get(thread).copied().unwrap_or_default())
    };
    let all = after.iter().map(since);
    all.max_by_key(|turns| turns.cpu + turns.delay).unwrap_or_default()
}

/// Those of the calling thread.
#[must_use]
pub fn own_turns() -> Turns {
    system::own_turns()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_that_waits_uses_little_and_one_that_runs_much() {
        let spawn = |script: &str| {
            let mut command = Command::new("sh");
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            command.args(["-c", script]).stdout(Stdio::piped());
            command.spawn().expect("there is a shell")
        };
        let mut child = spawn("while :; do :; done");
        let begun = std::time::Instant::now();
        let cpu = loop {
            let cpu = cpu(child.id()).unwrap().unwrap();
            if cpu > Duration::from_millis(20) {
                break cpu;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{cpu:?}");
        };
        assert!(cpu <= begun.elapsed() + Duration::from_millis(10));
        let gauge = read(child.id()).unwrap().unwrap();
        assert_eq!((gauge.processes, gauge.threads), (1, 1));
        assert!(gauge.descriptors >= 3 && gauge.memory > 4096, "{gauge:?}");
        child.kill().and_then(|()| child.wait()).unwrap();
        assert!(read(child.id()).is_err());
    }

    #[test]
    fn what_children_used_is_counted_when_they_are_gone() {
        let script = "(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done); \
                      echo done; read end";
        let mut command = Command::new("sh");
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.args(["-c", script]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = [0; 5];
        let output = child.stdout.as_mut().unwrap();
        std::io::Read::read_exact(output, &mut line).unwrap();
        let cpu = cpu(child.id()).unwrap().unwrap();
        child.kill().and_then(|()| child.wait()).unwrap();
        // The shell itself has done next to nothing.
        assert!(cpu >= Duration::from_millis(30), "{cpu:?}");
    }
}
