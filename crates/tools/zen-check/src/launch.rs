//! How a server is started: what all do who start one, whether they examine,
//! measure or draw it.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::{sockets, system};

/// Nothing from our environment changes what the command does, and it is
/// [in a group of its own](in_own_group).
pub fn prepare(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("ZEN_") || text.starts_with("RUST_") {
            command.env_remove(name);
        }
    }
    in_own_group(command);
}

/// Gives the process a group of its own. On Linux it is also killed when the
/// thread that starts it ends, however that comes: so this thread has to last
/// as long as the process. And it gets no right to ports below 1024.
pub fn in_own_group(command: &mut Command) {
    system::prepare(command);
}

/// While this is there, [`take_servers_along`](crate::take_servers_along) also
/// means the group of a process that was started by others than this crate.
#[derive(Debug)]
pub struct TakenAlong(u32);

impl TakenAlong {
    /// For the group of which this process is the first.
    #[must_use]
    pub fn new(process: u32) -> Self {
        system::remember_group(process);
        Self(process)
    }
}

impl Drop for TakenAlong {
    fn drop(&mut self) {
        system::forget_group(self.0);
    }
}

/// Ports that no client is given by the system as its own: they lie below those
/// that Linux and macOS give to clients.
const PORTS: Range<u16> = 10_000..32_000;

/// So many of them belong to one process, who holds the first.
const PORTS_IN_BLOCK: u16 = 100;

/// The ports that this process has still to give away.
struct Block {
    _held: TcpListener,
    left: Range<u16>,
}

impl Block {
    /// Whatever else runs on this machine, such as another checker, cannot have
    /// the same.
    fn take() -> io::Result<Self> {
        let first =
            PORTS.start + std::process::id() as u16 % PORTS.len() as u16;
        let all = (first..PORTS.end).chain(PORTS.start..first);
        let mut firsts = all.filter(|port| port % PORTS_IN_BLOCK == 0);
        let block = firsts.find_map(|port| {
            let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
            let left = port + 1..port + PORTS_IN_BLOCK;
            Some(Self { _held, left })
        });
        block.ok_or_else(|| io::Error::other("no port is free"))
    }
}

/// A port that nobody uses. Each is handed out once.
///
/// # Errors
///
/// None is free.
pub fn free_port() -> io::Result<u16> {
    static BLOCK: Mutex<Option<Block>> = Mutex::new(None);
    let mut block = BLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let ports = block.iter_mut().flat_map(|block| &mut block.left);
        let mut ports = ports.filter(|port| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
                && sockets::is_unused(*port)
        });
        if let Some(port) = ports.next() {
            return Ok(port);
        }
        *block = Some(Block::take()?);
    }
}
