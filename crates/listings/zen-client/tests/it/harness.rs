//! What the tests stand on: the client as a process, and small servers.
//!
//! Everything here has a deadline. Nothing here waits by sleeping.

use std::env;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{self, Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Anything that takes longer than this hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A running process; it does not outlive its test.
pub(crate) struct Process {
    child: Child,
    stdout: Receiver<u8>,
    stderr: Receiver<u8>,
}

/// What a process has left behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: Option<i32>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        Self::start_onto(Stdio::piped(), command)
    }

    /// Starts a process that prints somewhere else.
    pub(crate) fn start_onto(
        stdout: Stdio,
        command: &mut Command,
    ) -> io::Result<Self> {
        for (name, _) in env::vars_os() {
            let ours = name.to_string_lossy().starts_with("ZEN_");
            if ours && !command.get_envs().any(|(set, _)| set == name) {
                command.env_remove(name);
            }
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        Ok(Self { child, stdout, stderr })
    }

    /// The keyboard; dropping it is the end of typing.
    pub(crate) fn keyboard(&mut self) -> io::Result<ChildStdin> {
        self.child.stdin.take().ok_or_else(|| io::Error::other("no keyboard"))
    }

    /// Waits until the process has printed this many more bytes.
    pub(crate) fn prints(&mut self, bytes: usize) -> io::Result<String> {
        let mut text = Vec::new();
        while text.len() < bytes {
            text.push(self.stdout.recv_timeout(DEADLINE).map_err(other)?);
        }
        String::from_utf8(text).map_err(other)
    }

    /// Waits until the process has printed a line.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut text = String::new();
        while !text.ends_with('\n') {
            text += &self.prints(1)?;
        }
        Ok(text)
    }

    /// Reads one byte more of what the process prints, and hangs up.
    pub(crate) fn stop_reading(&mut self) {
        // The pipe is closed by the thread that drains it, when it finds that
        // no one takes what it has read.
        self.stdout = mpsc::channel().1;
    }

    /// Waits until the process has ended. Its keyboard ends first.
    pub(crate) fn finish(mut self) -> io::Result<Finished> {
        drop(self.child.stdin.take());
        let stdout = until_the_end(&self.stdout)?;
        let stderr = until_the_end(&self.stderr)?;
        // Both pipes are at their end: only the exit itself is left.
        let status = self.child.wait()?.code();
        Ok(Finished { stdout, stderr, status })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<u8> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for byte in pipe.into_iter().flat_map(Read::bytes) {
            match byte.map(|byte| sender.send(byte)) {
                Ok(Ok(())) => {}
                _ => break,
            }
        }
    });
    receiver
}

fn until_the_end(pipe: &Receiver<u8>) -> io::Result<String> {
    let mut text = Vec::new();
    loop {
        match pipe.recv_timeout(DEADLINE) {
            Ok(byte) => text.push(byte),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(err) => return Err(other(err)),
        }
    }
    String::from_utf8(text).map_err(other)
}

fn other(err: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(err)
}

/// The client, with its port and further arguments.
pub(crate) fn zen_client(port: u16, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zen-client"));
    command.args(["-p", &port.to_string()]).args(args);
    command
}

/// Runs the client to its end.
pub(crate) fn run(port: u16, args: &[&str]) -> io::Result<Finished> {
    Process::start(&mut zen_client(port, args))?.finish()
}

/// A port on which no one listens, and no one will by chance: it lies below
/// those that a system picks by itself, which another test may get meanwhile.
pub(crate) fn free_port() -> io::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Apart from those of another process that runs the same tests.
    let first = process::id().wrapping_mul(100);
    wait_for(|| {
        let next = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + (next % 20_000) as u16;
        let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        Ok(is_free.then_some(port))
    })
}

/// A server in a thread of this test; what it returns is asked for at the end.
pub(crate) struct Server<T> {
    pub(crate) port: u16,
    result: Receiver<io::Result<T>>,
}

impl<T: Send + 'static> Server<T> {
    /// Listens on a port that the system picks.
    pub(crate) fn start<F>(serve: F) -> io::Result<Self>
    where
        F: FnOnce(Listener) -> io::Result<T> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Self::on(listener, serve)
    }

    pub(crate) fn on<F>(listener: TcpListener, serve: F) -> io::Result<Self>
    where
        F: FnOnce(Listener) -> io::Result<T> + Send + 'static,
    {
        let port = listener.local_addr()?.port();
        let (sender, result) = mpsc::channel();
        thread::spawn(move || sender.send(serve(Listener(listener))));
        Ok(Self { port, result })
    }

    /// Waits until the server is done; its error is the test's.
    pub(crate) fn finish(self) -> io::Result<T> {
        self.result.recv_timeout(DEADLINE).map_err(other)?
    }
}

pub(crate) struct Listener(TcpListener);

impl Listener {
    pub(crate) fn accept(&self) -> io::Result<Sock> {
        self.0.set_nonblocking(false)?;
        let (sock, _) = self.0.accept()?;
        sock.set_read_timeout(Some(DEADLINE))?;
        sock.set_write_timeout(Some(DEADLINE))?;
        sock.set_nodelay(true)?;
        Ok(Sock(sock))
    }

    /// Whether a client is waiting to be accepted.
    pub(crate) fn a_client_waits(&self) -> io::Result<bool> {
        self.0.set_nonblocking(true)?;
        would_not_block(self.0.accept().map(|_| ()))
    }
}

/// A server's end of a connection.
pub(crate) struct Sock(TcpStream);

impl Sock {
    /// What one recv() returns; nothing is the end of file.
    pub(crate) fn recv(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 4096];
        let n = self.0.read(&mut buffer)?;
        Ok(buffer[..n].to_vec())
    }

    /// What arrives up to and including the first `?`.
    pub(crate) fn question(&mut self) -> io::Result<String> {
        let mut text = Vec::new();
        while !text.ends_with(b"?") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            text.extend(byte);
        }
        String::from_utf8(text).map_err(other)
    }

    /// All that arrives, to the end of file.
    pub(crate) fn until_the_end(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Waits for bytes and leaves them unread.
    pub(crate) fn peek(&mut self) -> io::Result<()> {
        self.0.peek(&mut [0]).map(|_| ())
    }

    /// Whether bytes have arrived that no one has read.
    pub(crate) fn has_bytes(&mut self) -> io::Result<bool> {
        self.0.set_nonblocking(true)?;
        let peeked = would_not_block(self.0.peek(&mut [0]).map(|_| ()));
        self.0.set_nonblocking(false)?;
        peeked
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.write_all(bytes.as_ref())
    }

    /// Answers each question with what the function says, until the client
    /// leaves; returns the questions.
    pub(crate) fn answer(
        &mut self,
        answer: fn(&str) -> &'static str,
    ) -> io::Result<Vec<String>> {
        let mut questions = Vec::new();
        while self.0.peek(&mut [0])? > 0 {
            let question = self.question()?;
            self.send(answer(&question))?;
            questions.push(question);
        }
        Ok(questions)
    }
}

fn would_not_block(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(err) => Err(err),
    }
}

/// The right answers, and no others.
pub(crate) fn right(question: &str) -> &'static str {
    match question {
        "Beautiful is better than?" => "Ugly.",
        "Explicit is better than?" => "Implicit.",
        "Simple is better than?" => "Complex.",
        _ => "Error: unknown aphorism.",
    }
}

/// Calls until it gets something, at growing intervals.
pub(crate) fn wait_for<T>(
    mut attempt: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<T> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(1);
    while begun.elapsed() < DEADLINE {
        if let Some(value) = attempt()? {
            return Ok(value);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
    Err(io::ErrorKind::TimedOut.into())
}
