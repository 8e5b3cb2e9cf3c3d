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

/// A process of a server.
pub(super) struct Member {
    pub(super) process: u32,
    /// R, S, T, Z and so on, as ps shows it.
    pub(super) state: char,
    parent: i32,
    group: i32,
    /// The processor time of children that have ended and were waited for.
    cpu_of_children: Duration,
    threads: u64,
    resident_pages: u64,
}

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

/// The numeric names in a folder.
fn entries(folder: &str) -> io::Result<Vec<u64>> {
    let names = fs::read_dir(folder);
    let names = names.map_err(|err| missing().unwrap_or(err))?;
    let names = names.filter_map(|entry| entry.ok());
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

/// All processes of this machine.
fn all() -> io::Result<Vec<u32>> {
    match &entries("/proc")?[..] {
        [] => Err(missing().unwrap_or(io::ErrorKind::Unsupported.into())),
        all => Ok(all.iter().map(|&process| process as u32).collect()),
    }
}

/// The processes of a group, and its leader's descendants in any group.
pub(super) fn members(leader: u32) -> io::Result<Vec<Member>> {
    let tick = Duration::from_secs(1) / clock_ticks_per_second() as u32;
    let member = |process| {
        let stat: Stat = read(format!("/proc/{process}/stat")).ok()?;
        let ticks = (stat.cutime + stat.cstime).max(0) as u32;
        Some(Member {
            process,
            state: stat.state,
            parent: stat.ppid,
            group: stat.pgrp,
            cpu_of_children: tick * ticks,
            threads: stat.num_threads.max(0) as u64,
            resident_pages: stat.rss,
        })
    };
    let mut all: Vec<_> = all()?.into_iter().filter_map(member).collect();
    let group = leader as i32;
    let mut family = vec![group];
    loop {
        let known = family.len();
        for member in &all {
            let process = member.process as i32;
            let belongs =
                member.group == group || family.contains(&member.parent);
            if belongs && !family.contains(&process) {
                family.push(process);
            }
        }
        if family.len() == known {
            break;
        }
    }
    all.retain(|member| family.contains(&(member.process as i32)));
    Ok(all)
}

/// The processes that were started with this variable in their environment,
/// such as `NAME=value`.
pub fn with_variable(variable: &str) -> io::Result<Vec<u32>> {
    let has_it = |process: &u32| {
        let text = fs::read(format!("/proc/{process}/environ"));
        let text = text.unwrap_or_default();
        text.split(|&byte| byte == 0).any(|it| it == variable.as_bytes())
    };
    Ok(all()?.into_iter().filter(has_it).collect())
}

/// The open descriptors of a process, in ascending order.
pub fn descriptors(process: u32) -> io::Result<Vec<u64>> {
    let mut numbers = entries(&format!("/proc/{process}/fd"))?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// Counts everything once. Processes that end meanwhile are not counted.
pub fn parts(leader: u32) -> io::Result<Parts> {
    let mut parts = Parts::default();
    for member in members(leader)? {
        if member.state == 'Z' {
            parts.zombies += 1;
            continue;
        }
        let process = member.process;
        let threads = entries(&format!("/proc/{process}/task"));
        parts.processes += 1;
        parts.threads += threads.map_or(0, |all| all.len());
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
    let of_member = |member: &Member| {
        let rollup = format!("/proc/{}/smaps_rollup", member.process);
        let rollup = read::<SmapsRollup>(rollup).ok()?;
        let maps = rollup.memory_map_rollup.into_iter();
        let pss = maps.filter_map(|it| it.extension.map.get("Pss").copied());
        Some(pss.sum::<u64>())
    };
    Ok(members(leader)?.iter().filter_map(of_member).sum())
}

/// The resources of a process's descendants, without its own, from one quick
/// look at each. A shared page counts for each process that shares it.
pub fn resident(leader: u32) -> io::Result<Resident> {
    let mut resident = Resident::default();
    for member in members(leader)? {
        if member.process != leader {
            resident.threads += member.threads;
            resident.bytes += member.resident_pages * page_size() as u64;
        }
    }
    Ok(resident)
}

/// A server's processor time so far, including that of threads and children
/// that have ended.
pub fn cpu_time(leader: u32) -> io::Result<Duration> {
    // The clock of a process counts nanoseconds, but the time of its ended
    // children is known only in clock ticks.
    let time = |member: &Member| {
        let own = system::cpu_clock(member.process).unwrap_or_default();
        own + member.cpu_of_children
    };
    Ok(members(leader)?.iter().map(time).sum())
}

/// Whether a process has taken all signals that were sent to it. A process that
/// has ended has.
pub fn has_no_signal_pending(process: u32) -> io::Result<bool> {
    let status = read::<Status>(format!("/proc/{process}/status"));
    Ok(status.map_or(true, |status| {
        status.state.starts_with('Z') || status.sigpnd | status.shdpnd == 0
    }))
}

/// Whether all threads of a server have stopped after SIGSTOP: threads other
/// than the first take a moment longer.
pub fn is_all_stopped(leader: u32) -> io::Result<bool> {
    Ok(members(leader)?.iter().all(|member| is_stopped(member.process)))
}

/// Whether all threads of a process have stopped or ended.
#[must_use]
pub fn is_stopped(process: u32) -> bool {
    let folder = format!("/proc/{process}/task");
    let mut threads = entries(&folder).unwrap_or_default().into_iter();
    threads.all(|thread| {
        let stat = read::<Stat>(format!("{folder}/{thread}/stat"));
        // A thread may have ended meanwhile.
        stat.map_or(true, |stat| "TtZX".contains(stat.state))
    })
}

/// Whether a process is not there any more, and not as a zombie.
#[must_use]
pub fn has_ended(process: u32) -> bool {
    missing().is_none() && !Path::new(&format!("/proc/{process}")).exists()
}

/// Whether another process traces all threads of this one.
#[must_use]
pub fn is_traced(process: u32) -> bool {
    let folder = format!("/proc/{process}/task");
    let mut threads = entries(&folder).unwrap_or_default().into_iter();
    threads.all(|thread| {
        let status = read::<Status>(format!("{folder}/{thread}/status"));
        status.map_or(true, |status| status.tracerpid != 0)
    })
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
    let folder = format!("/proc/{process}/task");
    let mut calls = Vec::new();
    for thread in entries(&folder)? {
        match fs::read_to_string(format!("{folder}/{thread}/syscall")) {
            Ok(line) => calls.push((thread as u32, call(&line))),
            Err(err) if err.kind() == io::ErrorKind::PermissionDenied => {
                calls.push((thread as u32, Call::Unknown));
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
#[must_use]
pub fn lineage(leader: u32) -> Vec<u32> {
    let mut lineage = vec![leader];
    let mut at = 0;
    while let Some(process) = lineage.get(at) {
        let file = format!("/proc/{process}/task/{process}/children");
        let children = fs::read_to_string(file).unwrap_or_default();
        lineage.extend(
            children.split_whitespace().filter_map(|it| it.parse::<u32>().ok()),
        );
        at += 1;
    }
    lineage
}

/// The inode of the socket behind a descriptor, if it is a socket.
#[must_use]
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
        for (number, turns) in turns(member.process) {
            let folder = format!("/proc/{}/task/{number}", member.process);
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
#[must_use]
pub fn turns(process: u32) -> BTreeMap<u32, Turns> {
    let folder = format!("/proc/{process}/task");
    let numbers = entries(&folder).unwrap_or_default().into_iter();
    numbers
        .map(|number| {
            let file = format!("{folder}/{number}/schedstat");
            // A kernel may be built without these figures.
            (number as u32, read(file).map(turns_in).unwrap_or_default())
        })
        .collect()
}

/// The times of the calling thread.
#[must_use]
pub fn own_turns() -> Turns {
    let turns = read("/proc/thread-self/schedstat").map(turns_in);
    Turns { cpu: system::own_cpu_clock(), ..turns.unwrap_or_default() }
}

fn turns_in(stat: Schedstat) -> Turns {
    Turns {
        cpu: Duration::from_nanos(stat.sum_exec_runtime),
        delay: Duration::from_nanos(stat.run_delay),
    }
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
