//! A control group for a submission, where this process may make one. With it
//! the kernel counts processes and memory, also what no process has mapped, and
//! a submission gets a small share of the processors.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use zen_harness::process::wait_for;

use super::limits::Limits;

const ROOT: &str = "/sys/fs/cgroup";

/// What `examine` needs beside the submission, and what the files in the cage
/// take of the memory.
const PROCESSES_MORE: u64 = 64;
const MEMORY_MIB_MORE: u64 = 1280;

/// The usual share is 100.
const CPU_WEIGHT: &str = "20";

/// How long a group that was killed may take to be empty.
const EMPTY_TIME_MAX: Duration = Duration::from_secs(5);

/// Where groups can be made: the group of this process, or the next one above
/// it that counts for its children.
pub(crate) fn home() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    home_above(&Path::new(ROOT).join(own), Path::new(ROOT))
}

fn home_above(own: &Path, root: &Path) -> Option<PathBuf> {
    let all = own.ancestors().take_while(|it| it.starts_with(root));
    let mut able = all.filter(|it| {
        let counted = fs::read_to_string(it.join("cgroup.subtree_control"));
        let counted = counted.unwrap_or_default();
        let has = |name| counted.split_whitespace().any(|it| it == name);
        has("memory") && has("pids")
    });
    able.find(|it| Group::new(it, "trial").is_ok()).map(Path::to_path_buf)
}

/// It is killed and removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Group(PathBuf);

impl Group {
    pub(crate) fn new(home: &Path, name: &str) -> io::Result<Self> {
        let own = std::process::id();
        let folder = home.join(format!("zen-homework-{own}-{name}"));
        fs::create_dir(&folder).map(|()| Self(folder))
    }

    /// From now on, it may use this much.
    pub(crate) fn limit(&self, limits: Limits) {
        let mib = limits.memory_mib + MEMORY_MIB_MORE;
        for (file, text) in [
            ("memory.max", format!("{mib}M")),
            ("memory.swap.max", "0".into()),
            ("pids.max", (limits.processes + PROCESSES_MORE).to_string()),
            ("cpu.weight", CPU_WEIGHT.into()),
        ] {
            // What is missing here is limited in other ways as well.
            fs::write(self.0.join(file), text).ok();
        }
    }

    /// Starts the command in this group.
    pub(crate) fn hold(&self, command: &mut Command) {
        #[cfg(target_os = "linux")]
        super::cage::join(command, self.0.join("cgroup.procs"));
        #[cfg(not(target_os = "linux"))]
        let _ = command;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        fs::write(self.0.join("cgroup.kill"), "1").ok();
        let removed = || match fs::remove_dir(&self.0) {
            Err(err) if err.kind() == io::ErrorKind::ResourceBusy => Ok(None),
            done => done.map(Some),
        };
        wait_for(EMPTY_TIME_MAX, removed).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Group, home_above};
    use crate::teacher::limits::Limits;

    #[test]
    fn the_next_group_that_counts_is_used() {
        let name = format!("zen-homework-groups-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let own = root.join("user/session");
        fs::create_dir_all(&own).unwrap();
        assert_eq!(home_above(&own, &root), None);
        for (place, text) in [("user/session", ""), ("user", "cpu memory pids")]
        {
            let file = root.join(place).join("cgroup.subtree_control");
            fs::write(file, text).unwrap();
        }
        let home = home_above(&own, &root).unwrap();
        assert_eq!(home, root.join("user"));
        let group = Group::new(&home, "1").unwrap();
        group.limit(Limits::of_build(9));
        let read = |file| fs::read_to_string(group.0.join(file)).unwrap();
        assert_eq!(read("pids.max"), "1088");
        assert_eq!(read("memory.max"), "5376M");
        drop(group);
        fs::remove_dir_all(&root).unwrap();
    }
}
