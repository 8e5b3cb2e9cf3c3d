//! Commands that are given so much time and no more.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use zen_check::launch;

/// How often to look whether a command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Runs a command to its end, in a group of its own; None if it had to be
/// killed, with all of its group.
///
/// # Errors
/// It cannot be started.
pub fn run(
    command: &mut Command,
    time_max: Duration,
) -> io::Result<Option<ExitStatus>> {
    run_while(command, time_max, &mut |_| true)
}

/// The same, but it is also killed when `may_go_on` says no of the process with
/// this number.
///
/// # Errors
/// It cannot be started.
pub fn run_while(
    command: &mut Command,
    time_max: Duration,
    may_go_on: &mut dyn FnMut(u32) -> bool,
) -> io::Result<Option<ExitStatus>> {
    launch::in_own_group(command);
    let deadline = Instant::now() + time_max;
    let mut child = command.spawn()?;
    let _along = launch::TakenAlong::new(child.id());
    loop {
        if let Some(status) = child.try_wait()? {
            // What it has left behind does not stay.
            kill_group(&child);
            return Ok(Some(status));
        }
        if Instant::now() >= deadline || !may_go_on(child.id()) {
            kill_group(&child);
            child.kill().ok();
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

pub(crate) fn cannot_run(command: &Command, err: &io::Error) -> String {
    let program = command.get_program().to_string_lossy();
    format!("cannot run {program}: {err}")
}

#[cfg(unix)]
fn kill_group(child: &Child) {
    use nix::sys::signal::{Signal, killpg};
    let group = nix::unistd::Pid::from_raw(child.id() as i32);
    // An error says that nobody is left.
    killpg(group, Signal::SIGKILL).ok();
}

#[cfg(not(unix))]
fn kill_group(_: &Child) {}
