//! What the tests stand on: the client as a process, which is started and ended
//! by `zen-harness`, and small servers in threads. Everything has a deadline.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use zen_harness::process;

pub(crate) use zen_harness::ports::free_port;

/// Anything that takes longer than this hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A running client; it does not outlive its test.
pub(crate) struct Process {
    process: process::Process,
    keyboard: Option<ChildStdin>,
    /// How much of what it has printed was looked at.
    seen: usize,
}

/// What a client has left behind.
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

    /// Starts a client that prints somewhere else.
    pub(crate) fn start_onto(
        stdout: Stdio,
        command: &mut Command,
    ) -> io::Result<Self> {
        process::clean_environment(command);
        command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped());
        let mut process = process::Process::spawn(command)?;
        let keyboard = process.input();
        Ok(Self { process, keyboard, seen: 0 })
    }

    /// The keyboard; dropping it is the end of typing.
    pub(crate) fn keyboard(&mut self) -> io::Result<ChildStdin> {
        self.keyboard.take().ok_or_else(|| io::Error::other("no keyboard"))
    }

    /// Waits until the client has printed this many more bytes.
    pub(crate) fn prints(&mut self, bytes: usize) -> io::Result<String> {
        self.prints_until(|text| text.get(..bytes).map(str::len))
    }

    /// Waits until the client has printed a line.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        self.prints_until(|text| text.find('\n').map(|at| at + 1))
    }

    /// Waits until `found` finds an end in what is printed next.
    fn prints_until(
        &mut self,
        found: impl Fn(&str) -> Option<usize>,
    ) -> io::Result<String> {
        let output = &self.process.output;
        let text = output.wait_for_text("that", DEADLINE, |lines, rest| {
            let ended = lines.iter().flat_map(|line| [line, "\n"]);
            let text: String = ended.collect();
            let text = text + &String::from_utf8_lossy(rest);
            let text = text.get(self.seen..)?;
            Some(text[..found(text)?].to_string())
        })?;
        self.seen += text.len();
        Ok(text)
    }

    /// Reads one byte more of what the client prints, and hangs up.
    pub(crate) fn stop_reading(&mut self) {
        self.process.output.hang_up();
    }

    /// Waits until the client has ended, and returns what it has printed since
    /// it was last looked at. Its keyboard ends first.
    pub(crate) fn finish(mut self) -> io::Result<Finished> {
        drop(self.keyboard.take());
        let status =
            self.process.wait(DEADLINE)?.ok_or(io::ErrorKind::TimedOut)?;
        let [stdout, stderr] = [&self.process.output, &self.process.errors]
            .map(|output| {
                output.wait_for_end(DEADLINE).map(|()| output.text())
            });
        let stdout = stdout?.split_off(self.seen);
        Ok(Finished { stdout, stderr: stderr?, status: status.code() })
    }
}

/// The client, without arguments.
pub(crate) fn program() -> Command {
    Command::new(zen_harness::program!("zen-client"))
}

/// The client, with its port and further arguments.
pub(crate) fn zen_client(port: u16, args: &[&str]) -> Command {
    let mut command = program();
    command.args(["-p", &port.to_string()]).args(args);
    command
}

/// Runs the client to its end.
pub(crate) fn run(port: u16, args: &[&str]) -> io::Result<Finished> {
    Process::start(&mut zen_client(port, args))?.finish()
}

fn other(err: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(err)
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
    pub(crate) fn has_client_waiting(&self) -> io::Result<bool> {
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
