//! The table of sockets, and the signal handlers.
#![expect(unsafe_code, reason = "signal handlers call the C library")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize};
use std::time::Instant;

pub use std::os::fd::AsFd as AsSocket;

use libc::c_int;

use crate::{Listener, log};

/// Sockets with a descriptor below this are told of a stop: more than a process
/// may usually open. The 128 KiB of the table cost nothing until they are used.
const DESCRIPTORS_MAX: usize = 1 << 20;

/// How long clients get to read their last answers before the process ends:
/// "shortly before 2 s". alarm(2) only counts whole seconds.
const CUT_OFF_AFTER_MS: u32 = 1800;

/// A second signal within this time counts as part of the first.
const SECOND_SIGNAL_AFTER_MS: u32 = 100;

const BITS: usize = usize::BITS as usize;

/// One bit for each descriptor that is a socket of ours.
static SOCKETS: [AtomicUsize; DESCRIPTORS_MAX / BITS] =
    [const { AtomicUsize::new(0) }; DESCRIPTORS_MAX / BITS];

/// The moment from which `now_ms` counts. Set before there is a handler.
static STARTED: OnceLock<Instant> = OnceLock::new();

/// When the first signal came, by `now_ms`; 0 until then.
static BEGUN_AT_MS: AtomicU32 = AtomicU32::new(0);

/// The process that logs "Shutting down"; its children do not repeat it.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// The listener's descriptor, for `wake_accept`.
static LISTENER: AtomicI32 = AtomicI32::new(-1);

/// Whether the server was told to stop.
#[must_use]
pub fn begun() -> bool {
    BEGUN_AT_MS.load(SeqCst) != 0
}

pub(crate) fn insert(sock: &impl AsSocket) {
    if let Some((word, bit)) = place(sock) {
        word.fetch_or(bit, SeqCst);
    }
}

pub(crate) fn remove(sock: &impl AsSocket) {
    if let Some((word, bit)) = place(sock) {
        word.fetch_and(!bit, SeqCst);
    }
}

fn place(sock: &impl AsSocket) -> Option<(&'static AtomicUsize, usize)> {
    let descriptor = usize::try_from(sock.as_fd().as_raw_fd()).ok()?;
    let word = SOCKETS.get(descriptor / BITS)?;
    Some((word, 1 << (descriptor % BITS)))
}

pub(crate) fn shut_down_reading(sock: &impl AsSocket) {
    shut_down(sock.as_fd().as_raw_fd());
}

fn shut_down(descriptor: RawFd) {
    // SAFETY: shutdown(2) takes any number; it fails on what is no socket.
    unsafe { libc::shutdown(descriptor, libc::SHUT_RD) };
}

/// From now on SIGINT and SIGTERM end the server: see [`crate::shutdown`].
///
/// Only a server that does not create its own listener calls this itself. Call
/// it before any thread is started: a thread inherits which signals are blocked.
///
/// # Errors
///
/// The system refuses to install a handler.
pub fn on_signals(listener: Option<&Listener>) -> io::Result<()> {
    STARTED.get_or_init(Instant::now);
    // SAFETY: getpid() cannot fail.
    PROCESS.store(unsafe { libc::getpid() }, SeqCst);
    if let Some(listener) = listener {
        LISTENER.store(listener.as_raw_fd(), SeqCst);
    }
    handle(libc::SIGALRM, cut_off)?;
    handle(libc::SIGINT, stop)?;
    handle(libc::SIGTERM, stop)
}

fn handle(signal: c_int, handler: extern "C" fn(c_int)) -> io::Result<()> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zeros is a valid sigaction, and the fields set here make it
    // one that calls `handler`, which is async-signal-safe.
    let result = unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        // Other libraries in this process may not expect EINTR.
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        // SIGINT and SIGTERM wait for each other; SIGALRM interrupts both.
        if signal != libc::SIGALRM {
            libc::sigaddset(&raw mut action.sa_mask, libc::SIGINT);
            libc::sigaddset(&raw mut action.sa_mask, libc::SIGTERM);
        }
        libc::sigaction(signal, action, ptr::null_mut())
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // The program that started this one may have blocked it: that is inherited.
    unblock(signal);
    Ok(())
}

/// From now on this thread, and each that it starts, receives this signal.
fn unblock(signal: c_int) {
    let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset() initializes the set; all three calls are
    // async-signal-safe and cannot fail for a valid signal.
    unsafe {
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), signal);
        let signals = signals.as_ptr();
        libc::pthread_sigmask(libc::SIG_UNBLOCK, signals, ptr::null_mut());
    }
}

/// The handler of SIGINT and SIGTERM. It calls only what signal-safety(7)
/// allows, and setitimer(2), which is a plain system call.
// ANCHOR: stop
extern "C" fn stop(signal: c_int) {
    // A handler must leave errno as it found it.
    let errno = errno::errno();
    let now = now_ms();
    match BEGUN_AT_MS.compare_exchange(0, now, SeqCst, SeqCst) {
        Ok(_) => begin_to_stop(),
        Err(first) if now.wrapping_sub(first) >= SECOND_SIGNAL_AFTER_MS => {
            end_by(signal);
        }
        Err(_) => {}
    }
    errno::set_errno(errno);
}

fn begin_to_stop() {
    let timer = libc::itimerval {
        it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 },
        it_value: libc::timeval {
            tv_sec: (CUT_OFF_AFTER_MS / 1000) as _,
            tv_usec: (CUT_OFF_AFTER_MS % 1000 * 1000) as _,
        },
    };
    // SAFETY: a plain system call on a value that outlives it.
    unsafe {
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut())
    };
    for (index, word) in SOCKETS.iter().enumerate() {
        let mut bits = word.load(SeqCst);
        while bits != 0 {
            shut_down((index * BITS) as RawFd + bits.trailing_zeros() as RawFd);
            bits &= bits - 1;
        }
    }
    wake_accept();
    // SAFETY: getpid() and write() are async-signal-safe; the line is static.
    unsafe {
        if libc::getpid() == PROCESS.load(SeqCst) && log::has_room() {
            let line = b"Shutting down\n";
            libc::write(libc::STDOUT_FILENO, line.as_ptr().cast(), line.len());
        }
    }
}

/// Ends the process as this signal does when no handler is installed.
fn end_by(signal: c_int) {
    // SAFETY: all of these are async-signal-safe. The signal is blocked while
    // its handler runs, so it takes effect when it is unblocked.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
        unblock(signal);
        // Still here: process 1 of a container ignores signals that it does
        // not handle. A shell reports this status for them.
        libc::_exit(128 + signal);
    }
}

/// The handler of SIGALRM: ends the process even if a thread is blocked in
/// send(). Another program may send this signal, too: that is not the end.
extern "C" fn cut_off(_: c_int) {
    let begun_at = BEGUN_AT_MS.load(SeqCst);
    if begun_at != 0 && now_ms().wrapping_sub(begun_at) >= CUT_OFF_AFTER_MS {
        // SAFETY: _exit() is async-signal-safe.
        unsafe { libc::_exit(0) };
    }
}
// ANCHOR_END: stop

/// Called after every accept(): once the stop has begun, wakes the next thread
/// that is blocked in accept() on this listener, where the system does not.
pub(crate) fn pass_on(_: &Listener) {
    if begun() {
        wake_accept();
    }
}

/// On Linux, every accept() on a listener that is shut down fails.
#[cfg(target_os = "linux")]
fn wake_accept() {}

/// Elsewhere it does not. A connection to our own listener wakes one accept().
#[cfg(not(target_os = "linux"))]
fn wake_accept() {
    let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut length = size_of_val(&address) as libc::socklen_t;
    let to = address.as_mut_ptr().cast::<libc::sockaddr>();
    // SAFETY: all calls are async-signal-safe. `address` has room for any
    // address, and getsockname() stores how much of it is used. The new
    // descriptor stays open on purpose: the process is about to end.
    unsafe {
        if libc::getsockname(LISTENER.load(SeqCst), to, &raw mut length) != 0 {
            return;
        }
        let family = c_int::from(address.assume_init_ref().ss_family);
        let sock = libc::socket(family, libc::SOCK_STREAM, 0);
        libc::fcntl(sock, libc::F_SETFL, libc::O_NONBLOCK);
        libc::connect(sock, to, length);
    }
}

/// Milliseconds since `STARTED`, plus one: never 0. The number wraps after 49
/// days, so use only the difference of two of them.
fn now_ms() -> u32 {
    let ms = STARTED.get().map_or(0, |at| at.elapsed().as_millis() as u32);
    ms.wrapping_add(1).max(1)
}

/// See [`crate::raise_descriptor_limit`].
pub(crate) fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: given room for its answer, and a value that outlives the call.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            let useful = limit.rlim_max.min(DESCRIPTORS_MAX as libc::rlim_t);
            limit.rlim_cur = limit.rlim_cur.max(useful);
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
