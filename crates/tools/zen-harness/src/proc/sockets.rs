//! The server's end of a connection, as the kernel lists it. Nothing else shows
//! from outside whether a client has been accepted.

use std::collections::HashMap;
use std::net::SocketAddr;

/// The state of the server's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The kernel has connected it, and the server has not accepted it yet.
    Queued,
    /// A process holds it, and may still send.
    Held,
    /// A process holds it, and has shut down the sending side.
    Stopped,
    /// It was closed.
    Gone,
}

/// A socket of this machine: either end of a connection, or a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Socket {
    /// Its own port.
    pub local: u16,
    /// The port at the other end.
    pub remote: u16,
    /// It listens: `unread` then counts the clients to be accepted.
    pub listens: bool,
    /// Connected, or the other end has shut down its sending side.
    pub is_open: bool,
    /// Its inode; 0 while no process holds it.
    pub inode: u64,
    /// Bytes that the other end has not acknowledged.
    pub unsent: u32,
    /// Bytes that its process has not received.
    pub unread: u32,
}

/// The sockets of some servers and of their clients.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// By their own port and that of the other end, which is 0 for a listener.
    pub ends: HashMap<(u16, u16), Socket>,
    /// By inode.
    pub numbers: HashMap<u64, Socket>,
}

impl Sockets {
    /// All sockets with one of these ports at either end.
    #[must_use]
    pub fn with(ports: &[u16]) -> Self {
        let mut sockets = Self::default();
        for mut it in system::sockets(ports) {
            sockets.numbers.insert(it.inode, it);
            // Several sockets may listen on one port.
            let end = sockets.ends.entry((it.local, it.remote)).or_default();
            it.unread += if it.listens { end.unread } else { 0 };
            *end = it;
        }
        sockets
    }
}

/// The state of the server's end of this client's connection; None if this
/// system does not list it.
#[must_use]
pub fn server_end(server: SocketAddr, client: SocketAddr) -> Option<End> {
    system::look_up(server, client).map(|(end, _)| end)
}

/// The number of this client's bytes that the server has not received; None if
/// this system does not list the socket.
#[must_use]
pub fn unread(server: SocketAddr, client: SocketAddr) -> Option<u32> {
    system::look_up(server, client).map(|(_, unread)| unread)
}

pub use system::{is_free, listens, queued};

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::net::SocketAddr;

    use procfs_core::net::{TcpNetEntries, TcpNetEntry, TcpState};
    use procfs_core::{ExplicitSystemInfo, FromBufReadSI};

    use super::{End, Socket};

    /// The tables for IPv4 and IPv6.
    const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

    /// The sockets with one of these ports at either end. The second table is
    /// read only if a port has no listener in the first: to list a table, the
    /// kernel searches a large hash table.
    pub(super) fn sockets(ports: &[u16]) -> Vec<Socket> {
        let socket = |it: TcpNetEntry| Socket {
            local: it.local_address.port(),
            remote: it.remote_address.port(),
            listens: it.state == TcpState::Listen,
            is_open: is_open(&it),
            inode: it.inode,
            unsent: it.tx_queue,
            unread: it.rx_queue,
        };
        let mut found: Vec<Socket> = Vec::new();
        for table in TABLES {
            let listens = |port: &u16| {
                found.iter().any(|it| it.listens && it.local == *port)
            };
            if !ports.iter().all(listens) {
                let entries = entries(ports, &[table]).unwrap_or_default();
                found.extend(entries.into_iter().map(socket));
            }
        }
        found
    }

    fn is_open(it: &TcpNetEntry) -> bool {
        matches!(it.state, TcpState::Established | TcpState::CloseWait)
    }

    /// The same; None if no sockets are listed at all. There are many lines,
    /// and few have such a port, so only those are parsed.
    fn entries(ports: &[u16], tables: &[&str]) -> Option<Vec<TcpNetEntry>> {
        let ports = ports.iter().map(|port| format!("{port:04X}"));
        let ports: Vec<_> = ports.collect();
        let mut is_listed = false;
        let mut found = String::from("header\n");
        for table in tables {
            let text = fs::read_to_string(table).unwrap_or_default();
            for line in text.lines().skip(1) {
                is_listed = true;
                // `0: 0100007F:0424 0100007F:A1B2 01 ...`
                let ends = line.split(':').skip(2).take(2);
                let mut ends = ends.filter_map(|it| it.get(..4));
                if ends.any(|end| ports.iter().any(|port| port == end)) {
                    found += line;
                    found += "\n";
                }
            }
        }
        // Only the byte order matters.
        let info = &ExplicitSystemInfo {
            boot_time_secs: 0,
            ticks_per_second: 0,
            page_size: 0,
            is_little_endian: cfg!(target_endian = "little"),
        };
        let entries = TcpNetEntries::from_buf_read(found.as_bytes(), info);
        is_listed.then(|| entries.map_or(Vec::new(), |entries| entries.0))
    }

    pub(super) fn look_up(
        server: SocketAddr,
        client: SocketAddr,
    ) -> Option<(End, u32)> {
        let its = |entry: &TcpNetEntry| {
            entry.local_address.port() == server.port()
                && entry.remote_address.port() == client.port()
        };
        let Some(entry) =
            entries(&[client.port()], &TABLES)?.into_iter().find(its)
        else {
            return Some((End::Gone, 0));
        };
        // A socket in the queue, or a closed one, belongs to no file.
        let end = match (entry.inode, is_open(&entry)) {
            (0, true) => End::Queued,
            (0, false) => End::Gone,
            (_, true) => End::Held,
            (_, false) => End::Stopped,
        };
        Some((end, entry.rx_queue))
    }

    /// How many clients wait at this port to be accepted, as far as can be
    /// seen.
    #[must_use]
    pub fn queued(port: u16) -> usize {
        let mut sockets = entries(&[port], &TABLES).unwrap_or_default();
        sockets.retain(|it| {
            is_open(it) && it.inode == 0 && it.local_address.port() == port
        });
        sockets.len()
    }

    /// The inodes of the sockets that listen on this port.
    fn listening(port: u16) -> Vec<u64> {
        let mut sockets = entries(&[port], &TABLES).unwrap_or_default();
        sockets.retain(|it| {
            it.state == TcpState::Listen && it.local_address.port() == port
        });
        sockets.iter().map(|it| it.inode).collect()
    }

    /// Whether no socket listens on this port, as far as can be seen.
    #[must_use]
    pub fn is_free(port: u16) -> bool {
        listening(port).is_empty()
    }

    /// Whether a process has a socket that listens on this port.
    #[must_use]
    pub fn listens(process: u32, port: u16) -> bool {
        let inodes = listening(port);
        let open = fs::read_dir(format!("/proc/{process}/fd"));
        let links = open
            .into_iter()
            .flatten()
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        links.into_iter().any(|link| {
            let link = link.to_string_lossy();
            inodes.iter().any(|inode| link == format!("socket:[{inode}]"))
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::net::SocketAddr;

    use super::{End, Socket};

    pub(super) fn sockets(_: &[u16]) -> Vec<Socket> {
        Vec::new()
    }

    pub(super) fn look_up(_: SocketAddr, _: SocketAddr) -> Option<(End, u32)> {
        None
    }

    stubs! {
        queued(u16) -> usize = 0;
        is_free(u16) -> bool = true;
        listens(u32, u16) -> bool = false;
    }
}
