//! Under the real openbsd-inetd and the real systemd-socket-activate, where
//! they are installed: `scripts/inetd` installs the first. A test that lacks
//! its program says so and passes.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use zen_harness::ports;
use zen_harness::process::{self, Process};

use crate::stand_in::{Client, PATIENCE, lines_of, logs, program, wait_for};

/// A running super-server; it does not outlive its test.
struct SuperServer {
    process: Process,
    address: SocketAddr,
    /// Of its own; removed at the end.
    folder: PathBuf,
    log: PathBuf,
}

impl SuperServer {
    fn start(
        mut command: Command,
        address: SocketAddr,
        folder: PathBuf,
    ) -> io::Result<Self> {
        let process = Process::start(&mut command)?;
        let log = folder.join("log");
        Ok(Self { process, address, folder, log })
    }

    /// Connects as soon as it listens.
    fn connect(&self) -> io::Result<Client> {
        wait_for(|| match Client::connect(self.address) {
            Err(err) if err.kind() == io::ErrorKind::ConnectionRefused => {
                Ok(None)
            }
            connected => connected.map(Some),
        })
    }

    /// Holds a conversation with what it starts, and waits for the log.
    fn serves(&self) -> io::Result<()> {
        let mut client = self.connect()?;
        client.asks()?;
        client.send(b"Beautiful is better than?Who?")?;
        client.receives(b"Ugly.Error: unknown aphorism.")?;
        client.stops_sending()?;
        client.receives_to_the_end(b"")?;
        let address = client.address;
        let closed = format!("Client socket to {address} has closed");
        logs(&self.log, |line| line == closed)
    }

    /// The last line of a program that was given a listener.
    fn logs_that_it_waited(&self) -> io::Result<()> {
        logs(&self.log, |line| line.starts_with("Waited 0.5 seconds "))
    }
}

impl Drop for SuperServer {
    fn drop(&mut self) {
        self.process.kill();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A folder with a link to the program. The configuration of inetd has no way
/// to write a path with a space, which a clone's may have.
fn folder_of(address: SocketAddr) -> io::Result<PathBuf> {
    let name = format!("zen-inetd-{}-{}", std::process::id(), address.port());
    let folder = env::temp_dir().join(name);
    fs::create_dir(&folder)?;
    std::os::unix::fs::symlink(program(), folder.join("zen-inetd"))?;
    Ok(folder)
}

fn free_address() -> io::Result<SocketAddr> {
    Ok(([127, 0, 0, 1], ports::free_port()?).into())
}

/// Starts inetd with a configuration of one line.
fn inetd(wait: &str, arguments: &str) -> io::Result<Option<SuperServer>> {
    let Some(inetd) = installed("inetd") else { return Ok(None) };
    let address = free_address()?;
    let folder = folder_of(address)?;
    let user = process::run(Command::new("id").arg("-un"), PATIENCE)?;
    let user = user.output.join("");
    let configuration = folder.join("inetd.conf");
    let place = folder.display();
    let line = format!(
        "{address} stream tcp {wait} {user} {place}/zen-inetd zen-inetd \
         --log {place}/log {arguments}\n"
    );
    fs::write(&configuration, line)?;
    let mut command = Command::new(inetd);
    command.args(["-d", "-i"]).arg(&configuration);
    let server = SuperServer::start(command, address, folder)?;
    // It has read its configuration when it listens, and knows the port.
    Ok(Some(server))
}

#[test]
fn openbsd_inetd_hands_over_each_client() -> io::Result<()> {
    let Some(server) = inetd("nowait", "")? else { return Ok(()) };
    let mut silent = server.connect()?;
    silent.asks()?;
    for _ in 0..3 {
        server.serves()?;
    }
    silent.asks()
}

#[test]
fn openbsd_inetd_shows_the_client_no_complaint() -> io::Result<()> {
    let Some(server) = inetd("nowait", "--no-such-option")? else {
        return Ok(());
    };
    server.connect()?.receives_to_the_end(b"")
}

#[test]
fn openbsd_inetd_hands_over_its_listener_again_and_again() -> io::Result<()> {
    let Some(server) = inetd("wait", "--linger 0.5")? else { return Ok(()) };
    for _ in 0..2 {
        server.serves()?;
        server.serves()?;
        server.logs_that_it_waited()?;
        fs::write(&server.log, "")?;
    }
    Ok(())
}

#[test]
fn systemd_hands_over_its_listener() -> io::Result<()> {
    for options in [&[][..], &["--inetd"]] {
        let Some(server) = systemd(options, &["--linger", "0.5"])? else {
            return Ok(());
        };
        server.serves()?;
        server.serves()?;
        server.logs_that_it_waited()?;
    }
    Ok(())
}

#[test]
fn systemd_hands_over_each_client() -> io::Result<()> {
    for options in [&["--accept"][..], &["--accept", "--inetd"]] {
        let Some(server) = systemd(options, &[])? else { return Ok(()) };
        let mut silent = server.connect()?;
        silent.asks()?;
        server.serves()?;
        silent.asks()?;
        assert_eq!(lines_of(&server.log)?.len(), 3);
    }
    Ok(())
}

fn systemd(
    options: &[&str],
    arguments: &[&str],
) -> io::Result<Option<SuperServer>> {
    let Some(systemd) = installed("systemd-socket-activate") else {
        return Ok(None);
    };
    let address = free_address()?;
    let folder = folder_of(address)?;
    let mut command = Command::new(systemd);
    command.args(["--listen", &address.to_string()]).args(options);
    command.arg(program()).args(arguments);
    command.arg("--log").arg(folder.join("log"));
    Ok(Some(SuperServer::start(command, address, folder)?))
}

/// Where a program is, in the folders of an administrator too.
fn installed(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = env::split_paths(&path).collect();
    folders.push(Path::new("/usr/sbin").into());
    let program = folders.iter().map(|it| it.join(name)).find(|it| it.exists());
    if program.is_none() {
        // Even when the output of tests is captured.
        let line = format!("skipped: no {name} is installed\n");
        io::stderr().write_all(line.as_bytes()).ok();
    }
    program
}
