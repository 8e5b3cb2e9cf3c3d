//! Signals and processes, as the operating system has them.
#![expect(unsafe_code, reason = "std has no signals and no fork")]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicUsize, Ordering};

use libc::c_int;

use crate::faults::{Fault, faulty};
use crate::system::checked;

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
    if !faulty(Fault::KeepsSignalsBlocked) {
        unblock_signals();
    }
    let mut ends = [0; 2];
    // SAFETY: pipe() fills both descriptors, which are used nowhere else.
    let reader = unsafe {
        checked(|| libc::pipe(ends.as_mut_ptr()) as isize)?;
        OwnedFd::from_raw_fd(ends[0])
    };
    STOP_WRITER.store(ends[1], Ordering::Relaxed);
    catch(libc::SIGALRM, on_alarm)?;
    if faulty(Fault::DiesOfSigpipe) {
        // So it is in C. Rust has it ignored before main().
        handle(libc::SIGPIPE, libc::SIG_DFL)?;
    }
    if faulty(Fault::DiesOfSigterm) {
        return Ok(Stop(reader));
    }
    catch(libc::SIGINT, on_stop)?;
    if faulty(Fault::IgnoresSigterm) {
        handle(libc::SIGTERM, libc::SIG_IGN)?;
    } else {
        catch(libc::SIGTERM, on_stop)?;
    }
    Ok(Stop(reader))
}

/// What the parent has blocked would stay so.
fn unblock_signals() {
    // SAFETY: all zeros is a valid set, which the calls fill and read.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut());
    }
}

fn catch(signal: c_int, handler: extern "C" fn(c_int)) -> io::Result<()> {
    handle(signal, handler as *const () as libc::sighandler_t)
}

fn handle(signal: c_int, handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: all zeros is a valid sigaction, and our handlers call nothing
    // that a handler may not.
    checked(|| unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        libc::sigaction(signal, &raw const action, ptr::null_mut()) as isize
    })
    .map(drop)
}

extern "C" fn on_stop(signal: c_int) {
    match since_first_signal() {
        None => stop(),
        Some(time_ms) if time_ms < ONE_SIGNAL_MS => {}
        // SAFETY: all of them take any numbers. What is raised is delivered
        // when this handler has returned.
        Some(_) => unsafe {
            if libc::getpid() == 1 && !faulty(Fault::Process1GoesOn) {
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
    if !faulty(Fault::SlowStop) {
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
    if stopping || faulty(Fault::AlarmIsAStop) {
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

pub(crate) enum Forked {
    Child,
    Parent(libc::pid_t),
}

/// Whether a child has not been reaped yet.
pub(crate) fn is_there(child: libc::pid_t) -> bool {
    // SAFETY: kill() takes any numbers.
    unsafe { libc::kill(child, 0) == 0 }
}

/// Children that have not been reaped. Counted up before a fork, lest a child
/// that ends at once is counted down first.
static CHILDREN: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn children() -> usize {
    CHILDREN.load(Ordering::Relaxed)
}

/// A child stops when its parent does, and ends with it.
pub(crate) fn fork_for(sock: RawFd) -> io::Result<Forked> {
    CHILDREN.fetch_add(1, Ordering::Relaxed);
    // SAFETY: this process has one thread, so the child is a whole copy.
    let forked = checked(|| unsafe { libc::fork() as isize });
    let forked = forked.inspect_err(|_| {
        CHILDREN.fetch_sub(1, Ordering::Relaxed);
    });
    match forked? {
        0 => {
            #[cfg(target_os = "linux")]
            // SAFETY: prctl() with these arguments touches no memory.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            }
            CHILD_SOCK.store(sock, Ordering::Relaxed);
            if !faulty(Fault::ChildStopsAll) {
                catch(libc::SIGINT, on_child_stop)?;
                catch(libc::SIGTERM, on_child_stop)?;
            }
            Ok(Forked::Child)
        }
        child => Ok(Forked::Parent(child as libc::pid_t)),
    }
}

/// From now on, what is left of a child that has ended is taken away.
pub(crate) fn reap_children() -> io::Result<()> {
    catch(libc::SIGCHLD, on_child)
}

extern "C" fn on_child(_: c_int) {
    // SAFETY: errno is this thread's own, and the code that we have interrupted
    // may still have to read it. waitpid() may be given nothing to fill.
    unsafe {
        let before = *errno();
        while libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) > 0 {
            CHILDREN.fetch_sub(1, Ordering::Relaxed);
        }
        *errno() = before;
    }
}

/// Waits until no child is left.
pub(crate) fn wait_for_children() {
    // SAFETY: waitpid() may be given nothing to fill.
    let wait = || unsafe { libc::waitpid(-1, ptr::null_mut(), 0) as isize };
    while checked(wait).is_ok() {}
}

fn errno() -> *mut c_int {
    // SAFETY: it is a valid pointer for as long as the thread lives.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::__errno_location()
    }
    // SAFETY: the same.
    #[cfg(not(target_os = "linux"))]
    unsafe {
        libc::__error()
    }
}
