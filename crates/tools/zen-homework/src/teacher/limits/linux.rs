//! What a Linux process does to itself before it becomes a command.
#![expect(unsafe_code, reason = "std and nix cannot switch loopback on")]

use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc::rlim_t;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{self, Gid, Uid};

use super::Limits;

/// The kernel's limit on each process is this many times the limit on all
/// processes together. So the keeper, which counts them all, acts first.
const RESERVED_FACTOR: u64 = 4;

/// The largest file that a process may write.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Puts this process within limits, and becomes the command. Returns only if
/// that fails.
pub fn become_within(
    limits: Limits,
    user: Option<u32>,
    words: &[String],
) -> Result<(), String> {
    let [program, arguments @ ..] = words else {
        return Err("there is no command".into());
    };
    switch_loopback_on().map_err(|err| format!("loopback: {err}"))?;
    limit(limits, user).map_err(|err| format!("limits: {err}"))?;
    let err = Command::new(program).args(arguments).exec();
    Err(format!("cannot run {program}: {err}"))
}

fn limit(limits: Limits, user: Option<u32>) -> nix::Result<()> {
    let reserved = limits.memory_mib * 1024 * 1024 * RESERVED_FACTOR;
    for (resource, most) in [
        (Resource::RLIMIT_AS, reserved),
        (Resource::RLIMIT_NPROC, limits.processes * RESERVED_FACTOR),
        (Resource::RLIMIT_NOFILE, limits.descriptors),
        (Resource::RLIMIT_FSIZE, FILE_BYTES_MAX),
        (Resource::RLIMIT_CORE, 0),
    ] {
        // A 32-bit process cannot reserve 4 GiB anyway.
        let most = usize::try_from(most).unwrap_or(usize::MAX) as rlim_t;
        setrlimit(resource, most, most)?;
    }
    if let Some(user) = user {
        unistd::setgroups(&[])?;
        unistd::setgid(Gid::from_raw(user))?;
        unistd::setuid(Uid::from_raw(user))?;
    }
    prctl::set_no_new_privs()
}

/// In a new network namespace, loopback is off.
fn switch_loopback_on() -> io::Result<()> {
    // The call works on any socket.
    let sock = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: all zeros is a valid ifreq.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    let fd = sock.as_raw_fd();
    // SAFETY: the request is an ifreq, as this call expects.
    match unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS, &raw const request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
