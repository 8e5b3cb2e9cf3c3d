//! A stand-in for inetd and systemd. It listens, and starts `zen-inetd` with a
//! socket as its standard streams or as descriptor 3.
//!
//! `zen-harness` starts and ends the processes. Everything has a deadline.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use zen_harness::process::{Process, clean_environment};

/// Anything that takes longer than this hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn program() -> String {
    zen_harness::program!("zen-inetd")
}

/// How a socket is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// As all three standard streams, as openbsd-inetd does.
    Inetd,
    /// As descriptor 3, named by variables; the standard streams stay.
    Systemd,
}

pub(crate) const BOTH: [How; 2] = [How::Inetd, How::Systemd];

/// A running `zen-inetd`, and the file that it logs to.
pub(crate) struct Started {
    process: Process,
    log: PathBuf,
}

/// A listener for `wait`, or for the clients of `nowait`.
pub(crate) fn listen() -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0))
}

/// A client, and the server's end of its connection.
pub(crate) fn connected() -> io::Result<(Client, TcpStream)> {
    let listener = listen()?;
    let client = Client::connect(listener.local_addr()?)?;
    Ok((client, listener.accept()?.0))
}

/// Starts `zen-inetd` with a log of its own.
pub(crate) fn start(
    how: How,
    sock: impl Into<OwnedFd>,
    arguments: &[&str],
) -> io::Result<Started> {
    let log = new_log()?;
    start_with(command(how, Some(&log), arguments), how, sock, log)
}

/// For `nowait`: a client connects, and its socket is handed over.
pub(crate) fn start_for_one(
    how: How,
    arguments: &[&str],
) -> io::Result<(Client, Started)> {
    let (client, sock) = connected()?;
    Ok((client, start(how, sock, arguments)?))
}

/// The command that runs `zen-inetd`.
pub(crate) fn command(
    how: How,
    log: Option<&Path>,
    arguments: &[&str],
) -> Command {
    let mut command = match how {
        How::Inetd => Command::new(program()),
        How::Systemd => {
            // The standard input of the shell becomes descriptor 3. exec
            // keeps the process, so LISTEN_PID is right.
            let mut shell = Command::new("sh");
            let script = "exec 3<&0 </dev/null; \
                          LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";
            shell.args(["-c", script, &program()]);
            shell
        }
    };
    if let Some(log) = log {
        command.arg("--log").arg(log);
    }
    command.args(arguments);
    command
}

/// Runs such a command on this socket.
pub(crate) fn start_with(
    mut command: Command,
    how: How,
    sock: impl Into<OwnedFd>,
    log: PathBuf,
) -> io::Result<Started> {
    let sock: OwnedFd = sock.into();
    match how {
        How::Inetd => {
            command.stdout(sock.try_clone()?).stderr(sock.try_clone()?)
        }
        How::Systemd => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
    };
    clean_environment(&mut command);
    let process = Process::spawn(command.stdin(sock))?;
    Ok(Started { process, log })
}

/// A file that no other test uses.
pub(crate) fn new_log() -> io::Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{number}.log", process::id());
    let log = zen_harness::built::scratch()?.join(name);
    // An earlier process with our number may have left one.
    if let Err(err) = fs::remove_file(&log) {
        assert_eq!(err.kind(), io::ErrorKind::NotFound, "{err}");
    }
    Ok(log)
}

impl Started {
    #[cfg(target_os = "linux")]
    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// What has been logged so far.
    pub(crate) fn logged(&self) -> io::Result<Vec<String>> {
        lines_of(&self.log)
    }

    /// Waits until this line has been logged.
    pub(crate) fn logs(&self, line: &str) -> io::Result<()> {
        logs(&self.log, |printed| printed == line)
    }

    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        self.process.signal(signal)
    }

    /// Waits until it has ended by itself.
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        let ended = self.process.wait(PATIENCE)?;
        ended.ok_or_else(|| io::ErrorKind::TimedOut.into())
    }

    /// The same, and returns what it has printed, if that is not the client's
    /// to read.
    pub(crate) fn prints(&mut self) -> io::Result<String> {
        assert_eq!(self.end()?.code(), Some(0));
        self.process.output.wait_for_end(PATIENCE)?;
        Ok(self.process.output.text())
    }

    /// Waits until it has ended by itself, well, and returns what it logged.
    pub(crate) fn ends_well(&mut self) -> io::Result<Vec<String>> {
        let status = self.end()?;
        let logged = self.logged()?;
        assert_eq!(status.code(), Some(0), "{logged:#?}");
        Ok(logged)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.process.kill();
        fs::remove_file(&self.log).ok();
    }
}

/// The lines of a log, which may not be there yet.
pub(crate) fn lines_of(log: &Path) -> io::Result<Vec<String>> {
    match fs::read_to_string(log) {
        Ok(text) => Ok(text.lines().map(String::from).collect()),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(err) => Err(err),
    }
}

/// Waits until there is such a line.
pub(crate) fn logs(log: &Path, is_it: impl Fn(&str) -> bool) -> io::Result<()> {
    wait_for(|| {
        let logged = lines_of(log)?;
        Ok(logged.iter().any(|line| is_it(line)).then_some(()))
    })
}

/// Asks until there is an answer.
pub(crate) fn wait_for<T>(
    ask: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<T> {
    let answer = zen_harness::process::wait_for(PATIENCE, ask)?;
    answer.ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// A client that talks bytes.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its own address, as the log shows it.
    pub(crate) address: SocketAddr,
    sock: TcpStream,
}

impl Client {
    pub(crate) fn connect(to: SocketAddr) -> io::Result<Self> {
        let sock = TcpStream::connect_timeout(&to, PATIENCE)?;
        sock.set_read_timeout(Some(PATIENCE))?;
        sock.set_write_timeout(Some(PATIENCE))?;
        sock.set_nodelay(true)?;
        Ok(Self { address: sock.local_addr()?, sock })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sock.write_all(bytes)
    }

    /// Receives these bytes, and no others before them.
    pub(crate) fn receives(&mut self, expected: &[u8]) -> io::Result<()> {
        let mut bytes = vec![0; expected.len()];
        self.sock.read_exact(&mut bytes)?;
        assert_eq!(bytes.escape_ascii().to_string(), shown(expected));
        Ok(())
    }

    /// Asks a question and receives the answer.
    pub(crate) fn asks(&mut self) -> io::Result<()> {
        self.send(b"Simple is better than?")?;
        self.receives(b"Complex.")
    }

    /// Receives these bytes, and then the end of file.
    pub(crate) fn receives_to_the_end(
        &mut self,
        expected: &[u8],
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.sock.read_to_end(&mut bytes)?;
        assert_eq!(bytes.escape_ascii().to_string(), shown(expected));
        Ok(())
    }

    /// Sends no more.
    pub(crate) fn stops_sending(&self) -> io::Result<()> {
        self.sock.shutdown(Shutdown::Write)
    }

    /// Whether nothing arrives for this long.
    pub(crate) fn hears_nothing_for(&self, time: Duration) -> io::Result<bool> {
        self.sock.set_read_timeout(Some(time))?;
        let peeked = self.sock.peek(&mut [0]);
        self.sock.set_read_timeout(Some(PATIENCE))?;
        match peeked {
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(true),
            peeked => peeked.map(|_| false),
        }
    }

    /// Sends this byte over and over, until nothing is taken any more.
    pub(crate) fn sends_until_stalled(&mut self, byte: u8) -> io::Result<()> {
        self.sock.set_write_timeout(Some(Duration::from_millis(250)))?;
        let many = [byte; 1 << 16];
        for _ in 0..1000 {
            match self.sock.write(&many) {
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    return self.sock.set_write_timeout(Some(PATIENCE));
                }
                sent => sent?,
            };
        }
        Err(io::Error::other("64 MB were taken, and no answer was read"))
    }

    /// Waits for bytes, and leaves them unread. So to leave is to reset.
    pub(crate) fn leaves_unread(&self) -> io::Result<()> {
        assert!(self.sock.peek(&mut [0])? > 0);
        Ok(())
    }
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
