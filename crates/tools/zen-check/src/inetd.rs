//! A small stand-in for inetd: it listens, and starts a program for its
//! clients. It is this very executable, started once more.

use std::env;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio, exit};
use std::thread;

use crate::program::INETD;
use crate::system;

/// Does inetd's work and never returns, if this process was started for that.
/// Its arguments are the program and the program's arguments.
pub(crate) fn be_inetd_if_told() {
    let Ok(mode) = env::var(INETD) else { return };
    let port = env::var("ZEN_PORT").unwrap_or_default();
    let words: Vec<_> = env::args().skip(1).collect();
    let ended = port
        .parse()
        .map_err(io::Error::other)
        .and_then(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)))
        .and_then(|listener| {
            system::lengthen_backlog(&listener)?;
            match mode.as_str() {
                "wait" => wait(listener, &words),
                _ => nowait(&listener, &words),
            }
        });
    // It is read by whoever reads the report.
    let message = ended.map_or_else(|err| err.to_string(), |()| String::new());
    io::Write::write_all(&mut io::stderr(), message.as_bytes()).ok();
    exit(1);
}

/// Accepts, and gives each client to a process of its own.
fn nowait(listener: &TcpListener, words: &[String]) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept()?;
        let mut child = start(client.into(), words)?;
        thread::Builder::new().spawn(move || child.wait())?;
    }
}

/// Waits for a client without accepting it, gives the listening socket to a
/// process, and waits for that process to end.
fn wait(listener: TcpListener, words: &[String]) -> io::Result<()> {
    loop {
        system::wait_for_client(&listener)?;
        start(listener.try_clone()?.into(), words)?.wait()?;
    }
}

/// Starts the program with all three standard streams joined to a socket, as
/// openbsd-inetd does.
fn start(socket: OwnedFd, words: &[String]) -> io::Result<Child> {
    let [program, arguments @ ..] = words else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    Command::new(program)
        .args(arguments)
        .env_remove(INETD)
        .stdin(Stdio::from(socket.try_clone()?))
        .stdout(Stdio::from(socket.try_clone()?))
        .stderr(Stdio::from(socket))
        .spawn()
}
