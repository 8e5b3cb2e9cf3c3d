//! What /proc tells of a process. On other systems the case is left out.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::verdict::{Fault, Verdict, ensure};

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
            let message = format!("after {patience:?}, still not {what}");
            return Err(Fault::Server(message));
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

/// How many threads a process has.
pub(crate) fn threads(process: u32) -> Verdict<usize> {
    Ok(entries(&format!("/proc/{process}/task"))?.len())
}

/// The names in a folder that are numbers.
fn entries(folder: &str) -> Verdict<Vec<u64>> {
    linux()?;
    let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok());
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

/// The states of all processes of a group: R, S, Z and so on.
pub(crate) fn group(group: u32) -> Verdict<Vec<String>> {
    let members = members(group)?.into_iter();
    Ok(members.map(|mut stat| stat.swap_remove(0)).collect())
}

fn members(group: u32) -> Verdict<Vec<Vec<String>>> {
    let processes = entries("/proc")?;
    let stats = processes.iter().filter_map(|&process| stat(process).ok());
    let group = group.to_string();
    Ok(stats.filter(|stat| stat[2] == group).collect())
}

/// R, S, T and so on, as ps shows it.
pub(crate) fn state(process: u32) -> Verdict<String> {
    Ok(stat(process.into())?.swap_remove(0))
}

/// Expects that while this is done, a group uses next to no processor time.
pub(crate) fn while_idle(
    group: u32,
    done: impl FnOnce() -> Verdict,
) -> Verdict {
    let before = cpu_time(group)?;
    done()?;
    let time = cpu_time(group)?.saturating_sub(before);
    ensure!(time < Duration::from_millis(100), "it used {time:?} of processor");
    Ok(())
}

/// Processor time that the processes of a group have used so far.
fn cpu_time(group: u32) -> Verdict<Duration> {
    // Fields 14 and 15 of proc(5), in hundredths of a second.
    let ticks = members(group)?
        .iter()
        .flat_map(|stat| {
            [11, 12].map(|field: usize| stat[field].parse::<u64>().unwrap_or(0))
        })
        .sum::<u64>();
    Ok(Duration::from_millis(10 * ticks))
}

/// The fields of /proc/PID/stat from the third on: before that is the name,
/// in which anything may stand.
fn stat(process: u64) -> Verdict<Vec<String>> {
    linux()?;
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let fields: Vec<_> = fields.split_whitespace().map(str::to_owned).collect();
    if fields.len() < 13 {
        let message = format!("cannot read /proc/{process}/stat");
        return Err(Fault::Checker(message));
    }
    Ok(fields)
}

/// A process's own memory, in bytes: neither its files nor the kernel's part.
pub(crate) fn memory(process: u32) -> Verdict<u64> {
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
