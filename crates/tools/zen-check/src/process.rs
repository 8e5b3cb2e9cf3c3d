//! What a case expects of a server's processes. What /proc tells of them is
//! zen-harness's.

use std::thread;
use std::time::{Duration, Instant};

use zen_harness::process::wait_for;

pub(crate) use zen_harness::proc::*;

use crate::verdict::{Fault, Verdict, ensure, ensure_in_time};

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

/// A tick wakes a server ten times in a second, and nothing here takes longer
/// than some seconds.
const SLEEPS_MAX: u64 = 1000;

/// A poller may return without an event now and then.
const WAKES_MAX: u64 = 5;

/// Less than this cannot be told from no time at all.
const TICK: Duration = Duration::from_millis(10);

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
        time < TICK || !awake || sleeps(&at_first, &at_last) > 0,
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

/// Expects that in this time nothing wakes a server but, if it may have one, a
/// tick, and that it uses next to no processor time.
pub(crate) fn stays_asleep(
    process: u32,
    time: Duration,
    may_tick: bool,
) -> Verdict {
    while_idle(process, || {
        let slept = wakes(process, time)?;
        let most = if may_tick { SLEEPS_MAX } else { WAKES_MAX };
        ensure!(
            slept < most,
            "while it had nothing to do it woke up {slept} times"
        );
        Ok(())
    })
}

/// Waits until a server has done what it was asked before. If it never rests,
/// the next measurement finds that out.
pub(crate) fn come_to_rest(process: u32) -> Verdict {
    let deadline = Instant::now() + REST_TIME_MAX;
    while Instant::now() < deadline {
        let before = cpu_time(process)?;
        thread::sleep(Duration::from_millis(50));
        let awake = threads(process)?.values().any(|it| it.awake);
        if !awake && cpu_time(process)?.saturating_sub(before) < TICK / 2 {
            break;
        }
    }
    Ok(())
}

/// How often the threads that there are at last have gone to sleep meanwhile.
fn sleeps(at_first: &Threads, at_last: &Threads) -> u64 {
    let sleeps = at_last.iter().map(|(id, thread)| {
        let before = at_first.get(id).map_or(0, |it| it.sleeps);
        thread.sleeps.saturating_sub(before)
    });
    sleeps.sum()
}
