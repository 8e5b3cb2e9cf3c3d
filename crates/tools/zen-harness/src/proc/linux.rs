//! Reads /proc, and the clocks that the kernel keeps for each process.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use procfs_core::process::{Schedstat, SmapsRollup, Stat, Status};
use procfs_core::{FromRead, ProcResult};
use rustix::param::{clock_ticks_per_second, page_size};

use super::{Call, Parts, Resident, Thread, Threads, Turns};
use crate::system;

fn read<T: FromRead>(path: impl AsRef<Path>) -> io::Result<T> {
    let read = || -> ProcResult<T> { T::from_read(fs::File::open(path)?) };
    read().map_err(|err| missing().unwrap_or(io::Error::other(err)))
}

/// The error that explains all others where /proc is not mounted: there, nothing
/// is known of any process.
fn missing() -> Option<io::Error> {
    let what = "/proc is not mounted here";
    let missing = !Path::new("/proc/self").exists();
    missing.then(|| io::Error::new(io::ErrorKind::Unsupported, what))
}

/// The numeric names in a folder, in ascending order.
fn entries(folder: &str) -> io::Result<Vec<u64>> {
    let names = fs::read_dir(folder);
    let names = names.map_err(|err| missing().unwrap_or(err))?.flatten();
    let numbers = names.filter_map(|it| it.file_name().to_str()?.parse().ok());
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// All processes of this machine.
fn all() -> io::Result<Vec<u64>> {
    let all = entries("/proc")?;
    match all.is_empty() {
        true => Err(missing().unwrap_or(io::ErrorKind::Unsupported.into())),
        false => Ok(all),
    }
}

/// The processes of a group, and its leader's descendants in any group.
pub(super) fn members(leader: u32) -> io::Result<Vec<Stat>> {
    let stat = |process| read::<Stat>(format!("/proc/{process}/stat")).ok();
    let mut all: Vec<_> = all()?.into_iter().filter_map(stat).collect();
    let group = leader as i32;
    let mut family = vec![group];
    loop {
        let known = family.len();
        for Stat { pid, ppid, pgrp, .. } in &all {
            let belongs = *pgrp == group || family.contains(ppid);
            if belongs && !family.contains(pid) {
                family.push(*pid);
            }
        }
        if family.len() == known {
            break;
        }
    }
    all.retain(|member| family.contains(&member.pid));
    Ok(all)
}

/// The processes that were started with this variable in their environment,
/// such as `NAME=value`.
pub fn with_variable(variable: &str) -> io::Result<Vec<u32>> {
    let has_it = |process: &u64| {
        let text = fs::read(format!("/proc/{process}/environ"));
        let text = text.unwrap_or_default();
        text.split(|&byte| byte == 0).any(|it| it == variable.as_bytes())
    };
    let found = all()?.into_iter().filter(has_it);
    Ok(found.map(|process| process as u32).collect())
}

/// The open descriptors of a process, in ascending order.
pub fn descriptors(process: u32) -> io::Result<Vec<u64>> {
    entries(&format!("/proc/{process}/fd"))
}

/// Counts everything once. Processes that end meanwhile are not counted.
pub fn parts(leader: u32) -> io::Result<Parts> {
    let mut parts = Parts::default();
    for member in members(leader)? {
        if member.state == 'Z' {
            parts.zombies += 1;
            continue;
        }
        let process = member.pid as u32;
        parts.processes += 1;
        parts.threads += tasks(process).map_or(0, |all| all.len());
        parts.descriptors += descriptors(process).map_or(0, |all| all.len());
        parts.memory_bytes += memory(process).unwrap_or(0);
    }
    Ok(parts)
}

/// Anonymous resident memory of a process, in bytes.
pub fn memory(process: u32) -> io::Result<u64> {
    let status: Status = read(format!("/proc/{process}/status"))?;
    Ok(status.rssanon.unwrap_or(0) * 1024)
}

/// Resident memory of a server, in bytes; pages that several processes share
/// are split between them (PSS).
pub fn shared_memory(leader: u32) -> io::Result<u64> {
    let rollup = |member: Stat| {
        read::<SmapsRollup>(format!("/proc/{}/smaps_rollup", member.pid)).ok()
    };
    let rollups = members(leader)?.into_iter().filter_map(rollup);
    let maps = rollups.flat_map(|it| it.memory_map_rollup);
    Ok(maps.filter_map(|it| it.extension.map.get("Pss").copied()).sum())
}

/// The resources of a process's descendants, without its own, from one quick
/// look at each. A shared page counts for each process that shares it.
pub fn resident(leader: u32) -> io::Result<Resident> {
    let mut resident = Resident::default();
    for member in members(leader)? {
        if member.pid as u32 != leader {
            resident.threads += member.num_threads.max(0) as u64;
            resident.bytes += member.rss * page_size() as u64;
        }
    }
    Ok(resident)
}

/// A server's processor time so far, including that of threads and children
/// that have ended.
pub fn cpu_time(leader: u32) -> io::Result<Duration> {
    // The clock of a process counts nanoseconds, but the time of its ended
    // children is known only in clock ticks.
    let tick = Duration::from_secs(1) / clock_ticks_per_second() as u32;
    let time = |member: &Stat| {
        let own = system::cpu_clock(member.pid as u32).unwrap_or_default();
        own + tick * (member.cutime + member.cstime).max(0) as u32
    };
    Ok(members(leader)?.iter().map(time).sum())
}

/// Whether a process has taken all signals that were sent to it. A process that
/// has ended has.
pub fn has_no_signal_pending(process: u32) -> io::Result<bool> {
    missing().map_or(Ok(()), Err)?;
    let status = read::<Status>(format!("/proc/{process}/status"));
    Ok(status.map_or(true, |status| {
        status.state.starts_with('Z') || status.sigpnd | status.shdpnd == 0
    }))
}

/// Whether all threads of a server have stopped after SIGSTOP: threads other
/// than the first take a moment longer.
pub fn is_all_stopped(leader: u32) -> io::Result<bool> {
    Ok(members(leader)?.iter().all(|member| is_stopped(member.pid as u32)))
}

/// The folders of a process's threads, with their numbers.
fn tasks(process: u32) -> io::Result<Vec<(u32, String)>> {
    let folder = format!("/proc/{process}/task");
    let numbers = entries(&folder)?.into_iter();
    Ok(numbers.map(|it| (it as u32, format!("{folder}/{it}"))).collect())
}

/// Whether this holds for a file of each thread. A thread may have ended
/// meanwhile.
fn all_tasks<T: FromRead>(
    process: u32,
    file: &str,
    holds: impl Fn(T) -> bool,
) -> bool {
    let tasks = tasks(process).unwrap_or_default();
    tasks
        .iter()
        .all(|(_, it)| read(format!("{it}/{file}")).map_or(true, &holds))
}

/// Whether all threads of a process have stopped or ended. One in a call that
/// no signal interrupts (D) stops before it returns; if that is vfork(), and the
/// child has stopped before exec(), it does not return until both go on.
pub fn is_stopped(process: u32) -> bool {
    all_tasks(process, "stat", |stat: Stat| "DTtZX".contains(stat.state))
}

/// Whether a process is not there any more, and not as a zombie.
pub fn has_ended(process: u32) -> bool {
    missing().is_none() && !Path::new(&format!("/proc/{process}")).exists()
}

/// Whether another process traces all threads of this one.
pub fn is_traced(process: u32) -> bool {
    all_tasks(process, "status", |status: Status| status.tracerpid != 0)
}

/// The system calls in which servers wait.
const CALLS: &[(libc::c_long, &str)] = &[
    #[cfg(not(target_arch = "x86"))]
    (libc::SYS_accept, "accept"),
    (libc::SYS_accept4, "accept4"),
    (libc::SYS_clock_nanosleep, "clock_nanosleep"),
    (libc::SYS_epoll_pwait, "epoll_pwait"),
    (libc::SYS_epoll_pwait2, "epoll_pwait2"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_epoll_wait, "epoll_wait"),
    (libc::SYS_futex, "futex"),
    (libc::SYS_io_uring_enter, "io_uring_enter"),
    (libc::SYS_nanosleep, "nanosleep"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_poll, "poll"),
    (libc::SYS_ppoll, "ppoll"),
    (libc::SYS_pselect6, "pselect6"),
    (libc::SYS_read, "read"),
    (libc::SYS_recvfrom, "recvfrom"),
    (libc::SYS_recvmsg, "recvmsg"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_select, "select"),
    (libc::SYS_sendmsg, "sendmsg"),
    (libc::SYS_sendto, "sendto"),
    (libc::SYS_wait4, "wait4"),
    (libc::SYS_waitid, "waitid"),
    (libc::SYS_write, "write"),
    (libc::SYS_writev, "writev"),
];

/// Parses a line of /proc/PID/task/TID/syscall.
fn call(line: &str) -> Call {
    let mut words = line.split_whitespace();
    match words.next() {
        Some("running") => Call::Running,
        Some("-1") => Call::None,
        Some(number) => {
            let number = number.parse().unwrap_or(-1);
            let first = words.next().and_then(|it| it.strip_prefix("0x"));
            let first = first.and_then(|it| u64::from_str_radix(it, 16).ok());
            let name = CALLS.iter().find(|it| it.0 == number);
            Call::In(name.map_or("", |it| it.1), first.unwrap_or_default())
        }
        None => Call::Unknown,
    }
}

/// The threads of a process, the first one first, and the state of each.
pub fn calls(process: u32) -> io::Result<Vec<(u32, Call)>> {
    let mut calls = Vec::new();
    for (thread, folder) in tasks(process)? {
        match fs::read_to_string(format!("{folder}/syscall")) {
            Ok(line) => calls.push((thread, call(&line))),
            Err(err) if err.kind() == io::ErrorKind::PermissionDenied => {
                calls.push((thread, Call::Unknown));
            }
            // The thread has ended meanwhile.
            Err(_) => {}
        }
    }
    calls.sort_unstable_by_key(|it| (it.0 != process, it.0));
    Ok(calls)
}

/// A process and its descendants, if their first threads have started them.
/// This takes a few quick looks, while [`family`](super::family) looks at all
/// processes of the machine.
pub fn lineage(leader: u32) -> Vec<u32> {
    let mut lineage = vec![leader];
    let mut at = 0;
    while let Some(process) = lineage.get(at) {
        let file = format!("/proc/{process}/task/{process}/children");
        let children = fs::read_to_string(file).unwrap_or_default();
        let children = children.split_whitespace().flat_map(str::parse::<u32>);
        lineage.extend(children);
        at += 1;
    }
    lineage
}

/// The inode of the socket behind a descriptor, if it is a socket.
pub fn socket_at(process: u32, descriptor: u64) -> Option<u64> {
    let link =
        fs::read_link(format!("/proc/{process}/fd/{descriptor}")).ok()?;
    let link = link.to_str()?.strip_prefix("socket:[")?;
    link.strip_suffix(']')?.parse().ok()
}

/// Processor time of one process so far.
pub fn own_cpu_time(process: u32) -> io::Result<Duration> {
    system::cpu_clock(process).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Threads that end meanwhile are left out.
pub fn threads(leader: u32) -> io::Result<Threads> {
    let mut threads = Threads::new();
    for member in members(leader)? {
        for (number, folder) in tasks(member.pid as u32).unwrap_or_default() {
            let turns = turns_in(&folder);
            let status = read::<Status>(format!("{folder}/status"));
            let Ok(status) = status else { continue };
            let thread = Thread {
                awake: status.state.starts_with('R'),
                sleeps: status.voluntary_ctxt_switches.unwrap_or(0),
                preemptions: status.nonvoluntary_ctxt_switches.unwrap_or(0),
                turns,
            };
            threads.insert(number, thread);
        }
    }
    Ok(threads)
}

/// The times of each thread of a process, by thread number.
pub fn turns(process: u32) -> BTreeMap<u32, Turns> {
    let tasks = tasks(process).unwrap_or_default().into_iter();
    tasks.map(|(number, folder)| (number, turns_in(&folder))).collect()
}

/// The times of the calling thread.
pub fn own_turns() -> Turns {
    Turns { cpu: system::own_cpu_clock(), ..turns_in("/proc/thread-self") }
}

/// Zeros if the kernel was built without these figures.
fn turns_in(folder: &str) -> Turns {
    let stat = read::<Schedstat>(format!("{folder}/schedstat"));
    stat.map_or_else(
        |_| Turns::default(),
        |stat| Turns {
            cpu: Duration::from_nanos(stat.sum_exec_runtime),
            delay: Duration::from_nanos(stat.run_delay),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_with_its_first_argument() {
        let line = format!("{} 0x1f 0x7ffc 0x0 0x7f01", libc::SYS_accept4);
        assert_eq!(call(&line), Call::In("accept4", 31));
        assert_eq!(call("running"), Call::Running);
        assert_eq!(call("-1 0x7ffc 0x7f01"), Call::None);
        assert_eq!(call("99999 0x0"), Call::In("", 0));
        assert_eq!(call(""), Call::Unknown);
    }
}
