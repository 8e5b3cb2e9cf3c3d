//! The machine of a measurement: without it a result cannot be judged.

use std::fs;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use zen_harness::system;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Machine {
    pub cores: usize,
    /// The model of the processor, if the system reports it.
    pub processor: String,
    pub system: String,
    /// The limit on descriptors of a process, if there is one.
    pub descriptors_max: Option<u64>,
    /// The most connections that the system allows to wait for accept().
    pub backlog_max: Option<u64>,
    /// The profile with which the servers were built: `release` or `dev`.
    pub profile: String,
    /// The git revision of the servers; `+` if there were uncommitted changes.
    pub revision: String,
    /// The niceness of every process: 0 is the default, and -20 the highest
    /// priority, as for `nice`.
    pub nice: i32,
    pub separate: bool,
}

impl Machine {
    pub fn here(profile: &str, separate: bool) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let kernel = read("/proc/sys/kernel/osrelease");
        let system = match std::env::consts::OS {
            "linux" => format!("Linux {}", kernel.trim()),
            other => other.into(),
        };
        let cpuinfo = read("/proc/cpuinfo");
        let processor = cpuinfo.lines().find_map(|line| {
            Some(line.strip_prefix("model name")?.split_once(": ")?.1.trim())
        });
        Self {
            cores: cores(&cpuinfo),
            processor: processor.unwrap_or("unknown").into(),
            system,
            descriptors_max: descriptors_max(),
            backlog_max: system::longest_queue(),
            profile: profile.into(),
            revision: revision().unwrap_or_else(|| "unknown".into()),
            nice: nice(),
            separate,
        }
    }

    pub fn sentence(&self) -> String {
        let Self { cores, processor, system, profile, revision, .. } = self;
        let apart = match self.separate {
            true => "server and load on cores of their own",
            false => "server and load share the cores",
        };
        let nice = match self.nice {
            0 => String::new(),
            nice => format!(", at nice {nice}"),
        };
        let cores = match cores {
            1 => "1 core".into(),
            _ => format!("{cores} cores"),
        };
        let limit = |name, limit: Option<u64>| {
            limit.map_or(String::new(), |limit| format!(", {name} {limit}"))
        };
        let descriptors = limit("descriptors at most", self.descriptors_max);
        let backlog = limit("backlog at most", self.backlog_max);
        format!(
            "{cores} ({processor}), {system}{descriptors}{backlog}; {apart}{nice}; \
             {profile} build of {revision}"
        )
    }
}

/// The cores and the kernel, for measurements that need Linux.
pub fn linux() -> Result<String> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease");
    let kernel = kernel.context("this can be measured on Linux only")?;
    let cores = thread::available_parallelism()?;
    Ok(format!("{cores} cores, Linux {}", kernel.trim()))
}

/// Raises the limit on descriptors as far as possible, and returns it. Most
/// shells start with a limit that is too low for nine thousand clients.
pub fn descriptors_max() -> Option<u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let maximum = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit { current: maximum, maximum };
        // If that fails, the user will read that a client cannot connect.
        setrlimit(Resource::Nofile, limit).ok();
        getrlimit(Resource::Nofile).current
    }
    #[cfg(not(unix))]
    None
}

fn nice() -> i32 {
    #[cfg(unix)]
    return rustix::process::getpriority_process(None).unwrap_or(0);
    #[cfg(not(unix))]
    0
}

/// Counts all cores, not just those to which this thread is pinned.
fn cores(cpuinfo: &str) -> usize {
    match cpuinfo.lines().filter(|it| it.starts_with("processor")).count() {
        0 => thread::available_parallelism().map_or(1, usize::from),
        cores => cores,
    }
}

fn revision() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(zen_harness::folder!())
            .args(arguments)
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
        output.status.success().then_some(text)
    };
    let revision = git(&["rev-parse", "--short=10", "HEAD"])?;
    let crates = "../../../crates";
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no", crates])?;
    let mark = if changed.is_empty() { "" } else { "+" };
    Some(format!("{revision}{mark}"))
}
