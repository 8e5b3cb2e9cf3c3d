//! Signals and processes, as the operating system has them.
#![expect(unsafe_code, reason = "std has no signals and no fork")]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicUsize, Ordering};

use libc::c_int;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal};
use nix::sys::signal::{kill, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe};

use crate::faults::faulty;

/// What has not ended by then is cut.
const STOP_TIME_MAX: libc::timeval =
    libc::timeval { tv_sec: 1, tv_usec: 800_000 };

/// Signals closer to each other are one: timeout(1) sends two.
const ONE_SIGNAL_MS: i64 = 100;

/// Readable from the moment of the first signal on, in this process and in
/// its children. It is never read from.
#[derive(Debug)]
pub(crate) struct Stop(OwnedFd);

impl AsRawFd for Stop {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

static STOP_WRITER: AtomicI32 = AtomicI32::new(-1);
static FIRST_SIGNAL_MS: AtomicI64 = AtomicI64::new(0);

pub(crate) fn catch_signals() -> io::Result<Stop> {
    if !faulty("keeps-signals-blocked") {
        // What the parent has blocked would stay so.
        SigSet::empty().thread_set_mask()?;
    }
    let (reader, writer) = pipe()?;
    STOP_WRITER.store(writer.into_raw_fd(), Ordering::Relaxed);
    catch(Signal::SIGALRM, on_alarm)?;
    if faulty("dies-of-sigpipe") {
        // So it is in C. Rust has it ignored before main().
        handle(Signal::SIGPIPE, SigHandler::SigDfl)?;
    }
    if faulty("dies-of-sigterm") {
        return Ok(Stop(reader));
    }
    catch(Signal::SIGINT, on_stop)?;
    if faulty("ignores-sigterm") {
        handle(Signal::SIGTERM, SigHandler::SigIgn)?;
    } else {
        catch(Signal::SIGTERM, on_stop)?;
    }
    Ok(Stop(reader))
}

fn catch(signal: Signal, handler: extern "C" fn(c_int)) -> io::Result<()> {
    handle(signal, SigHandler::Handler(handler))
}

fn handle(signal: Signal, handler: SigHandler) -> io::Result<()> {
    // Without SA_RESTART: a signal cuts system calls short.
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: our handlers call nothing that a handler may not.
    unsafe { sigaction(signal, &action) }?;
    Ok(())
}

extern "C" fn on_stop(signal: c_int) {
    match since_first_signal() {
        None => stop(),
        Some(time_ms) if time_ms < ONE_SIGNAL_MS => {}
        // SAFETY: all of them take any numbers. What is raised is delivered
        // when this handler has returned.
        Some(_) => unsafe {
            if libc::getpid() == 1 && !faulty("process-1-goes-on") {
                libc::_exit(128 + signal);
            }
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        },
    }
}

/// None if this is the first one.
fn since_first_signal() -> Option<i64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it fills `now`.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let now_ms = (now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6) as i64;
    let first = FIRST_SIGNAL_MS.compare_exchange(
        0,
        now_ms,
        Ordering::Relaxed,
        Ordering::Relaxed,
    );
    first.err().map(|first_ms| now_ms - first_ms)
}

fn stop() {
    if !faulty("slow-stop") {
        set_alarm();
    }
    let writer = STOP_WRITER.load(Ordering::Relaxed);
    // SAFETY: there is one byte to be written.
    unsafe { libc::write(writer, [0_u8].as_ptr().cast(), 1) };
}

fn set_alarm() {
    // SAFETY: all zeros is no interval.
    let mut timer: libc::itimerval = unsafe { mem::zeroed() };
    timer.it_value = STOP_TIME_MAX;
    let timer = &raw const timer;
    // SAFETY: it reads the timer that it is given.
    unsafe { libc::setitimer(libc::ITIMER_REAL, timer, ptr::null_mut()) };
}

extern "C" fn on_alarm(_: c_int) {
    let stopping = FIRST_SIGNAL_MS.load(Ordering::Relaxed) != 0;
    if stopping || faulty("alarm-is-a-stop") {
        // SAFETY: it ends the process, and touches nothing of it.
        unsafe { libc::_exit(0) };
    }
}

/// The socket of the one client that a child serves.
static CHILD_SOCK: AtomicI32 = AtomicI32::new(-1);

/// A child alone is told to end: its client has said all that it will say.
extern "C" fn on_child_stop(_: c_int) {
    if since_first_signal().is_none() {
        let sock = CHILD_SOCK.load(Ordering::Relaxed);
        // SAFETY: shutdown() takes any numbers.
        unsafe { libc::shutdown(sock, libc::SHUT_RD) };
        set_alarm();
    }
}

/// Whether a child has not been reaped yet.
pub(crate) fn is_there(child: Pid) -> bool {
    kill(child, None).is_ok()
}

/// Children that have not been reaped. Counted up before a fork, lest a child
/// that ends at once is counted down first.
static CHILDREN: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn children() -> usize {
    CHILDREN.load(Ordering::Relaxed)
}

/// A child stops when its parent does, and ends with it.
pub(crate) fn fork_for(sock: RawFd) -> io::Result<ForkResult> {
    CHILDREN.fetch_add(1, Ordering::Relaxed);
    // SAFETY: this process has one thread, so the child is a whole copy.
    let forked = unsafe { fork() }.inspect_err(|_| {
        CHILDREN.fetch_sub(1, Ordering::Relaxed);
    })?;
    if forked.is_child() {
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        CHILD_SOCK.store(sock, Ordering::Relaxed);
        if !faulty("child-stops-all") {
            catch(Signal::SIGINT, on_child_stop)?;
            catch(Signal::SIGTERM, on_child_stop)?;
        }
    }
    Ok(forked)
}

/// From now on, what is left of a child that has ended is taken away.
pub(crate) fn reap_children() -> io::Result<()> {
    catch(Signal::SIGCHLD, on_child)
}

extern "C" fn on_child(_: c_int) {
    // The code that we have interrupted may still have to read errno.
    let before = Errno::last_raw();
    let reap = || waitpid(None, Some(WaitPidFlag::WNOHANG));
    while reap().is_ok_and(|status| status != WaitStatus::StillAlive) {
        CHILDREN.fetch_sub(1, Ordering::Relaxed);
    }
    Errno::set_raw(before);
}

/// Waits until no child is left.
pub(crate) fn wait_for_children() {
    while waitpid(None, None).or_else(interrupted).is_ok() {}
}

/// It goes on when a signal has cut it short.
fn interrupted(err: Errno) -> Result<WaitStatus, Errno> {
    match err {
        Errno::EINTR if !faulty("eintr-is-fatal") => Ok(WaitStatus::StillAlive),
        err => Err(err),
    }
}
