//! What only the operating system can do: signals, limits, socket options.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::RwLock;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

#[cfg(not(target_os = "linux"))]
mod not_linux;
#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(target_os = "linux"))]
pub use not_linux::*;
#[cfg(not(unix))]
pub use other::*;
#[cfg(unix)]
pub use unix::*;

/// Held by all who start a process. Until it runs its program, it has a copy of
/// each of our sockets, so that closing ours closes no connection and frees no
/// port.
pub(crate) static STARTING: RwLock<()> = RwLock::new(());

fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(address), Type::STREAM, None)
}

/// Whether no socket uses this port: not even a connection of an earlier
/// server, which would keep a server without SO_REUSEADDR from listening.
pub(crate) fn is_unused(port: u16) -> bool {
    let _none_starts = STARTING.write();
    let any: [IpAddr; 2] =
        [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    any.into_iter().all(|any| {
        let bound = bind(SocketAddr::new(any, port));
        // There may be no IPv6.
        !bound.is_err_and(|err| err.kind() == io::ErrorKind::AddrInUse)
    })
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let sock = tcp_socket(address)?;
    if address.is_ipv6() {
        sock.set_only_v6(true)?;
    }
    sock.bind(&address.into())?;
    Ok(sock)
}

/// Connects to a server. A socket may be given the very port that it connects
/// to as its own, and then it is connected to itself: no server listens there.
pub fn connect(
    address: SocketAddr,
    patience: Duration,
) -> io::Result<TcpStream> {
    not_to_itself(TcpStream::connect_timeout(&address, patience)?)
}

/// Refuses a connection whose two ends are one.
fn not_to_itself(sock: TcpStream) -> io::Result<TcpStream> {
    match sock.local_addr()? == sock.peer_addr()? {
        true => Err(io::ErrorKind::ConnectionRefused.into()),
        false => Ok(sock),
    }
}

/// Whether this error is about the client's own machine: it has no descriptor,
/// no port, no memory or no thread left.
pub fn is_own(err: &io::Error) -> bool {
    #[cfg(unix)]
    let own = [
        libc::EMFILE,
        libc::ENFILE,
        libc::EADDRNOTAVAIL,
        libc::EAGAIN,
        libc::ENOBUFS,
        libc::ENOMEM,
    ];
    // The same on Windows: WSAEMFILE, WSAEADDRNOTAVAIL, WSAENOBUFS.
    #[cfg(not(unix))]
    let own = [10024, 10049, 10055];
    err.raw_os_error().is_some_and(|number| own.contains(&number))
}

/// Connects with the smallest possible buffers and a small segment size, which
/// on Linux also keeps the *server's* buffer small. So its answers soon have to
/// wait.
#[cfg(unix)]
pub fn connect_narrow(address: SocketAddr) -> io::Result<TcpStream> {
    let sock = narrow_socket(address)?;
    sock.connect(&address.into())?;
    Ok(sock.into())
}

/// Begins to connect, with small buffers or not; the socket never blocks.
pub fn begin_to_connect(
    address: SocketAddr,
    is_narrow: bool,
) -> io::Result<TcpStream> {
    let sock = match is_narrow {
        true => narrow_socket(address)?,
        false => tcp_socket(address)?,
    };
    sock.set_nonblocking(true)?;
    match sock.connect(&address.into()) {
        Err(err) if !is_under_way(&err) => Err(err),
        _ => Ok(sock.into()),
    }
}

fn is_under_way(err: &io::Error) -> bool {
    #[cfg(unix)]
    if err.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    err.kind() == io::ErrorKind::WouldBlock
}

fn narrow_socket(address: SocketAddr) -> io::Result<Socket> {
    let sock = tcp_socket(address)?;
    #[cfg(unix)]
    {
        sock.set_recv_buffer_size(1152)?;
        sock.set_send_buffer_size(16384)?;
        sock.set_tcp_mss(256)?;
    }
    Ok(sock)
}

/// How many bytes a segment of this connection may have.
#[cfg(unix)]
pub fn segment_bytes(sock: &TcpStream) -> io::Result<u32> {
    SockRef::from(sock).tcp_mss()
}

/// Connects with a small send buffer, and never blocks: a flood of many such
/// clients takes little memory.
pub fn connect_to_flood(address: SocketAddr) -> io::Result<TcpStream> {
    let sock = tcp_socket(address)?;
    sock.set_send_buffer_size(32768)?;
    sock.connect(&address.into())?;
    sock.set_nonblocking(true)?;
    Ok(sock.into())
}

/// Connects from this address of the machine.
pub fn connect_from(
    from: IpAddr,
    address: SocketAddr,
) -> io::Result<TcpStream> {
    let sock = tcp_socket(address)?;
    if cfg!(unix) {
        sock.bind(&SocketAddr::new(from, 0).into())?;
    }
    sock.connect(&address.into())?;
    Ok(sock.into())
}

/// Closes a connection with a reset, which is sent before this returns. Waits
/// until each process that this one starts runs its program.
pub fn reset(sock: TcpStream) -> io::Result<()> {
    let _none_starts = STARTING.write();
    reset_on_close(&sock)?;
    drop(sock);
    Ok(())
}

/// Makes closing this socket send a reset.
pub fn reset_on_close(sock: &TcpStream) -> io::Result<()> {
    SockRef::from(sock).set_linger(Some(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_with_a_connection_of_an_earlier_server_is_in_use() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(!is_unused(address.port()));
        let client = TcpStream::connect(address).unwrap();
        let (served, _) = listener.accept().unwrap();
        drop((listener, served));
        assert!(!is_unused(address.port()));
        // With a reset nothing of it is left.
        reset(client).unwrap();
        assert!(is_unused(address.port()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_reset_does_not_wait_for_a_process_that_starts() {
        use std::io::{ErrorKind, Read};
        use std::process::Command;
        use std::sync::atomic::{AtomicBool, Ordering};
        use std::thread;

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let mut command = Command::new("true");
                        crate::process::output(&mut command).unwrap();
                    }
                });
            }
            let resets = (0..300).filter(|_| {
                let client = TcpStream::connect(listener.local_addr().unwrap());
                let (mut served, _) = listener.accept().unwrap();
                reset(client.unwrap()).unwrap();
                served.set_nonblocking(true).unwrap();
                let error = served.read(&mut [0]).map_err(|err| err.kind());
                error == Err(ErrorKind::ConnectionReset)
            });
            let resets = resets.count();
            stop.store(true, Ordering::Relaxed);
            assert_eq!(resets, 300);
        });
    }

    #[test]
    fn no_socket_is_connected_to_itself() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let sock = tcp_socket(any).unwrap();
        sock.bind(&any.into()).unwrap();
        let own = sock.local_addr().unwrap();
        // Linux and macOS let it, and other systems may refuse it themselves.
        if sock.connect(&own).is_ok() {
            let refused = not_to_itself(sock.into()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
    }
}
