//! What a submission may use: the kernel limits each process, and a keeper
//! outside of the cage counts all of them together.

use std::time::{Duration, Instant};

use clap::Args;
use zen_harness::proc;

use crate::assignment::Assignment;

/// How often to count what a program uses. In between, the kernel's limits
/// apply.
pub(crate) const COUNT_EVERY: Duration = Duration::from_millis(100);

/// What a command and all its descendants may use together.
#[derive(Args, Clone, Copy, Debug)]
pub struct Limits {
    /// MiB of resident memory of all processes together
    #[arg(long)]
    pub memory_mib: u64,
    /// Threads of all processes together
    #[arg(long)]
    pub processes: u64,
    /// Descriptors of each process
    #[arg(long)]
    pub descriptors: u64,
    /// Seconds of processor time of each process
    #[arg(long)]
    pub cpu_seconds: u64,
}

impl Limits {
    /// A compiler needs more than most servers. It fails after the same time
    /// of its own on a busy machine.
    pub(crate) fn of_build(seconds: u64) -> Self {
        Self {
            memory_mib: 4096,
            processes: 1024,
            descriptors: 4096,
            cpu_seconds: seconds,
        }
    }

    /// Those of a server.
    pub(crate) fn of(assignment: &Assignment) -> Self {
        Self {
            memory_mib: assignment.memory_mib,
            processes: assignment.processes,
            descriptors: assignment.descriptors,
            // All processors for all the time would be less than this.
            cpu_seconds: assignment.run_seconds * 1024,
        }
    }

    /// The same as options of a command line.
    #[cfg(target_os = "linux")]
    pub(crate) fn words(self) -> [String; 8] {
        let Self { memory_mib, processes, descriptors, cpu_seconds } = self;
        [
            "--memory-mib".into(),
            memory_mib.to_string(),
            "--processes".into(),
            processes.to_string(),
            "--descriptors".into(),
            descriptors.to_string(),
            "--cpu-seconds".into(),
            cpu_seconds.to_string(),
        ]
    }

    /// Which limit a process and its descendants have reached, if any.
    pub(crate) fn reached(self, process: u32) -> Option<String> {
        let used = proc::resident(process).unwrap_or_default();
        let Self { memory_mib, processes, .. } = self;
        // The kernel never allows more processes, and `examine` has some too.
        if used.threads >= processes {
            Some(format!("it had all {processes} processes and threads"))
        } else if used.bytes > memory_mib * 1024 * 1024 {
            Some(format!("it had more than {memory_mib} MiB of memory"))
        } else {
            None
        }
    }
}

/// Calls `look` at most every [`COUNT_EVERY`].
pub(crate) fn now_and_then(
    mut look: impl FnMut(u32) -> bool,
) -> impl FnMut(u32) -> bool {
    let mut counted = Instant::now();
    move |process| {
        if counted.elapsed() < COUNT_EVERY {
            return true;
        }
        counted = Instant::now();
        look(process)
    }
}
