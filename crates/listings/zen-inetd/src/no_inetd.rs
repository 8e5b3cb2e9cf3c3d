//! For a system without inetd and systemd: the program says so, and ends.
#![expect(dead_code, reason = "nothing is handed over")]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

pub(crate) enum Handed {
    Client(TcpStream),
    Listener(TcpListener),
}

pub(crate) fn take_over() -> io::Result<Handed> {
    Err(io::Error::other("this system has no inetd: run zen-single"))
}

pub(crate) fn log_to(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn wait_for_client(
    _: &TcpListener,
    _: Duration,
) -> io::Result<bool> {
    Ok(false)
}
