//! strace: whether it is available, and the system calls that it counts.

use std::collections::BTreeMap;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::proc;
use crate::process::{self, Process, output};

/// How long strace may take to attach to a process, and to detach.
const ATTACH_TIME_MAX: Duration = Duration::from_secs(8);

/// How often each system call was made, by name.
pub type Counts = BTreeMap<String, u64>;

/// The version of strace, if it is installed and allowed to trace.
pub fn version() -> Result<String, String> {
    let strace = |arguments: &[&str]| {
        let mut strace = Command::new("strace");
        strace.args(arguments).stdin(Stdio::null());
        output(&mut strace).map_err(|_| {
            "strace is not installed, or this system does not have it: on \
             Debian and Ubuntu, sudo apt-get install strace"
                .to_string()
        })
    };
    let version = strace(&["--version"])?;
    let tries = strace(&["-f", "-o", "/dev/null", "true"])?;
    if !tries.status.success() {
        let why = String::from_utf8_lossy(&tries.stderr);
        return Err(format!("strace may not trace here: {}", why.trim()));
    }
    let version = String::from_utf8_lossy(&version.stdout);
    let version = version.lines().next().unwrap_or_default();
    Ok(version.rsplit(' ').next().unwrap_or_default().to_string())
}

/// The words to put before a command to count its system calls; the counts are
/// in a file when it has ended. The command is our child and not strace's
/// (-DD), so it is killed with us.
pub fn counting(file: &str) -> [&str; 7] {
    ["strace", "-DD", "-c", "-f", "-o", file, "--"]
}

/// Options that make system calls fail, such as `accept4:error=EBADF`.
fn injecting(calls: &str) -> Vec<String> {
    let (names, _) = calls.split_once(':').unwrap_or((calls, ""));
    let (trace, inject) = (format!("trace={names}"), format!("inject={calls}"));
    let options = ["-qq", "-f", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    options.map(str::to_owned).into()
}

/// The words to put before a command to make these system calls fail. As with
/// [`counting`], the command is our child.
pub fn failing(calls: &str) -> Vec<String> {
    let mut words = vec!["strace".to_string(), "-DD".into()];
    words.extend(injecting(calls));
    words.push("--".into());
    words
}

/// Until this is dropped, system calls of running processes fail.
#[derive(Debug)]
pub struct Failing(Process);

impl Failing {
    /// Attaches to these processes, which takes a moment.
    pub fn attach(processes: &[u32], calls: &str) -> io::Result<Self> {
        let mut command = Command::new("strace");
        command.args(injecting(calls));
        for process in processes {
            command.args(["-p", &process.to_string()]);
        }
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let mut strace = Process::spawn(&mut command)?;
        let attached = process::wait_for(ATTACH_TIME_MAX, || {
            let is_ended = strace.ended()?.is_some();
            let all = processes.iter().all(|&one| proc::is_traced(one));
            Ok::<_, io::Error>((is_ended || all).then_some(all))
        })?;
        match attached {
            Some(true) => Ok(Self(strace)),
            _ => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "strace may not attach to a process here",
            )),
        }
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        // strace detaches when it is told to end.
        self.0.stop(ATTACH_TIME_MAX).ok();
    }
}

/// Reads the table of `strace -c`: a line for each call, with the number of
/// calls in the fourth column and the name in the last. None if the table is
/// incomplete.
pub fn counts(table: &str) -> Option<Counts> {
    let mut counts = Counts::new();
    for line in table.lines() {
        let columns: Vec<_> = line.split_whitespace().collect();
        let [share, _, _, calls, .., name] = columns[..] else { continue };
        if share.parse::<f64>().is_err() {
            continue;
        }
        if name == "total" {
            return Some(counts);
        }
        counts.insert(name.into(), calls.parse().ok()?);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000060           1        42           recvfrom
 40.00    0.000040           2        20         3 accept4
------ ----------- ----------- --------- --------- ----------------
100.00    0.000100           1        62         3 total
";

    #[test]
    fn reads_each_call_and_no_total() {
        let expected = [("accept4".into(), 20), ("recvfrom".into(), 42)];
        assert_eq!(counts(TABLE), Some(Counts::from(expected)));
    }

    #[test]
    fn a_table_without_its_end_is_none() {
        let (half, _) = TABLE.rsplit_once("100.00").unwrap();
        assert_eq!(counts(half), None);
    }
}
