//! What a submission may use: the kernel limits each process, and a keeper
//! outside of the cage counts all of them together.

use zen_harness::proc;

use crate::assignment::Assignment;

/// What a command and all its descendants may use together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// MiB of resident memory of all processes together.
    pub(crate) memory_mib: u64,
    /// Threads of all processes together.
    pub(crate) processes: u64,
    /// Descriptors of each process.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "for a kernel")
    )]
    pub(crate) descriptors: u64,
    /// Seconds of processor time of each process.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "for a kernel")
    )]
    pub(crate) cpu_seconds: u64,
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

#[cfg(target_os = "linux")]
mod apply {
    use std::fs;
    use std::io;

    use rustix::process::{self, Resource, Rlimit};
    use rustix::thread;

    use super::Limits;

    /// The kernel's limit on the memory that a process reserves is this many
    /// times the limit on what all use together, which the keeper counts.
    const RESERVED_FACTOR: u64 = 4;

    /// The largest file that a process may write.
    const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

    /// Below every program of the machine's owner.
    const NICE: i32 = 19;

    impl Limits {
        /// Puts this process, and all that it starts, within the limits. It
        /// makes system calls only, so it may be called after fork().
        pub(crate) fn apply(self) -> io::Result<()> {
            self.share()?;
            // In a new user namespace, only its own processes count.
            lower(Resource::Nproc, self.processes)?;
            lower(Resource::Fsize, FILE_BYTES_MAX)?;
            lower(Resource::Core, 0)?;
            lower(Resource::Cpu, self.cpu_seconds)?;
            process::setpriority_process(None, NICE)?;
            // If the machine runs out of memory, they are ended first.
            fs::write("/proc/self/oom_score_adj", "1000")?;
            Ok(thread::set_no_new_privs(true)?)
        }

        /// The limits that a case may change in a server. It keeps the maximum
        /// of the checker, so both must have the same.
        pub(crate) fn share(self) -> io::Result<()> {
            let reserved = self.memory_mib * 1024 * 1024 * RESERVED_FACTOR;
            lower(Resource::As, reserved)?;
            lower(Resource::Nofile, self.descriptors)
        }
    }

    /// Sets a limit, but no process may raise its own.
    fn lower(resource: Resource, most: u64) -> io::Result<()> {
        let most = match process::getrlimit(resource).maximum {
            Some(maximum) => most.min(maximum),
            None => most,
        };
        let (current, maximum) = (Some(most), Some(most));
        Ok(process::setrlimit(resource, Rlimit { current, maximum })?)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "only after fork() can a child change itself")]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Output};

    use rustix::thread::{UnshareFlags, unshare_unsafe};

    use super::Limits;

    /// The output of a script within limits. In a user namespace, only its own
    /// processes count; None where there are none.
    fn within(script: &str) -> Option<Output> {
        let limits = Limits {
            memory_mib: 64,
            processes: 16,
            descriptors: 32,
            cpu_seconds: 9,
        };
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        // SAFETY: between fork and exec it makes system calls only, and no
        // other thread of the child has the flags.
        unsafe {
            command.pre_exec(move || {
                unshare_unsafe(UnshareFlags::NEWUSER)?;
                limits.apply()
            });
        }
        match command.output() {
            Ok(output) => Some(output),
            Err(err) => {
                println!("skipped: no namespaces here: {err}");
                None
            }
        }
    }

    #[test]
    fn a_command_has_limits_and_comes_last() {
        let script = "ulimit -t; ulimit -n; ulimit -v; ulimit -p || ulimit -u;
            nice; cat /proc/self/oom_score_adj
            grep NoNewPrivs /proc/self/status";
        let Some(output) = within(script) else { return };
        let said = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<_> = said.split_whitespace().collect();
        // 4 times 64 MiB of address space.
        let expected =
            ["9", "32", "262144", "16", "19", "1000", "NoNewPrivs:", "1"];
        assert_eq!(numbers, expected, "{output:?}");
    }

    #[test]
    fn memory_beyond_the_limit_is_refused() {
        // A process may reserve 256 MiB, and this is twice as much.
        let script = "head -c 536870912 /dev/zero | tail -n 1 | wc -c";
        let Some(output) = within(script) else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("memory exhausted"), "{output:?}");
    }
}
