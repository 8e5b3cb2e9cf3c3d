//! A small stand-in for inetd: it listens, and starts a program for its
//! clients. It is this same executable, started again.

use std::convert::Infallible;
use std::env;
use std::io::{self, Write};
use std::process::exit;

/// The first argument that turns an executable into inetd.
const NAME: &str = "be-inetd";

/// How inetd starts a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Once for each client, with the client's socket.
    Nowait,
    /// When the first client arrives, with the listening socket.
    Wait,
}

/// The words that start this executable as the inetd of a program. The
/// executable has to call [`be_it_if_told`]. The port may be a placeholder.
pub fn before(
    mode: Mode,
    port: &str,
    program: &[String],
) -> io::Result<Vec<String>> {
    let own = env::current_exe()?.to_string_lossy().into_owned();
    let mode = if mode == Mode::Wait { "wait" } else { "nowait" };
    let mut words = [&own, NAME, mode, port].map(String::from).to_vec();
    words.extend_from_slice(program);
    Ok(words)
}

/// If this process was started for that, does inetd's work and never returns.
/// Call it first in `main`.
pub fn be_it_if_told() {
    let words: Vec<_> = env::args().skip(1).collect();
    let [name, mode, port, program @ ..] = &words[..] else { return };
    if name != NAME {
        return;
    }
    let port = port.parse().map_err(io::Error::other);
    let Err(err) = port.and_then(|port| serve(port, mode == "wait", program));
    writeln!(io::stderr(), "{err}").ok();
    exit(1);
}

#[cfg(not(unix))]
fn serve(_: u16, _: bool, _: &[String]) -> io::Result<Infallible> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn serve(port: u16, waits: bool, words: &[String]) -> io::Result<Infallible> {
    use std::net::{Ipv4Addr, TcpListener};

    use crate::system;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    system::lengthen_backlog(&listener)?;
    if waits {
        loop {
            system::wait_for_client(&listener)?;
            start(listener.try_clone()?.into(), words)?.wait()?;
        }
    }
    system::forget_children()?;
    loop {
        let (client, _) = listener.accept()?;
        start(client.into(), words)?;
    }
}

/// Starts the program with all three standard streams connected to a socket, as
/// openbsd-inetd does.
#[cfg(unix)]
fn start(
    socket: std::os::fd::OwnedFd,
    words: &[String],
) -> io::Result<std::process::Child> {
    use std::process::{Command, Stdio};

    let [program, arguments @ ..] = words else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::from(socket.try_clone()?))
        .stdout(Stdio::from(socket.try_clone()?))
        .stderr(Stdio::from(socket))
        .spawn()
}
