//! What a case expects of a server's processes. What /proc tells of them is
//! zen-harness's.

use std::thread;
use std::time::{Duration, Instant};

use zen_harness::process::wait_for;

pub(crate) use zen_harness::proc::*;

use crate::verdict::{Fault, Verdict, ensure};

/// How long a condition may take to come about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);

/// Waits until a condition holds that nothing announces.
pub(crate) fn wait_until(
    what: &str,
    patience: Duration,
    mut holds: impl FnMut() -> Verdict<bool>,
) -> Verdict {
    let held = || holds().map(|holds| holds.then_some(()));
    wait_for(patience, held)?.ok_or_else(|| {
        let seconds = patience.as_secs();
        Fault::server(format!("after {seconds} s, still not {what}"))
    })
}

/// Counts everything when the numbers have come to rest.
pub(crate) fn parts_at_rest(process: u32) -> Verdict<Parts> {
    let mut parts = parts(process)?;
    wait_until("at rest", PATIENCE, || {
        let before = parts.counts();
        thread::sleep(Duration::from_millis(50));
        parts = zen_harness::proc::parts(process)?;
        Ok(parts.counts() == before)
    })?;
    Ok(parts)
}

/// A server that ticks ten times a second wakes up less often than this, as
/// nothing here takes longer than some seconds.
pub(crate) const WITH_A_TICK: u64 = 1000;

/// The same for one without a tick: a poller may return without an event now
/// and then.
pub(crate) const WITHOUT_A_TICK: u64 = 5;

/// Less than this cannot be told from no time at all.
const TICK: Duration = Duration::from_millis(10);

/// A server that has nothing to do needs a hundredth of this, also on a busy
/// machine: processor time is counted only while the server runs.
const IDLE_CPU_MAX: Duration = Duration::from_millis(100);

/// Work of this much processor time is not left over from an earlier request.
const REST_CPU_MAX: Duration = Duration::from_secs(1);

/// What the threads of a server have used, from some moment on.
struct Watch {
    process: u32,
    begun: Instant,
    cpu_time: Duration,
    threads: Threads,
}

impl Watch {
    fn start(process: u32) -> Verdict<Self> {
        let (cpu_time, threads) = (cpu_time(process)?, threads(process)?);
        Ok(Self { process, begun: Instant::now(), cpu_time, threads })
    }

    fn used(&self) -> Verdict<Duration> {
        Ok(cpu_time(self.process)?.saturating_sub(self.cpu_time))
    }

    /// How often its threads have gone to sleep so far.
    fn sleeps(&self) -> Verdict<u64> {
        let now = threads(self.process)?;
        let sleeps = now.iter().map(|(id, thread)| {
            let before = self.threads.get(id).map_or(0, |it| it.sleeps);
            thread.sleeps.saturating_sub(before)
        });
        Ok(sleeps.sum())
    }

    fn is_awake(&self) -> Verdict<bool> {
        Ok(threads(self.process)?.values().any(|it| it.awake))
    }

    /// Expects that it has used next to no processor time so far. A busy
    /// machine is no excuse: it gives a server less of that, and not more.
    fn expect_idle(&self) -> Verdict {
        let time = self.used()?;
        if time <= IDLE_CPU_MAX {
            return Ok(());
        }
        let spins = match self.sleeps()? {
            0 => "it spins and never goes to sleep: ",
            _ => "",
        };
        Err(Fault::spins(format!(
            "{spins}while it had nothing to do it used {time:.0?} of processor \
            time in {:.1?}, and {IDLE_CPU_MAX:?} are allowed",
            self.begun.elapsed()
        )))
    }

    /// Expects that it sleeps now. One that is awake may lack a processor, and
    /// with it the time to show that it spins, so it is watched for longer.
    fn end(&self) -> Verdict {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.expect_idle()?;
            if !self.is_awake()? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let what = "while it had nothing to do it did not go to sleep";
                return Err(Fault::late(PATIENCE, what));
            }
            thread::sleep(TICK);
        }
    }
}

/// Expects that while this is done, a server uses next to no processor time.
pub(crate) fn while_idle(
    process: u32,
    done: impl FnOnce() -> Verdict,
) -> Verdict {
    let watch = Watch::start(process)?;
    done()?;
    watch.end()
}

/// The processor time that a server uses in this time, if it runs all of it.
pub(crate) fn spins(process: u32, time: Duration) -> Verdict<Option<Duration>> {
    let watch = Watch::start(process)?;
    thread::sleep(time);
    let used = watch.used()?;
    let never_slept = watch.is_awake()? && watch.sleeps()? == 0;
    Ok(Some(used).filter(|_| used >= TICK && never_slept))
}

/// Expects that in this time a server wakes up less often than this, and uses
/// next to no processor time.
pub(crate) fn stays_asleep(
    process: u32,
    time: Duration,
    wakes_max: u64,
) -> Verdict {
    let watch = Watch::start(process)?;
    while watch.begun.elapsed() < time {
        let left = time.saturating_sub(watch.begun.elapsed());
        thread::sleep(left.min(IDLE_CPU_MAX));
        watch.expect_idle()?;
    }
    let slept = watch.sleeps()?;
    ensure!(
        slept < wakes_max,
        "while it had nothing to do it woke up {slept} times in {time:?}, and \
        fewer than {wakes_max} are allowed"
    );
    watch.end()
}

/// Waits until a server has done what it was asked before. If it never rests,
/// the next measurement finds that out.
pub(crate) fn come_to_rest(process: u32) -> Verdict {
    let watch = Watch::start(process)?;
    while watch.begun.elapsed() < PATIENCE && watch.used()? < REST_CPU_MAX {
        let before = watch.used()?;
        thread::sleep(Duration::from_millis(50));
        if !watch.is_awake()? && watch.used()?.saturating_sub(before) < TICK / 2
        {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Only there can a server's threads be watched.
    #[cfg(target_os = "linux")]
    #[test]
    fn one_that_spins_after_a_sleep_is_not_at_rest() -> std::io::Result<()> {
        use std::io::{Read, Write};
        use std::process::{Command, Stdio};

        use crate::outcome::Because;

        // With a limit on its processor time, in case it is not killed.
        let script =
            "ulimit -t 20; read _; sleep 0.1; echo; while :; do :; done";
        let mut spinner = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let watch = Watch::start(spinner.id());
        let mut input = spinner.stdin.take().expect("it is piped");
        let mut output = spinner.stdout.take().expect("it is piped");
        let told = input.write_all(b"\n");
        let slept = told.and_then(|()| output.read_exact(&mut [0]));
        // It has slept, and has used too little processor time to be blamed.
        let ended = watch.and_then(|watch| watch.end());
        spinner.kill()?;
        spinner.wait()?;
        slept?;
        let Err(Fault::Server(failure)) = ended else { panic!("it spins") };
        assert_eq!(failure.because, Some(Because::Spins));
        Ok(())
    }

    #[test]
    fn a_longer_wait_looks_less_often() {
        let mut looks = 0;
        let never = wait_until("there", Duration::from_millis(500), || {
            looks += 1;
            Ok(false)
        });
        assert!(never.is_err());
        // One look every 2 ms would be 250, and a busy machine allows fewer.
        assert!(looks < 120, "{looks} looks in half a second");
    }
}
