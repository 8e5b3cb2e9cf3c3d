//! From /proc, and from the clocks that the kernel keeps for each process.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::ClockId;
use nix::unistd::Pid;
use procfs::process::{Process, Schedstat, all_processes};

use super::{Gauge, Turns};

pub(crate) fn read(leader: u32) -> Result<Option<Gauge>> {
    let cpu = cpu(leader)?.unwrap_or_default();
    let mut gauge = Gauge { cpu, ..Gauge::default() };
    for process in group(leader)? {
        gauge.processes += 1;
        // What is missing has ended a moment ago, or is a zombie.
        gauge.descriptors += process.fd_count().unwrap_or(0) as u64;
        if let Ok(rollup) = process.smaps_rollup() {
            let maps = rollup.memory_map_rollup.into_iter();
            let pss =
                maps.filter_map(|it| it.extension.map.get("Pss").copied());
            gauge.memory += pss.sum::<u64>();
        }
        for task in process.tasks().into_iter().flatten().flatten() {
            let Ok(status) = task.status() else { continue };
            gauge.threads += 1;
            gauge.context_switches +=
                status.voluntary_ctxt_switches.unwrap_or(0)
                    + status.nonvoluntary_ctxt_switches.unwrap_or(0);
        }
    }
    Ok(Some(gauge))
}

/// The clock of a process counts its threads that have ended as well, to the
/// nanosecond; children that have ended are known to the hundredth of a
/// second only.
pub(crate) fn cpu(leader: u32) -> Result<Option<Duration>> {
    let mut cpu = Duration::ZERO;
    for process in group(leader)? {
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(process.pid()));
        if let Ok(time) = clock.and_then(ClockId::now) {
            cpu += Duration::from(time);
        }
        if let Ok(stat) = process.stat() {
            let ticks = stat.cutime.max(0) + stat.cstime.max(0);
            let tick = 1.0 / procfs::ticks_per_second() as f64;
            cpu += Duration::from_secs_f64(ticks as f64 * tick);
        }
    }
    Ok(Some(cpu))
}

pub(crate) fn turns(leader: u32) -> BTreeMap<i32, Turns> {
    let group = group(leader).unwrap_or_default();
    let tasks = group.iter().filter_map(|process| process.tasks().ok());
    let turns = |it: Schedstat| Turns {
        cpu: Duration::from_nanos(it.sum_exec_runtime),
        delay: Duration::from_nanos(it.run_delay),
    };
    tasks
        .flatten()
        .flatten()
        .filter_map(|task| Some((task.tid, turns(task.schedstat().ok()?))))
        .collect()
}

pub(crate) fn own_turns() -> Turns {
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let thread = std::fs::read_to_string("/proc/thread-self/schedstat");
    let delay = thread
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    Turns {
        cpu: cpu.try_into().unwrap_or_default(),
        delay: Duration::from_nanos(delay.unwrap_or(0)),
    }
}

/// The processes of this group.
fn group(leader: u32) -> Result<Vec<Process>> {
    let leader = i32::try_from(leader)?;
    let first = Process::new(leader).context("the server has ended")?;
    let mut group = vec![first];
    for process in all_processes()?.flatten() {
        let of_group = process.stat().is_ok_and(|it| it.pgrp == leader);
        if of_group && process.pid() != leader {
            group.push(process);
        }
    }
    Ok(group)
}
