//! A client that was accepted, and may have gone already.
#![expect(unsafe_code, reason = "descriptors and socket options")]

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use socket2::SockAddr;

pub(super) fn accepted(
    descriptor: usize,
) -> io::Result<(TcpStream, SocketAddr)> {
    // SAFETY: a new descriptor, and nobody else's.
    let sock = unsafe { OwnedFd::from_raw_fd(descriptor as RawFd) };
    let sock = TcpStream::from(sock);
    let address = address(&sock)?;
    Ok((sock, address))
}

// ANCHOR: address
/// accept(2) tells the address; a completion has no room for it. Nor will
/// getpeername(2) tell it of a client that has reset its connection since.
fn address(sock: &TcpStream) -> io::Result<SocketAddr> {
    // The kernel wants to hear the length that it would say itself.
    let known = match sock.local_addr()? {
        SocketAddr::V4(_) => size_of::<libc::sockaddr_in>(),
        SocketAddr::V6(_) => size_of::<libc::sockaddr_in6>(),
    };
    // SAFETY: an address has room for so many bytes, and is given them.
    let ((), address) = unsafe {
        SockAddr::try_init(|address, length| {
            let (level, name) = (libc::SOL_SOCKET, libc::SO_PEERNAME);
            *length = known as libc::socklen_t;
            let fd = sock.as_raw_fd();
            match libc::getsockopt(fd, level, name, address.cast(), length) {
                0 => Ok(()),
                _ => Err(io::ErrorKind::ConnectionAborted.into()),
            }
        })?
    };
    address.as_socket().ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
}
// ANCHOR_END: address
