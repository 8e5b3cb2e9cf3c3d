//! The server's end of a connection, as the kernel lists it: the only way to
//! see from outside whether a client has been accepted.

use std::net::SocketAddr;

/// Where the server's end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Connected by the kernel, and not yet accepted.
    Queued,
    /// A process holds it, and may still send.
    Held,
    /// A process holds it, and has sent the end of file.
    Stopped,
    /// It was closed.
    Gone,
}

/// Where the server's end of this client's connection is; None if this system
/// does not list it.
#[must_use]
pub fn server_end(server: SocketAddr, client: SocketAddr) -> Option<End> {
    system::look_up(server, client).map(|(end, _)| end)
}

/// How many bytes of this client's wait for the server to receive them; None
/// if this system does not list it.
#[must_use]
pub fn unread(server: SocketAddr, client: SocketAddr) -> Option<u32> {
    system::look_up(server, client).map(|(_, unread)| unread)
}

pub use system::{is_free, is_unused, listens, queued};

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::net::SocketAddr;

    use procfs_core::net::{TcpNetEntries, TcpNetEntry, TcpState};
    use procfs_core::{ExplicitSystemInfo, FromBufReadSI};

    use super::End;

    /// The sockets with this port at either end; None if no sockets are
    /// listed at all. There are many lines, and few have the port, so only
    /// those are parsed.
    fn sockets(port: u16) -> Option<Vec<TcpNetEntry>> {
        let port = format!(":{port:04X} ");
        let mut is_listed = false;
        let mut found = String::from("header\n");
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let text = fs::read_to_string(table).unwrap_or_default();
            for line in text.lines().skip(1) {
                is_listed = true;
                if line.contains(&port) {
                    found += line;
                    found += "\n";
                }
            }
        }
        // Only the order of bytes is looked at.
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
        let Some(entry) = sockets(client.port())?.into_iter().find(its) else {
            return Some((End::Gone, 0));
        };
        let is_open =
            matches!(entry.state, TcpState::Established | TcpState::CloseWait);
        // In the queue, and when it is closed, it is no file.
        let end = match (entry.inode, is_open) {
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
        let mut sockets = sockets(port).unwrap_or_default();
        sockets.retain(|it| {
            let is_open =
                matches!(it.state, TcpState::Established | TcpState::CloseWait);
            is_open && it.inode == 0 && it.local_address.port() == port
        });
        sockets.len()
    }

    /// The sockets that listen at this port, by number.
    fn listening(port: u16) -> Vec<u64> {
        let mut sockets = sockets(port).unwrap_or_default();
        sockets.retain(|it| {
            it.state == TcpState::Listen && it.local_address.port() == port
        });
        sockets.iter().map(|it| it.inode).collect()
    }

    /// Whether no socket has this port, as far as can be seen: not even a
    /// connection of an earlier server, which would keep one without
    /// SO_REUSEADDR from listening.
    #[must_use]
    pub fn is_unused(port: u16) -> bool {
        let sockets = sockets(port).unwrap_or_default();
        sockets.iter().all(|it| it.local_address.port() != port)
    }

    /// Whether no socket listens at this port, as far as can be seen.
    #[must_use]
    pub fn is_free(port: u16) -> bool {
        listening(port).is_empty()
    }

    /// Whether a process has a socket that listens at this port.
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

    use super::End;

    pub(super) fn look_up(_: SocketAddr, _: SocketAddr) -> Option<(End, u32)> {
        None
    }

    stubs! {
        queued(u16) -> usize = 0;
        is_unused(u16) -> bool = true;
        is_free(u16) -> bool = true;
        listens(u32, u16) -> bool = false;
    }
}
