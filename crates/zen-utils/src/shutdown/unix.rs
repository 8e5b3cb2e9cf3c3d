//! The table of sockets and the signal handlers.
#![expect(unsafe_code, reason = "signal handlers call the C library")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64};

pub use std::os::fd::AsRawFd as AsRaw;

use libc::c_int;

use crate::Listener;

/// Descriptors below this are told of a stop: more than a process is usually
/// allowed to open. The 128 KiB of the table cost nothing until they are used.
const DESCRIPTORS_MAX: usize = 1 << 20;

/// Clients get so long to take their answers; then the process ends, "shortly
/// before 2 s". alarm(2) knows whole seconds only.
const CUT_OFF_AFTER: libc::timeval =
    libc::timeval { tv_sec: 1, tv_usec: 800_000 };

/// A second signal sooner than this is taken for a part of the first.
const SECOND_SIGNAL_AFTER_MS: i64 = 100;

/// One bit for each descriptor that is a socket of ours.
static SOCKETS: [AtomicU64; DESCRIPTORS_MAX / 64] =
    [const { AtomicU64::new(0) }; DESCRIPTORS_MAX / 64];

/// When the first signal came, in milliseconds of the monotonic clock; 0
/// until then.
static BEGUN_AT_MS: AtomicI64 = AtomicI64::new(0);

/// The process that says "Shutting down"; its children keep quiet.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// The listener, for [`pass_on`].
static LISTENER: AtomicI32 = AtomicI32::new(-1);

/// Whether the server was told to stop.
#[must_use]
pub fn begun() -> bool {
    BEGUN_AT_MS.load(SeqCst) != 0
}

pub(crate) fn insert(sock: &impl AsRaw) {
    if let Some((word, bit)) = place(sock.as_raw_fd()) {
        word.fetch_or(bit, SeqCst);
    }
}

pub(crate) fn remove(sock: &impl AsRaw) {
    if let Some((word, bit)) = place(sock.as_raw_fd()) {
        word.fetch_and(!bit, SeqCst);
    }
}

fn place(descriptor: RawFd) -> Option<(&'static AtomicU64, u64)> {
    let descriptor = usize::try_from(descriptor).ok()?;
    let word = SOCKETS.get(descriptor / 64)?;
    Some((word, 1 << (descriptor % 64)))
}

pub(crate) fn shut_down_reading(sock: &impl AsRaw) {
    shut_down(sock.as_raw_fd());
}

fn shut_down(descriptor: RawFd) {
    // SAFETY: shutdown(2) takes any number; it fails on what is no socket.
    unsafe { libc::shutdown(descriptor, libc::SHUT_RD) };
}

/// From now on SIGINT and SIGTERM end the server: see [`crate::shutdown`].
///
/// A server that makes no listener of its own calls this itself.
///
/// # Errors
///
/// The system takes no handler.
pub fn on_signals(listener: Option<&Listener>) -> io::Result<()> {
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
    // SAFETY: all zeros is a valid sigaction, and the fields that are set
    // after it make it one that calls `handler`, which is async-signal-safe.
    let result = unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        // A library below us may not expect to be interrupted.
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        // One of the two at a time; only SIGALRM may interrupt a handler.
        if signal != libc::SIGALRM {
            libc::sigaddset(&raw mut action.sa_mask, libc::SIGINT);
            libc::sigaddset(&raw mut action.sa_mask, libc::SIGTERM);
        }
        libc::sigaction(signal, action, ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The handler of SIGINT and SIGTERM. It calls only what signal-safety(7)
/// allows, and setitimer(2), which is a plain system call.
// ANCHOR: stop
extern "C" fn stop(signal: c_int) {
    let errno = Errno::save();
    let now = now_ms();
    match BEGUN_AT_MS.compare_exchange(0, now, SeqCst, SeqCst) {
        Ok(_) => begin_to_stop(),
        Err(first) if now - first >= SECOND_SIGNAL_AFTER_MS => {
            // SAFETY: both are async-signal-safe. The signal is blocked while
            // its handler runs, and ends the process when this returns.
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
                libc::raise(signal);
            }
        }
        Err(_) => {}
    }
    errno.restore();
}

fn begin_to_stop() {
    let timer = libc::itimerval {
        it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 },
        it_value: CUT_OFF_AFTER,
    };
    // SAFETY: a plain system call on a value that outlives it.
    unsafe {
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut())
    };
    for (index, word) in SOCKETS.iter().enumerate() {
        let mut bits = word.load(SeqCst);
        while bits != 0 {
            shut_down((index * 64) as RawFd + bits.trailing_zeros() as RawFd);
            bits &= bits - 1;
        }
    }
    wake_accept();
    // SAFETY: getpid() and write() are async-signal-safe; the text is static.
    unsafe {
        if libc::getpid() == PROCESS.load(SeqCst) {
            let line = b"Shutting down\n";
            libc::write(libc::STDOUT_FILENO, line.as_ptr().cast(), line.len());
        }
    }
}

/// The handler of SIGALRM: even a thread that is blocked in send() ends.
extern "C" fn cut_off(_: c_int) {
    // SAFETY: _exit() is async-signal-safe.
    unsafe { libc::_exit(0) };
}
// ANCHOR_END: stop

/// Called after every accept(): once the stop has begun, wakes the next thread
/// that waits in accept() on the same listener, where the system does not.
pub(crate) fn pass_on(_: &Listener) {
    if begun() {
        wake_accept();
    }
}

/// Linux ends every accept() on a listener that is shut down.
#[cfg(target_os = "linux")]
fn wake_accept() {}

/// Elsewhere, connect to our own listener: one accept() returns.
#[cfg(not(target_os = "linux"))]
fn wake_accept() {
    let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut length = size_of_val(&address) as libc::socklen_t;
    let to = address.as_mut_ptr().cast::<libc::sockaddr>();
    // SAFETY: all are async-signal-safe. `address` has room for any address,
    // and getsockname() says how much of it was used. The descriptor is left
    // open on purpose: the process is about to end.
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

fn now_ms() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: async-signal-safe, and given room for its answer.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    // Never 0, which means that no signal came.
    (now.tv_sec * 1000 + now.tv_nsec / 1_000_000).max(1)
}

/// A handler must leave errno as it found it.
struct Errno(c_int);

impl Errno {
    fn save() -> Self {
        Self(io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }

    fn restore(self) {
        #[cfg(target_os = "linux")]
        use libc::__errno_location as location;
        #[cfg(not(target_os = "linux"))]
        use libc::__error as location;
        // SAFETY: the location of this thread's errno is always valid.
        unsafe { *location() = self.0 };
    }
}

/// See [`crate::raise_descriptor_limit`].
pub(crate) fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: given room for its answer, and a value that outlives the call.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max.min(DESCRIPTORS_MAX as u64);
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
