//! The server's end of a connection, as the kernel lists it. Nothing else shows
//! from outside whether a client has been accepted.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::{descriptors, socket_at};

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

/// The tables for IPv4 and IPv6.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

impl Sockets {
    /// All sockets with one of these ports at either end. The second table is
    /// read only if a port has no listener in the first: to list a table, the
    /// kernel searches a large hash table.
    pub fn with(ports: &[u16]) -> Self {
        let mut sockets = Self::default();
        for table in TABLES {
            let listens = |port: &u16| sockets.ends.contains_key(&(*port, 0));
            if ports.iter().all(listens) {
                continue;
            }
            for mut it in listed(ports, &[table]).unwrap_or_default() {
                sockets.numbers.insert(it.inode, it);
                // Several sockets may listen on one port.
                let end = sockets.ends.entry((it.local, it.remote));
                let end = end.or_default();
                it.unread += if it.listens { end.unread } else { 0 };
                *end = it;
            }
        }
        sockets
    }
}

/// The sockets with one of these ports at either end; None if this system does
/// not list them. There are many lines, and few have such a port, so only those
/// are parsed.
#[cfg(target_os = "linux")]
fn listed(ports: &[u16], tables: &[&str]) -> Option<Vec<Socket>> {
    use procfs_core::net::{TcpNetEntries, TcpNetEntry, TcpState};
    use procfs_core::{ExplicitSystemInfo, FromBufReadSI};

    let ports: Vec<_> = ports.iter().map(|it| format!("{it:04X}")).collect();
    let mut is_listed = false;
    let mut found = String::from("header\n");
    for table in tables {
        let text = std::fs::read_to_string(table).unwrap_or_default();
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
    let socket = |it: TcpNetEntry| Socket {
        local: it.local_address.port(),
        remote: it.remote_address.port(),
        listens: it.state == TcpState::Listen,
        is_open: matches!(
            it.state,
            TcpState::Established | TcpState::CloseWait
        ),
        inode: it.inode,
        unsent: it.tx_queue,
        unread: it.rx_queue,
    };
    let entries = TcpNetEntries::from_buf_read(found.as_bytes(), info);
    let entries = entries.map_or(Vec::new(), |entries| entries.0);
    is_listed.then(|| entries.into_iter().map(socket).collect())
}

#[cfg(not(target_os = "linux"))]
fn listed(_: &[u16], _: &[&str]) -> Option<Vec<Socket>> {
    None
}

/// The server's socket for this client; a closed one if there is none.
fn look_up(server: SocketAddr, client: SocketAddr) -> Option<Socket> {
    let sockets = listed(&[client.port()], &TABLES)?;
    let ports = (server.port(), client.port());
    let found = sockets.into_iter().find(|it| (it.local, it.remote) == ports);
    Some(found.unwrap_or_default())
}

/// The state of the server's end of this client's connection; None if this
/// system does not list it.
pub fn server_end(server: SocketAddr, client: SocketAddr) -> Option<End> {
    let socket = look_up(server, client)?;
    // A socket in the queue, or a closed one, belongs to no file.
    Some(match (socket.inode, socket.is_open) {
        (0, true) => End::Queued,
        (0, false) => End::Gone,
        (_, true) => End::Held,
        (_, false) => End::Stopped,
    })
}

/// The number of this client's bytes that the server has not received; None if
/// this system does not list the socket.
pub fn unread(server: SocketAddr, client: SocketAddr) -> Option<u32> {
    look_up(server, client).map(|socket| socket.unread)
}

/// The sockets whose own port this is, as far as can be seen.
fn at(port: u16) -> Vec<Socket> {
    let mut sockets = listed(&[port], &TABLES).unwrap_or_default();
    sockets.retain(|it| it.local == port);
    sockets
}

/// How many clients wait at this port to be accepted, as far as can be seen.
pub fn queued(port: u16) -> usize {
    at(port).iter().filter(|it| it.is_open && it.inode == 0).count()
}

/// Whether no socket listens on this port, as far as can be seen.
pub fn is_free(port: u16) -> bool {
    !at(port).iter().any(|it| it.listens)
}

/// Whether a process has a socket that listens on this port.
pub fn listens(process: u32, port: u16) -> bool {
    let mut sockets = at(port);
    sockets.retain(|it| it.listens);
    let is_one = |number: u64| sockets.iter().any(|it| it.inode == number);
    let open = descriptors(process).unwrap_or_default().into_iter();
    open.filter_map(|it| socket_at(process, it)).any(is_one)
}
