//! Free ports, for servers that need one as an option.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::system;

/// Below the ephemeral ports of Linux and macOS, so that no client is given one
/// by chance.
const PORTS: Range<u16> = 10_000..32_000;

/// A process reserves this many at a time, by listening on the first.
const PORTS_IN_BLOCK: u16 = 100;

/// The ports that this process can still hand out.
struct Block {
    _held: TcpListener,
    left: Range<u16>,
}

impl Block {
    /// No other process on this machine can take the same block.
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

/// A port that is not in use. Each is handed out once.
pub fn free_port() -> io::Result<u16> {
    static BLOCK: Mutex<Option<Block>> = Mutex::new(None);
    let mut block = BLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let ports = block.iter_mut().flat_map(|block| &mut block.left);
        let mut ports = ports.filter(|port| system::is_unused(*port));
        if let Some(port) = ports.next() {
            return Ok(port);
        }
        *block = Some(Block::take()?);
    }
}
