//! Signals, limits and socket options of a Unix system.
#![expect(unsafe_code, reason = "std has no signals, limits or SO_LINGER")]

use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_int, pid_t};

pub(crate) use libc::{EAGAIN, ECONNRESET, EMFILE, SIGCHLD, SIGCONT, SIGINT};
pub(crate) use libc::{SIGHUP, SIGUSR1, SIGUSR2};
pub(crate) use libc::{SIGKILL, SIGPIPE, SIGSTOP, SIGTERM, SIGURG, SIGWINCH};

use crate::verdict::{Fault, Verdict};

/// Gives the process a group of its own. On Linux it also dies with the
/// thread that starts it, and has no right to ports below 1024, whoever runs
/// the tests.
pub(crate) fn prepare(command: &mut Command) {
    command.process_group(0);
    #[cfg(target_os = "linux")]
    {
        /// CAP_NET_BIND_SERVICE, of linux/capability.h.
        const BIND_LOW_PORTS: libc::c_ulong = 10;
        let parent = std::process::id() as pid_t;
        let before_exec = move || {
            // SAFETY: prctl() with these arguments touches no memory of ours.
            // Without the right to drop a right there is none to drop.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::prctl(libc::PR_CAPBSET_DROP, BIND_LOW_PORTS, 0, 0, 0);
            }
            // SAFETY: it takes nothing. Whoever has died before that sends no
            // signal.
            match unsafe { libc::getppid() } == parent {
                true => Ok(()),
                false => Err(io::ErrorKind::Interrupted.into()),
            }
        };
        // SAFETY: between fork and exec it makes three system calls and no
        // more.
        unsafe { command.pre_exec(before_exec) };
    }
}

/// The groups that are to be killed if this process is told to end. Each slot
/// holds one, or 0.
static GROUPS: [AtomicI32; 256] = [const { AtomicI32::new(0) }; 256];

/// Swaps one number for another in the first slot that has it.
fn swap(from: i32, to: i32) {
    let relaxed = Ordering::Relaxed;
    GROUPS
        .iter()
        .any(|slot| slot.compare_exchange(from, to, relaxed, relaxed).is_ok());
}

pub(crate) fn remember_group(group: u32) {
    swap(0, group as i32);
}

pub(crate) fn forget_group(group: u32) {
    swap(group as i32, 0);
}

/// From now on, whoever ends this process ends what it has started as well.
/// These have groups of their own, which no Ctrl-C reaches.
pub(crate) fn take_servers_along() {
    extern "C" fn handle(signal: c_int) {
        for slot in &GROUPS {
            let group = slot.load(Ordering::Relaxed);
            if group != 0 {
                // SAFETY: a handler may call kill().
                unsafe { libc::kill(-group, libc::SIGKILL) };
            }
        }
        // SAFETY: a handler may call _exit().
        unsafe { libc::_exit(128 + signal) };
    }
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let handler = handle as extern "C" fn(c_int);
        // SAFETY: the handler makes system calls and touches atomics only.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
}

pub(crate) fn signal(process: u32, signal: c_int) -> Verdict {
    // SAFETY: kill() takes any numbers.
    checked(unsafe { libc::kill(process as pid_t, signal) })
}

/// To the thread by which the process began.
#[cfg(target_os = "linux")]
pub(crate) fn signal_first_thread(process: u32, signal: c_int) -> Verdict {
    let process = process as libc::c_long;
    let signal = libc::c_long::from(signal);
    // SAFETY: tgkill() takes any numbers.
    let result =
        unsafe { libc::syscall(libc::SYS_tgkill, process, process, signal) };
    checked(result as c_int)
}

pub(crate) fn signal_group(group: u32, signal: c_int) -> Verdict {
    // SAFETY: kill() takes any numbers.
    checked(unsafe { libc::kill(-(group as pid_t), signal) })
}

pub(crate) fn ended_by(status: ExitStatus) -> Option<c_int> {
    status.signal()
}

/// Its name, such as SIGPIPE, for those that a server is likely to meet.
pub(crate) fn signal_name(signal: c_int) -> &'static str {
    match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGILL => "SIGILL",
        SIGCHLD => "SIGCHLD",
        SIGCONT => "SIGCONT",
        SIGHUP => "SIGHUP",
        SIGINT => "SIGINT",
        SIGKILL => "SIGKILL",
        SIGPIPE => "SIGPIPE",
        libc::SIGSEGV => "SIGSEGV",
        SIGSTOP => "SIGSTOP",
        SIGTERM => "SIGTERM",
        SIGURG => "SIGURG",
        SIGWINCH => "SIGWINCH",
        SIGUSR1 => "SIGUSR1",
        SIGUSR2 => "SIGUSR2",
        _ => "see signal(7)",
    }
}

/// From now on, to close this socket sends a reset.
pub(crate) fn reset_on_close(sock: &TcpStream) -> Verdict {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    Ok(set_option(sock.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, linger)?)
}

/// Connects with buffers as small as they get, and with a small segment size,
/// which on Linux also keeps the *server's* buffer small: so its answers soon
/// have nowhere to go.
pub(crate) fn connect_narrow(address: SocketAddr) -> io::Result<TcpStream> {
    let sock = tcp_socket(address)?;
    let fd = sock.as_raw_fd();
    set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, 1152 as c_int)?;
    set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, 16384 as c_int)?;
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_MAXSEG, 256 as c_int)?;
    call_with(address, |to, length| {
        // SAFETY: the address is valid for the length given.
        unsafe { libc::connect(fd, to, length) }
    })?;
    Ok(sock)
}

/// Connects from this address of the machine.
pub(crate) fn connect_from(
    from: IpAddr,
    address: SocketAddr,
) -> io::Result<TcpStream> {
    let sock = tcp_socket(address)?;
    let fd = sock.as_raw_fd();
    call_with(SocketAddr::new(from, 0), |from, length| {
        // SAFETY: the address is valid for the length given.
        unsafe { libc::bind(fd, from, length) }
    })?;
    call_with(address, |to, length| {
        // SAFETY: the same.
        unsafe { libc::connect(fd, to, length) }
    })?;
    Ok(sock)
}

/// Gives a system call an address as the system knows it.
fn call_with(
    address: SocketAddr,
    call: impl FnOnce(*const libc::sockaddr, libc::socklen_t) -> c_int,
) -> io::Result<()> {
    // SAFETY: all zeros is a valid sockaddr_storage.
    let mut to: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let length = match address {
        SocketAddr::V4(address) => {
            let to = (&raw mut to).cast::<libc::sockaddr_in>();
            // SAFETY: the storage is large enough for any address.
            let to = unsafe { &mut *to };
            to.sin_family = libc::AF_INET as libc::sa_family_t;
            to.sin_port = address.port().to_be();
            to.sin_addr.s_addr = u32::from(*address.ip()).to_be();
            size_of_val(to)
        }
        SocketAddr::V6(address) => {
            let to = (&raw mut to).cast::<libc::sockaddr_in6>();
            // SAFETY: the same.
            let to = unsafe { &mut *to };
            to.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            to.sin6_port = address.port().to_be();
            to.sin6_addr.s6_addr = address.ip().octets();
            size_of_val(to)
        }
    };
    let length = length as libc::socklen_t;
    match call((&raw const to).cast(), length) {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn tcp_socket(address: SocketAddr) -> io::Result<TcpStream> {
    use std::os::fd::FromRawFd;
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: socket() takes any numbers, and what it returns is ours alone.
    unsafe {
        match libc::socket(family, libc::SOCK_STREAM, 0) {
            -1 => Err(io::Error::last_os_error()),
            fd => {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
                Ok(TcpStream::from_raw_fd(fd))
            }
        }
    }
}

fn set_option<T>(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: T,
) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    let value = (&raw const value).cast();
    // SAFETY: `value` points to `length` bytes.
    match unsafe { libc::setsockopt(fd, level, name, value, length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets as many clients wait to be accepted as the system allows: a burst of
/// them is the server's to fear, and not inetd's.
pub(crate) fn lengthen_backlog(listener: &TcpListener) -> io::Result<()> {
    // SAFETY: to listen again only changes the number.
    match unsafe { libc::listen(listener.as_raw_fd(), 4096) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// From now on, whoever was started by this process is gone as soon as it has
/// ended; nobody has to wait for it.
pub(crate) fn forget_children() -> io::Result<()> {
    // SAFETY: all zeros is a valid sigaction, and that is read only.
    let result = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        action.sa_flags = libc::SA_NOCLDWAIT;
        libc::sigaction(SIGCHLD, &raw const action, std::ptr::null_mut())
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until a client can be accepted.
pub(crate) fn wait_for_client(listener: &TcpListener) -> io::Result<()> {
    let fd = listener.as_raw_fd();
    let mut waits = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: it is one pollfd, and valid.
    match unsafe { libc::poll(&raw mut waits, 1, -1) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// How many segments with data have come in on this connection.
#[cfg(target_os = "linux")]
pub(crate) fn segments_received(sock: &TcpStream) -> Verdict<u32> {
    /// Where `tcpi_data_segs_in` stands in `struct tcp_info`.
    const WORD: usize = 152 / 4;
    let mut info = [0_u32; WORD + 1];
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: `info` has room for `length` bytes.
    checked(unsafe {
        libc::getsockopt(
            sock.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    Ok(info[WORD])
}

/// From now on, this process opens no descriptor of this number or above.
#[cfg(target_os = "linux")]
pub(crate) fn limit_descriptors(process: u32, below: u64) -> Verdict {
    soft_limit(process as pid_t, Resource::Descriptors, below)
}

/// From now on, this process gets no more address space than this.
#[cfg(target_os = "linux")]
pub(crate) fn limit_memory(process: u32, bytes: u64) -> Verdict {
    soft_limit(process as pid_t, Resource::Memory, bytes)
}

/// The C libraries do not agree on the type of these numbers.
#[cfg(target_os = "linux")]
enum Resource {
    Descriptors,
    Memory,
}

/// Sets the soft limit only, so that it can be raised again.
#[cfg(target_os = "linux")]
fn soft_limit(process: pid_t, resource: Resource, value: u64) -> Verdict {
    let resource = match resource {
        Resource::Descriptors => libc::RLIMIT_NOFILE,
        Resource::Memory => libc::RLIMIT_AS,
    };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let none = std::ptr::null_mut();
    // SAFETY: both calls are given valid limits to read or to write.
    unsafe {
        checked(libc::prlimit(process, resource, none, &raw mut limit))?;
        limit.rlim_cur = value as libc::rlim_t;
        checked(libc::prlimit(process, resource, &raw const limit, none))
    }
}

/// Allows this process, the tests, to open so many descriptors.
#[cfg(target_os = "linux")]
pub(crate) fn raise_own_descriptor_limit(to: u64) -> Verdict {
    soft_limit(0, Resource::Descriptors, to).map_err(|_| {
        Fault::Skipped(format!("not allowed to open {to} descriptors"))
    })
}

#[cfg(not(target_os = "linux"))]
mod not_linux {
    use super::{Fault, TcpStream, Verdict};

    fn skipped<T>() -> Verdict<T> {
        Err(Fault::Skipped("only Linux can do or tell this".into()))
    }

    pub(crate) fn segments_received(_: &TcpStream) -> Verdict<u32> {
        skipped()
    }

    pub(crate) fn signal_first_thread(_: u32, _: i32) -> Verdict {
        skipped()
    }

    pub(crate) fn limit_descriptors(_: u32, _: u64) -> Verdict {
        skipped()
    }

    pub(crate) fn limit_memory(_: u32, _: u64) -> Verdict {
        skipped()
    }

    pub(crate) fn raise_own_descriptor_limit(_: u64) -> Verdict {
        skipped()
    }
}
#[cfg(not(target_os = "linux"))]
pub(crate) use not_linux::*;

fn checked(result: c_int) -> Verdict {
    match result {
        0 => Ok(()),
        _ => Err(Fault::Checker(io::Error::last_os_error().to_string())),
    }
}
