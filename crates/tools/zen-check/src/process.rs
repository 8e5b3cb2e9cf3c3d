//! What /proc tells of a server's processes. On other systems the case is left
//! out.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::verdict::{Fault, Verdict, ensure, ensure_in_time};

/// How long a condition may take to come about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);

/// Waits until a condition holds that nobody announces.
pub(crate) fn wait_until(
    what: &str,
    patience: Duration,
    mut holds: impl FnMut() -> Verdict<bool>,
) -> Verdict {
    let deadline = Instant::now() + patience;
    while !holds()? {
        if Instant::now() >= deadline {
            return Err(Fault::server(format!(
                "after {} s, still not {what}",
                patience.as_secs()
            )));
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// The open descriptors of a process, ascending.
pub(crate) fn descriptors(process: u32) -> Verdict<Vec<u64>> {
    let mut numbers = entries(&format!("/proc/{process}/fd"))?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// What a server is made of: it, and all that it has started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) processes: usize,
    pub(crate) zombies: usize,
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
    /// Memory of its own, in bytes: neither its files nor the kernel's part.
    pub(crate) memory_bytes: u64,
}

impl Parts {
    /// Descriptors, threads, and processes with those that are zombies.
    pub(crate) fn counts(self) -> [usize; 3] {
        [self.descriptors, self.threads, self.processes + self.zombies]
    }
}

/// Counts everything when the numbers have come to rest.
pub(crate) fn parts_at_rest(process: u32) -> Verdict<Parts> {
    let mut parts = parts(process)?;
    wait_until("at rest", PATIENCE, || {
        let before = parts.counts();
        thread::sleep(Duration::from_millis(50));
        parts = self::parts(process)?;
        Ok(parts.counts() == before)
    })?;
    Ok(parts)
}

/// Counts everything once. What ends meanwhile is not counted.
pub(crate) fn parts(process: u32) -> Verdict<Parts> {
    let mut parts = Parts::default();
    for member in members(process)? {
        if member.state() == "Z" {
            parts.zombies += 1;
            continue;
        }
        let folder = format!("/proc/{}", member.process);
        let count =
            |name| entries(&format!("{folder}/{name}")).map(|all| all.len());
        parts.processes += 1;
        parts.threads += count("task").unwrap_or(0);
        parts.descriptors += count("fd").unwrap_or(0);
        parts.memory_bytes += memory(member.process).unwrap_or(0);
    }
    Ok(parts)
}

/// All processes of this machine.
pub(crate) fn all() -> Verdict<Vec<u32>> {
    Ok(entries("/proc")?.into_iter().map(|process| process as u32).collect())
}

/// The processes of a server that have not ended.
pub(crate) fn family(process: u32) -> Verdict<Vec<u32>> {
    let members = members(process)?.into_iter();
    let alive = members.filter(|member| member.state() != "Z");
    Ok(alive.map(|member| member.process).collect())
}

/// The variable that marks a server and all that it starts: a daemon leaves
/// its group, its session and its parent, but not its environment.
pub(crate) const MARK: &str = "ZEN_CHECK_SERVER";

/// One that no other server of this machine has.
pub(crate) fn new_mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}.{number}", std::process::id())
}

/// The processes with this mark.
pub(crate) fn marked(mark: &str) -> Verdict<Vec<u32>> {
    let variable = format!("{MARK}={mark}");
    let is_marked = |process: &u32| {
        let text = fs::read(format!("/proc/{process}/environ"));
        let text = text.unwrap_or_default();
        text.split(|&byte| byte == 0).any(|it| it == variable.as_bytes())
    };
    Ok(all()?.into_iter().filter(is_marked).collect())
}

/// The names in a folder that are numbers.
fn entries(folder: &str) -> Verdict<Vec<u64>> {
    linux()?;
    let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok());
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

/// The states of all processes of a server: R, S, Z and so on.
pub(crate) fn states(process: u32) -> Verdict<Vec<String>> {
    let members = members(process)?;
    Ok(members.iter().map(|member| member.state().to_string()).collect())
}

/// A process, and the fields of /proc/PID/stat from the third on.
struct Member {
    process: u32,
    fields: Vec<String>,
}

impl Member {
    /// R, S, T, Z and so on, as ps shows it.
    fn state(&self) -> &str {
        &self.fields[0]
    }
}

/// The processes of a group, and the descendants of its leader in whatever
/// group they are.
fn members(leader: u32) -> Verdict<Vec<Member>> {
    let all = entries("/proc")?.into_iter().filter_map(|process| {
        let fields = stat(process).ok()?;
        Some(Member { process: process as u32, fields })
    });
    let mut all: Vec<_> = all.collect();
    let group = leader.to_string();
    let mut family = vec![leader];
    loop {
        let known = family.len();
        for member in &all {
            let [_, parent, its_group, ..] = &member.fields[..] else {
                continue;
            };
            let parent = parent.parse().unwrap_or(0);
            let belongs = *its_group == group || family.contains(&parent);
            if belongs && !family.contains(&member.process) {
                family.push(member.process);
            }
        }
        if family.len() == known {
            break;
        }
    }
    all.retain(|member| family.contains(&member.process));
    Ok(all)
}

/// Whether a process has taken all the signals that were sent to it.
pub(crate) fn has_no_signal_pending(process: u32) -> Verdict<bool> {
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    // A process that has ended has none.
    let status = status.unwrap_or_default();
    if status.contains("State:\tZ") {
        return Ok(true);
    }
    let mut pending = status.lines().filter(|line| {
        line.starts_with("SigPnd:") || line.starts_with("ShdPnd:")
    });
    Ok(pending.all(|line| line.ends_with("\t0000000000000000")))
}

/// Whether all threads of a server have come to a stop after SIGSTOP: those
/// beside the first one take a moment longer.
pub(crate) fn is_all_stopped(process: u32) -> Verdict<bool> {
    let is_stopped = |member: &Member| {
        let folder = format!("/proc/{}/task", member.process);
        let threads = entries(&folder).unwrap_or_default();
        let mut states = threads.iter().map(|thread| {
            let stat = fs::read_to_string(format!("{folder}/{thread}/stat"));
            let stat = stat.unwrap_or_default();
            let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            // A thread may end meanwhile.
            state.chars().next().unwrap_or('X')
        });
        states.all(|state| "TtZX".contains(state))
    };
    Ok(members(process)?.iter().all(is_stopped))
}

/// Whether a process was stopped by a signal.
pub(crate) fn is_stopped(process: u32) -> bool {
    stat(process.into()).is_ok_and(|fields| fields[0] == "T")
}

/// Whether another process traces all threads of this one.
pub(crate) fn is_traced(process: u32) -> bool {
    let folder = format!("/proc/{process}/task");
    let mut threads = entries(&folder).unwrap_or_default().into_iter();
    threads.all(|thread| {
        let status = fs::read_to_string(format!("{folder}/{thread}/status"));
        !status.unwrap_or_default().contains("TracerPid:\t0\n")
    })
}

/// A tick wakes a server ten times in a second, and nothing here takes longer
/// than some seconds.
const SLEEPS_MAX: u64 = 1000;

/// How long a server may be busy with what it was asked before.
const REST_TIME_MAX: Duration = Duration::from_secs(2);

/// Expects that while this is done, a server uses next to no processor time.
pub(crate) fn while_idle(
    process: u32,
    done: impl FnOnce() -> Verdict,
) -> Verdict {
    let (before, at_first) = (cpu_time(process)?, threads(process)?);
    done()?;
    let time = cpu_time(process)?.saturating_sub(before);
    let at_last = threads(process)?;
    let awake = at_last.values().any(|it| it.awake);
    // This holds however busy the machine is.
    ensure!(
        time.is_zero() || !awake || sleeps(&at_first, &at_last) > 0,
        "while it had nothing to do it never went to sleep"
    );
    ensure_in_time!(
        time,
        Duration::from_millis(100),
        "while it had nothing to do it used {time:?} of processor time"
    );
    Ok(())
}

/// How often the threads of a server wake up in this time.
pub(crate) fn wakes(process: u32, time: Duration) -> Verdict<u64> {
    let at_first = threads(process)?;
    thread::sleep(time);
    Ok(sleeps(&at_first, &threads(process)?))
}

/// Expects that for so long nothing wakes a server but a tick, which costs it
/// next to no processor time.
pub(crate) fn stays_asleep(process: u32, time: Duration) -> Verdict {
    while_idle(process, || {
        let slept = wakes(process, time)?;
        ensure!(
            slept < SLEEPS_MAX,
            "while it had nothing to do it woke up {slept} times"
        );
        Ok(())
    })
}

/// Waits until a server has done what it was asked before. If it never rests,
/// whoever looks on next finds that out.
pub(crate) fn come_to_rest(process: u32) -> Verdict {
    let deadline = Instant::now() + REST_TIME_MAX;
    while Instant::now() < deadline {
        let before = cpu_time(process)?;
        thread::sleep(Duration::from_millis(50));
        let awake = threads(process)?.values().any(|it| it.awake);
        if !awake && cpu_time(process)? == before {
            break;
        }
    }
    Ok(())
}

/// For how long the threads of a process have been ready and without a
/// processor so far, as far as the system tells: Linux does.
pub(crate) fn waited(process: u32) -> Duration {
    let folder = format!("/proc/{process}/task");
    let threads = entries(&folder).unwrap_or_default().into_iter();
    threads.map(|thread| waited_in(&format!("{folder}/{thread}"))).sum()
}

/// The same for the thread that asks.
pub(crate) fn waited_itself() -> Duration {
    waited_in("/proc/thread-self")
}

fn waited_in(folder: &str) -> Duration {
    let text = fs::read_to_string(format!("{folder}/schedstat"));
    // Time on a processor, time without one, both in nanoseconds.
    let second = text.ok().and_then(|text| {
        text.split_whitespace().nth(1).and_then(|time| time.parse().ok())
    });
    Duration::from_nanos(second.unwrap_or(0))
}

/// Processor time that the processes of a server have used so far.
pub(crate) fn cpu_time(process: u32) -> Verdict<Duration> {
    // Fields 14 and 15 of proc(5), in hundredths of a second.
    let members = members(process)?;
    let times = members.iter().flat_map(|member| &member.fields[11..13]);
    let ticks = times.filter_map(|field| field.parse::<u64>().ok());
    Ok(Duration::from_millis(10 * ticks.sum::<u64>()))
}

/// How often the threads that there are at last have gone to sleep meanwhile.
fn sleeps(
    at_first: &BTreeMap<u64, Thread>,
    at_last: &BTreeMap<u64, Thread>,
) -> u64 {
    let sleeps = at_last.iter().map(|(id, thread)| {
        let before = at_first.get(id).map_or(0, |it| it.sleeps);
        thread.sleeps.saturating_sub(before)
    });
    sleeps.sum()
}

/// A thread of a server.
struct Thread {
    /// It runs, or would if it had a processor.
    awake: bool,
    /// How often it has gone to sleep so far.
    sleeps: u64,
}

/// By their numbers. What has ended meanwhile is not there.
fn threads(process: u32) -> Verdict<BTreeMap<u64, Thread>> {
    let mut threads = BTreeMap::new();
    for member in members(process)? {
        let folder = format!("/proc/{}/task", member.process);
        for thread in entries(&folder).unwrap_or_default() {
            let status = format!("{folder}/{thread}/status");
            let Ok(status) = fs::read_to_string(&status) else { continue };
            let value = |key: &str| {
                let value = status.lines().find_map(|it| it.strip_prefix(key));
                value.unwrap_or_default().trim()
            };
            let sleeps = value("voluntary_ctxt_switches:").parse();
            let awake = value("State:").starts_with('R');
            let sleeps = sleeps.unwrap_or(0);
            threads.insert(thread, Thread { awake, sleeps });
        }
    }
    Ok(threads)
}

/// The fields of /proc/PID/stat from the third on: before that is the name,
/// in which anything may stand.
fn stat(process: u64) -> Verdict<Vec<String>> {
    linux()?;
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let fields: Vec<_> = fields.split_whitespace().map(str::to_owned).collect();
    if fields.len() < 14 {
        let message = format!("cannot read /proc/{process}/stat");
        return Err(Fault::Checker(message));
    }
    Ok(fields)
}

/// A process's own memory, in bytes: neither its files nor the kernel's part.
fn memory(process: u32) -> Verdict<u64> {
    linux()?;
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib.and_then(|kib| kib.parse().ok()).unwrap_or(0);
    Ok(kib * 1024)
}

fn linux() -> Verdict {
    if cfg!(target_os = "linux") {
        return Ok(());
    }
    Err(Fault::Skipped("only Linux tells this, in /proc".into()))
}
