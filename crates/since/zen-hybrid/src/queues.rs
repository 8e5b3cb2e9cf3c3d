//! `--share reuseport`: a listener and a queue for each loop.

use std::io;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use zen_utils::Listener;

// ANCHOR: create
/// Creates more listeners with the address of the first. From now on the system
/// chooses one of them for each client, by a hash of both addresses.
pub(crate) fn create(
    first: &Listener,
    backlog: i32,
    count: usize,
) -> io::Result<Vec<Listener>> {
    // Only now that it is bound: if another server had this port, even one that
    // shares it, that was an error.
    SockRef::from(&**first).set_reuse_port(true)?;
    let address = first.local_addr()?;
    let create = |_| {
        let domain = Domain::for_address(address);
        let sock = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        sock.set_reuse_address(true)?;
        sock.set_reuse_port(true)?;
        sock.set_tcp_nodelay(true)?;
        sock.bind(&address.into())?;
        sock.listen(backlog)?;
        sock.set_nonblocking(true)?;
        Listener::new(sock.into())
    };
    (0..count).map(create).collect()
}
// ANCHOR_END: create
