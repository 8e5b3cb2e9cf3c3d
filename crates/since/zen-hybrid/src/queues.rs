//! `--share reuseport`: a listener and a queue for each loop.

use std::io;
use std::net::TcpListener;

use socket2::{Domain, Protocol, Socket, Type};

use zen_utils::{Listener, StoppableSocket};

// ANCHOR: create
/// A listener more for each further loop, all at one address: from now on the
/// system chooses one of them for each client, by a hash of both addresses.
pub(crate) fn create(
    listener: &Listener,
    backlog: i32,
    loops: usize,
) -> io::Result<Vec<StoppableSocket<TcpListener>>> {
    if cfg!(not(target_os = "linux")) {
        let why = "only Linux spreads clients over several listeners";
        return Err(io::Error::other(why));
    }
    // Said only now that it is bound: a server that has the port already is
    // an error, even one that would share it.
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&**listener).set_reuse_port(true)?;
    let address = listener.local_addr()?;
    let queue = |_| {
        let domain = Domain::for_address(address);
        let sock = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        sock.set_reuse_address(true)?;
        #[cfg(target_os = "linux")]
        sock.set_reuse_port(true)?;
        sock.set_tcp_nodelay(true)?;
        sock.bind(&address.into())?;
        sock.listen(backlog)?;
        sock.set_nonblocking(true)?;
        Ok(StoppableSocket::new(sock.into()))
    };
    (1..loops).map(queue).collect()
}
// ANCHOR_END: create
