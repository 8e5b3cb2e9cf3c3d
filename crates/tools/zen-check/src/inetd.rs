//! A small stand-in for inetd: it listens, and starts a program for its
//! clients. It is the very executable that wants a server of this kind, started
//! once more.

use std::convert::Infallible;
use std::env;
use std::io;
use std::process::exit;

use crate::program::INETD;

/// Does inetd's work and never returns, if this process was started for that.
/// Its arguments are the program and the program's arguments.
pub(crate) fn be_it_if_told() {
    let Ok(mode) = env::var(INETD) else { return };
    let port = env::var("ZEN_PORT").unwrap_or_default();
    let words: Vec<_> = env::args().skip(1).collect();
    let port = port.parse().map_err(io::Error::other);
    let Err(err) = port.and_then(|port| serve(port, mode == "wait", &words));
    // It is read by whoever reads the report.
    io::Write::write_all(&mut io::stderr(), err.to_string().as_bytes()).ok();
    exit(1);
}

/// Listens at this port of the loopback address for the program that these
/// words start. It is given each client, as inetd does with `nowait`; or, if
/// the service `waits`, the listening socket when there is a client.
///
/// # Errors
///
/// The port is taken, the program cannot be started, or this system has no
/// inetd.
pub fn serve(
    port: u16,
    waits: bool,
    words: &[String],
) -> io::Result<Infallible> {
    #[cfg(unix)]
    return unix::serve(port, waits, words);
    #[cfg(not(unix))]
    {
        _ = (port, waits, words);
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(unix)]
mod unix {
    use std::convert::Infallible;
    use std::io;
    use std::net::{Ipv4Addr, TcpListener};
    use std::os::fd::OwnedFd;
    use std::process::{Child, Command, Stdio};

    use crate::program::INETD;
    use crate::system;

    pub(super) fn serve(
        port: u16,
        waits: bool,
        words: &[String],
    ) -> io::Result<Infallible> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        system::lengthen_backlog(&listener)?;
        match waits {
            true => wait(&listener, words),
            false => nowait(&listener, words),
        }
    }

    /// Accepts, and gives each client to a process of its own.
    fn nowait(
        listener: &TcpListener,
        words: &[String],
    ) -> io::Result<Infallible> {
        system::forget_children()?;
        loop {
            let (client, _) = listener.accept()?;
            start(client.into(), words)?;
        }
    }

    /// Waits for a client without accepting it, gives the listening socket to
    /// a process, and waits for that process to end.
    fn wait(
        listener: &TcpListener,
        words: &[String],
    ) -> io::Result<Infallible> {
        loop {
            system::wait_for_client(listener)?;
            start(listener.try_clone()?.into(), words)?.wait()?;
        }
    }

    /// Starts the program with all three standard streams joined to a socket,
    /// as openbsd-inetd does.
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
}
