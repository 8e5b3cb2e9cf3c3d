//! How a worker that ends wakes the server, which waits in poll().

use std::io;

// ANCHOR: wake_up
/// Makes a poll() return, from another thread or from a signal handler: one
/// socket of a pair is watched, and the other one sends to it.
#[derive(Debug)]
pub struct WakeUp {
    sender: Datagrams,
    pub(crate) receiver: Datagrams,
}

#[cfg(unix)]
type Datagrams = std::os::unix::net::UnixDatagram;
#[cfg(windows)]
type Datagrams = std::net::UdpSocket;

impl WakeUp {
    pub(crate) fn new() -> io::Result<Self> {
        let (sender, receiver) = pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Self { sender, receiver })
    }

    /// Makes the current poll() return, or else the next one.
    pub fn wake(&self) {
        // This only fails if the buffer is full, and then poll() returns, too.
        self.sender.send(&[0]).ok();
    }

    pub(crate) fn clear(&self) {
        while self.receiver.recv(&mut [0]).is_ok() {}
    }
}
// ANCHOR_END: wake_up

#[cfg(unix)]
fn pair() -> io::Result<(Datagrams, Datagrams)> {
    Datagrams::pair()
}

/// Windows can only poll() network sockets: one that is connected to itself.
#[cfg(windows)]
fn pair() -> io::Result<(Datagrams, Datagrams)> {
    let sock = Datagrams::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    sock.connect(sock.local_addr()?)?;
    Ok((sock.try_clone()?, sock))
}
