//! The server's end of a connection, as the kernel lists it: the only way to
//! see from outside whether a client has been accepted.

use std::fs;
use std::net::SocketAddr;

/// Where the server's end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Connected by the kernel, and not yet accepted.
    Queued,
    /// Some process holds it, and may still send.
    Held,
    /// Some process holds it, and has sent the end of file.
    Stopped,
    /// Nobody holds it: it was closed.
    Gone,
}

/// Where the end of a connection is that belongs to the server, if this system
/// lists it.
pub(crate) fn server_end(
    server: SocketAddr,
    client: SocketAddr,
) -> Option<End> {
    look_up(server, client).map(|(end, _)| end)
}

/// How many bytes of this client's wait for the server to receive them, if
/// this system lists it.
pub(crate) fn unread(server: SocketAddr, client: SocketAddr) -> Option<u64> {
    look_up(server, client).map(|(_, unread)| unread)
}

fn look_up(server: SocketAddr, client: SocketAddr) -> Option<(End, u64)> {
    let mut listed = false;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = fs::read_to_string(table) else { continue };
        // Many lines, and few that have this port.
        let its_port = format!(":{:04X} ", client.port());
        for line in text.lines().skip(1) {
            listed = true;
            if !line.contains(&its_port) {
                continue;
            }
            let fields: Vec<_> = line.split_whitespace().collect();
            let [_, local, remote, state, queues, _, _, _, _, inode, ..] =
                fields[..]
            else {
                continue;
            };
            if port(local) != Some(server.port())
                || port(remote) != Some(client.port())
            {
                continue;
            }
            let end = match (inode, state) {
                // ESTABLISHED or CLOSE_WAIT, and no file: in the queue.
                ("0", "01" | "08") => End::Queued,
                ("0", _) => End::Gone,
                (_, "01" | "08") => End::Held,
                _ => End::Stopped,
            };
            // To send, to receive: `00000000:0000001F`.
            let unread = queues.rsplit(':').next().unwrap_or_default();
            let unread = u64::from_str_radix(unread, 16).unwrap_or(0);
            return Some((end, unread));
        }
    }
    listed.then_some((End::Gone, 0))
}

/// How many clients wait there to be accepted, as far as can be seen.
pub(crate) fn queued(at: u16) -> usize {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.map(fs::read_to_string);
    let lines = tables.iter().flatten().flat_map(|text| text.lines());
    let waits = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().take(10).collect();
        // ESTABLISHED or CLOSE_WAIT, and no file yet.
        let [_, local, _, "01" | "08", .., "0"] = fields[..] else {
            return false;
        };
        port(local) == Some(at)
    };
    lines.filter(waits).count()
}

/// The sockets that listen at this port, by number.
fn listening(at: u16) -> Vec<String> {
    let mut inodes = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for line in text.lines() {
            let fields: Vec<_> = line.split_whitespace().collect();
            if let [_, local, _, "0A", _, _, _, _, _, inode, ..] = fields[..] {
                inodes.extend(
                    (port(local) == Some(at)).then(|| inode.to_string()),
                );
            }
        }
    }
    inodes
}

/// Whether no connection is left of anybody who listened at this port, as far
/// as can be seen: whoever does without SO_REUSEADDR could not listen there.
pub(crate) fn is_unused(at: u16) -> bool {
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().all(|table| {
        let text = fs::read_to_string(table).unwrap_or_default();
        let mut locals = text.lines().filter_map(|it| {
            port(it.split_whitespace().nth(1).unwrap_or_default())
        });
        locals.all(|local| local != at)
    })
}

/// Whether nobody listens at this port any more, as far as can be seen.
pub(crate) fn is_free(port: u16) -> bool {
    listening(port).is_empty()
}

/// Whether a process has a socket that listens at this port.
pub(crate) fn listens(process: u32, at: u16) -> bool {
    let inodes = listening(at);
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else {
        return false;
    };
    let mut open =
        open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    open.any(|link| {
        let link = link.to_string_lossy();
        inodes.iter().any(|inode| link == format!("socket:[{inode}]"))
    })
}

/// The port of an address such as `0100007F:0424`.
fn port(address: &str) -> Option<u16> {
    let (_, port) = address.rsplit_once(':')?;
    u16::from_str_radix(port, 16).ok()
}
