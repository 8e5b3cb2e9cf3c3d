//! What only a server on io_uring can do wrong.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![expect(unsafe_code, reason = "a filter of system calls, and signals")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// No test waits longer than this.
const PATIENCE: Duration = Duration::from_secs(8);

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// `None` where io_uring is forbidden.
    fn start(port: u16) -> io::Result<Option<Self>> {
        let mut child = command(port).spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        // Nobody waits for a reader of the log.
        thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        let address = line.trim().strip_prefix("Listening at ");
        let address = address.and_then(|address| address.parse().ok());
        let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut server = Self { child, address };
        if let Err(err) = server.connect().and_then(|sock| asks(&sock)) {
            // It is ending, or else something is wrong.
            let asked = Instant::now();
            while server.child.try_wait()?.is_none() {
                assert!(asked.elapsed() < PATIENCE, "no answer: {err}");
                thread::sleep(Duration::from_millis(1));
            }
            let errors = server.child.stderr.take();
            let why = io::read_to_string(errors.ok_or(err)?)?;
            assert!(why.contains("no io_uring to be had"), "{why}");
            println!("skipped: {why}");
            return Ok(None);
        }
        Ok(Some(server))
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let sock = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        sock.set_read_timeout(Some(PATIENCE))?;
        Ok(sock)
    }

    fn signal(&self, signal: i32) {
        // SAFETY: kill() takes any numbers, and this is our own child.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn command(port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zen-uring"));
    command.args(["-p", &port.to_string(), "-q"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn asks(mut sock: &TcpStream) -> io::Result<()> {
    sock.write_all(b"Simple is better than?")?;
    expect_answer(sock)
}

fn expect_answer(mut sock: &TcpStream) -> io::Result<()> {
    let mut answer = [0; 8];
    sock.read_exact(&mut answer)?;
    assert_eq!(&answer, b"Complex.");
    Ok(())
}

/// From now on this process gets no ring, as under many a sandbox.
fn forbid_io_uring() -> io::Result<()> {
    let statement = |code: u32, jump: (u8, u8), k: u32| libc::sock_filter {
        code: code as u16,
        jt: jump.0,
        jf: jump.1,
        k,
    };
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let mut filter = [
        // The number of the call, which comes first in what is shown to us.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, (0, 0), 0),
        statement(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            (0, 1),
            libc::SYS_io_uring_setup as u32,
        ),
        statement(libc::BPF_RET | libc::BPF_K, (0, 0), refuse),
        statement(libc::BPF_RET | libc::BPF_K, (0, 0), libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: plain system calls on a program that outlives them.
    let results = unsafe {
        let mode = libc::SECCOMP_MODE_FILTER;
        let program = &raw const program;
        [
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
            libc::prctl(libc::PR_SET_SECCOMP, mode, program),
        ]
    };
    match results {
        [0, 0] => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[test]
fn where_it_is_forbidden_it_says_so_in_one_line() {
    let mut command = command(0);
    // SAFETY: between fork and exec it makes two system calls and no more.
    unsafe { command.pre_exec(forbid_io_uring) };
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    let says = "zen-uring: no io_uring to be had here: ";
    assert!(errors.starts_with(says), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn more_clients_than_buffers_are_answered_though_all_ask_at_once() {
    let Some(server) = Server::start(0).unwrap() else { return };
    // Accepted together, and their questions are there already.
    server.signal(libc::SIGSTOP);
    let connect = |_| {
        let mut sock = server.connect().unwrap();
        sock.write_all(b"Simple is better than?").unwrap();
        sock
    };
    let clients: Vec<_> = (0..600).map(connect).collect();
    server.signal(libc::SIGCONT);
    clients.iter().for_each(|sock| expect_answer(sock).unwrap());
    // And once more, on connections that are open.
    server.signal(libc::SIGSTOP);
    for mut sock in &clients {
        sock.write_all(b"Simple is better than?").unwrap();
    }
    server.signal(libc::SIGCONT);
    clients.iter().for_each(|sock| expect_answer(sock).unwrap());
}

#[test]
fn buffers_come_back_however_clients_leave() {
    let Some(server) = Server::start(0).unwrap() else { return };
    // Ten times as many as there are buffers: cut short, refused, or whole.
    for turn in 0..2560 {
        let mut sock = server.connect().unwrap();
        match turn % 3 {
            0 => sock.write_all(b"Simple is").unwrap(),
            1 => sock.write_all(&[b'x'; 3000]).unwrap(),
            _ => asks(&sock).unwrap(),
        }
    }
    asks(&server.connect().unwrap()).unwrap();
}

#[test]
fn it_listens_at_the_port_it_is_given() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let Some(server) = Server::start(port).unwrap() else { return };
    assert_eq!(server.address.port(), port);
}

#[test]
fn the_port_of_one_that_was_killed_is_free_in_a_moment() {
    let Some(mut server) = Server::start(0).unwrap() else { return };
    let sock = server.connect().unwrap();
    asks(&sock).unwrap();
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let killed = Instant::now();
    // What it had asked for is being cancelled; until then, the port is taken.
    while let Err(err) = TcpListener::bind(server.address) {
        assert_eq!(err.kind(), io::ErrorKind::AddrInUse);
        assert!(killed.elapsed() < PATIENCE, "it is still taken");
        thread::sleep(Duration::from_millis(1));
    }
    let again = Server::start(server.address.port()).unwrap();
    assert!(again.is_some());
}
