//! What only a server on io_uring can get wrong.
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
    /// `None` where io_uring is not available.
    fn start(port: u16) -> io::Result<Option<Self>> {
        Self::start_with(port, &[])
    }

    fn start_with(port: u16, options: &[&str]) -> io::Result<Option<Self>> {
        let mut child = command(port).args(options).spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        if line.is_empty() {
            let why = child.wait_with_output()?.stderr;
            let why = String::from_utf8_lossy(&why);
            assert!(why.contains("no io_uring to be had"), "{why}");
            println!("skipped: {why}");
            return Ok(None);
        }
        // The pipe must not fill up.
        thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        let address = line.trim().strip_prefix("Listening at ");
        let address = address.and_then(|address| address.parse().ok());
        let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Some(Self { child, address }))
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

/// From now on this process cannot have a ring, as in many sandboxes.
fn forbid_io_uring() -> io::Result<()> {
    let statement = |code: u32, jump: (u8, u8), k: u32| libc::sock_filter {
        code: code as u16,
        jt: jump.0,
        jf: jump.1,
        k,
    };
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let mut filter = [
        // Loads the number of the system call.
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
fn says_in_one_line_that_io_uring_is_forbidden_and_never_listens() {
    let mut command = command(0);
    // SAFETY: between fork and exec it makes two system calls and no more.
    unsafe { command.pre_exec(forbid_io_uring) };
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let errors = String::from_utf8(output.stderr).unwrap();
    let says = "zen-uring: no io_uring to be had here: ";
    assert!(errors.starts_with(says), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn explains_its_options_even_where_io_uring_is_forbidden() {
    let mut command = command(0);
    command.arg("--help");
    // SAFETY: between fork and exec it makes two system calls and no more.
    unsafe { command.pre_exec(forbid_io_uring) };
    let output = command.output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("--port"));
}

#[test]
fn answers_more_clients_at_once_than_its_queue_holds() {
    // Server and clients are two processes, and each needs this many.
    zen_utils::raise_descriptor_limit();
    let Some(server) = Server::start(0).unwrap() else { return };
    let mut clients: Vec<TcpStream> = Vec::new();
    while clients.len() < 6000 {
        match server.connect() {
            Ok(sock) => clients.push(sock),
            Err(err) if err.raw_os_error() == Some(libc::EMFILE) => {
                println!("skipped: may open only {} sockets", clients.len());
                return;
            }
            Err(err) => panic!("{err}"),
        }
    }
    for _ in 0..2 {
        server.signal(libc::SIGSTOP);
        for mut sock in &clients {
            sock.write_all(b"Simple is better than?").unwrap();
        }
        server.signal(libc::SIGCONT);
        clients.iter().for_each(|sock| expect_answer(sock).unwrap());
    }
}

#[test]
fn spares_a_client_that_asked_in_time_while_the_server_was_stopped() {
    let idle = ["--idle-timeout", "3"];
    let Some(server) = Server::start_with(0, &idle).unwrap() else { return };
    // More than the kernel reports for one wait.
    let clients: Vec<_> = (0..600).map(|_| server.connect().unwrap()).collect();
    clients.iter().for_each(|sock| asks(sock).unwrap());
    let stopped = Instant::now();
    server.signal(libc::SIGSTOP);
    for mut sock in &clients {
        sock.write_all(b"Simple is better than?").unwrap();
    }
    thread::sleep(
        Duration::from_millis(3300).saturating_sub(stopped.elapsed()),
    );
    server.signal(libc::SIGCONT);
    clients.iter().for_each(|sock| expect_answer(sock).unwrap());
}

#[test]
fn gets_its_buffers_back_however_clients_leave() {
    let Some(server) = Server::start(0).unwrap() else { return };
    // Ten clients for each buffer: cut short, refused, or answered.
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
fn listens_at_the_port_it_is_given() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let Some(server) = Server::start(port).unwrap() else { return };
    assert_eq!(server.address.port(), port);
}

#[test]
fn the_port_of_a_killed_server_is_soon_free() {
    let Some(mut server) = Server::start(0).unwrap() else { return };
    let sock = server.connect().unwrap();
    asks(&sock).unwrap();
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let killed = Instant::now();
    // The port is taken until the kernel has cancelled the accept().
    while let Err(err) = TcpListener::bind(server.address) {
        assert_eq!(err.kind(), io::ErrorKind::AddrInUse);
        assert!(killed.elapsed() < PATIENCE, "it is still taken");
        thread::sleep(Duration::from_millis(1));
    }
    let again = Server::start(server.address.port()).unwrap();
    assert!(again.is_some());
}
