//! What only a server on io_uring can get wrong.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![expect(unsafe_code, reason = "a filter of system calls")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use zen_harness::process::{self, Process};

/// No test waits longer than this.
const PATIENCE: Duration = Duration::from_secs(8);

struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    /// `None` where io_uring is not available.
    fn start(port: u16) -> io::Result<Option<Self>> {
        Self::start_with(port, &[])
    }

    fn start_with(port: u16, options: &[&str]) -> io::Result<Option<Self>> {
        let mut process = Process::start(command(port).args(options))?;
        match process.address(PATIENCE) {
            Ok(address) => Ok(Some(Self { process, address })),
            Err(err) if err.to_string().contains("no io_uring to be had") => {
                println!("skipped: {err}");
                Ok(None)
            }
            Err(err) => Err(err),
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let sock = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        sock.set_read_timeout(Some(PATIENCE))?;
        Ok(sock)
    }

    fn signal(&self, signal: i32) {
        self.process.signal(signal).expect("it is there");
    }
}

fn command(port: u16) -> Command {
    let mut command = Command::new(zen_harness::program!("zen-uring"));
    command.args(["-p", &port.to_string(), "-q"]);
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
    let ended = process::run(&mut command, PATIENCE).unwrap();
    assert_eq!(ended.status.unwrap().code(), Some(1));
    assert_eq!(ended.output, [""; 0]);
    let says = "zen-uring: no io_uring to be had here: ";
    assert!(ended.errors[0].starts_with(says), "{ended:?}");
    assert_eq!(ended.errors.len(), 1, "{ended:?}");
}

#[test]
fn explains_its_options_even_where_io_uring_is_forbidden() {
    let mut command = command(0);
    command.arg("--help");
    // SAFETY: between fork and exec it makes two system calls and no more.
    unsafe { command.pre_exec(forbid_io_uring) };
    let ended = process::run(&mut command, PATIENCE).unwrap();
    assert!(ended.succeeded(), "{ended:?}");
    assert!(ended.output.join("\n").contains("--port"));
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
    server.process.kill().unwrap();
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
