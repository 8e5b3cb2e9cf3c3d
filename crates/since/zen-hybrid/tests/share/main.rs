//! Several loops together: which one gets which client, and how processes end.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

const WAYS: [&str; 3] = ["reuseport", "listener", "processes"];

/// No test waits longer than this.
const PATIENCE: Duration = Duration::from_secs(8);

/// In a process group of its own, which is killed at the end.
struct Server {
    child: Child,
    address: SocketAddr,
    log: Lines,
    errors: Lines,
}

type Lines = Arc<Mutex<Vec<String>>>;

/// Reads until the end, so that the server never waits for a reader.
fn drain(output: impl Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let (reader, ours) = (BufReader::new(output), Arc::clone(&lines));
    thread::spawn(move || {
        for line in reader.lines().map_while(Result::ok) {
            ours.lock().expect("a lock").push(line);
        }
    });
    lines
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "still not {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with_limit("unlimited", arguments)
    }

    /// With a limit on the descriptors of each process.
    fn start_with_limit(descriptors: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -n $0 2>&-; exec \"$@\"", descriptors])
            .arg(env!("CARGO_BIN_EXE_zen-hybrid"))
            .args(["-p", "0"])
            .args(arguments)
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let log = drain(child.stdout.take().expect("a pipe"));
        let errors = drain(child.stderr.take().expect("a pipe"));
        let address = ([127, 0, 0, 1], 0).into();
        let mut server = Self { child, address, log, errors };
        wait_until("listening", || server.says("Listening at "));
        let line = server.log.lock().expect("a lock")[0].clone();
        server.address =
            line["Listening at ".len()..].parse().expect("an address");
        server
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    fn says(&self, beginning: &str) -> bool {
        let log = self.log.lock().expect("a lock");
        log.iter().any(|line| line.starts_with(beginning))
    }

    fn expect_complaint(&self, message: &str) {
        let line = format!("zen-hybrid: {message}");
        let errors = || self.errors.lock().expect("a lock").clone();
        wait_until(&line, || errors().contains(&line));
    }

    fn connect(&self) -> TcpStream {
        connect(self.address, PATIENCE).expect("it listens")
    }

    /// A client that is being served.
    fn served(&self) -> TcpStream {
        let sock = self.connect();
        asks(&sock);
        sock
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it is there");
    }

    /// Stops all its threads until SIGCONT.
    fn freeze(&self) {
        killpg(self.pid(), Signal::SIGSTOP).expect("it is there");
        let tasks = format!("/proc/{}/task", self.pid());
        wait_until("frozen", || {
            let mut tasks = fs::read_dir(&tasks).expect("Linux").flatten();
            tasks.all(|task| {
                let stat = fs::read_to_string(task.path().join("stat"));
                stat.unwrap_or_default().contains(") T ")
            })
        });
    }

    fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("at its end", || {
            status = self.child.try_wait().expect("our child");
            status.is_some()
        });
        status.expect("it has ended")
    }

    fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        assert_eq!(self.wait().code(), Some(0));
    }

    /// Those that have not ended, the parent first.
    fn processes(&self) -> Vec<Pid> {
        let mut alive = Vec::new();
        for entry in fs::read_dir("/proc").expect("Linux").flatten() {
            let stat = entry.path().join("stat");
            let stat = fs::read_to_string(stat).unwrap_or_default();
            let Some((start, rest)) = stat.rsplit_once(')') else { continue };
            let mut fields = rest.split_whitespace();
            let (state, group) = (fields.next(), fields.nth(1));
            let ours = group == Some(&*self.child.id().to_string());
            if ours && state != Some("Z") {
                let (pid, _) = start.split_once(' ').expect("a pid");
                alive.push(Pid::from_raw(pid.parse().expect("a pid")));
            }
        }
        alive.sort_by_key(|&pid| (pid != self.pid(), pid));
        alive
    }

    /// With `--spread`: this many loops have come to their end. One that is cut
    /// off 1.8 s after it was told to stop logs nothing.
    fn expect_loops_ended(&self, loops: usize) {
        let is_end = |line: &&String| line.starts_with("Loop ");
        wait_until("ended", || {
            let log = self.log.lock().expect("a lock");
            log.iter().filter(is_end).count() == loops
        });
    }

    /// What `--spread` logs at the end: the clients of each loop.
    fn spread(&mut self, loops: usize) -> Vec<usize> {
        self.stop();
        let accepted = |number| {
            let prefix = format!("Loop {number} accepted ");
            wait_until("logged", || self.says(&prefix));
            let log = self.log.lock().expect("a lock");
            let line = log.iter().find_map(|line| line.strip_prefix(&prefix));
            let count = line.and_then(|line| line.strip_suffix(" clients"));
            count.and_then(|n| n.parse().ok()).expect("a number")
        };
        (0..loops).map(accepted).collect()
    }

    /// The processes that serve clients, once all of them sleep.
    fn workers(&self, loops: usize) -> Vec<Pid> {
        wait_until("all processes", || self.processes().len() == 1 + loops);
        let workers = self.processes().split_off(1);
        wait_until("asleep", || {
            workers.iter().all(|pid| {
                let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
                stat.unwrap_or_default().contains(") S ")
            })
        });
        workers
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        killpg(self.pid(), Signal::SIGKILL).ok();
        self.child.wait().ok();
    }
}

fn connect(address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let sock = TcpStream::connect_timeout(&address, patience)?;
    sock.set_read_timeout(Some(PATIENCE))?;
    Ok(sock)
}

fn asks(mut sock: &TcpStream) {
    sock.write_all(b"Simple is better than?").expect("it listens");
    expect_answer(sock);
}

fn expect_answer(mut sock: &TcpStream) {
    let mut answer = [0; 8];
    sock.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"Complex.");
}

fn expect_eof(mut sock: &TcpStream) {
    assert_eq!(sock.read(&mut [0]).expect("no reset"), 0);
}

fn expect_silence(mut sock: &TcpStream) {
    let time = Duration::from_millis(300);
    sock.set_read_timeout(Some(time)).expect("a timeout");
    let err = sock.read(&mut [0]).expect_err("silence");
    assert_eq!(err.kind(), ErrorKind::WouldBlock);
    sock.set_read_timeout(Some(PATIENCE)).expect("a timeout");
}

#[test]
fn starts_as_many_loops_as_it_is_told() {
    for (share, threads, processes) in
        [("reuseport", 3, 1), ("listener", 3, 1), ("processes", 1, 4)]
    {
        let server = Server::start(&["--loops", "3", "--share", share]);
        wait_until("the right number", || {
            let all = server.processes();
            let are = |pid| fs::read_dir(format!("/proc/{pid}/task")).unwrap();
            all.len() == processes && are(all[0]).count() == threads
        });
    }
}

#[test]
fn several_queues_spread_clients_evenly() {
    let options = ["--loops", "2", "--share", "reuseport", "--spread", "-q"];
    let mut server = Server::start(&options);
    let clients: Vec<_> = (0..400).map(|_| server.served()).collect();
    drop(clients);
    let spread = server.spread(2);
    assert_eq!(spread.iter().sum::<usize>(), 400);
    // Eight standard deviations: it never happens.
    assert!(spread.iter().all(|served| (120..=280).contains(served)));
}

#[test]
fn every_client_is_counted_in_one_loop() {
    for share in WAYS {
        let options = ["--loops", "3", "--share", share, "--spread"];
        let mut server = Server::start(&options);
        (0..50).for_each(|_| asks(&server.connect()));
        let spread = server.spread(3);
        assert_eq!(spread.iter().sum::<usize>(), 50, "{share}");
    }
}

#[test]
fn every_queue_has_the_length_of_the_backlog() {
    let options = ["--share", "reuseport", "--loops", "2", "--backlog", "3"];
    let server = Server::start(&options);
    // The second listener comes a moment after the first, and its thread too.
    wait_until("two loops", || {
        let tasks = fs::read_dir(format!("/proc/{}/task", server.pid()));
        tasks.unwrap().count() == 2
    });
    server.freeze();
    let connect = |_| connect(server.address, Duration::from_millis(300));
    let clients: Vec<_> = (0..24).flat_map(connect).collect();
    // Linux lets one more in than it is told.
    assert_eq!(clients.len(), 2 * (3 + 1));
    killpg(server.pid(), Signal::SIGCONT).unwrap();
    clients.iter().for_each(asks);
}

#[test]
fn a_second_server_cannot_share_the_port() {
    let server = Server::start(&["--share", "reuseport"]);
    let port = server.address.port().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_zen-hybrid"))
        .args(["-p", &port, "--share", "reuseport"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("Address already in use"), "{errors}");
}

/// Whether something waits to be read, be it end of file.
fn is_readable(sock: &TcpStream) -> bool {
    sock.set_nonblocking(true).expect("a socket");
    let readable = sock.peek(&mut [0]).is_ok();
    sock.set_nonblocking(false).expect("a socket");
    readable
}

/// Connects clients that ask until every loop is full, and 20 more. Returns
/// those that are answered and those that wait.
fn crowd(server: &Server, most: usize) -> (Vec<TcpStream>, Vec<TcpStream>) {
    let mut clients = Vec::new();
    let ask = || {
        let mut sock = server.connect();
        sock.write_all(b"Simple is better than?").expect("it listens");
        sock
    };
    wait_until("serving the most clients", || {
        clients.push(ask());
        clients.iter().filter(|sock| is_readable(sock)).count() >= most
    });
    clients.extend((0..20).map(|_| ask()));
    // Time enough for one more, if the server is wrong.
    thread::sleep(Duration::from_millis(100));
    let (answered, waiting): (Vec<_>, _) =
        clients.into_iter().partition(is_readable);
    assert_eq!(answered.len(), most);
    answered.iter().for_each(expect_answer);
    (answered, waiting)
}

#[test]
fn loops_divide_max_clients() {
    for share in WAYS {
        for most in ["1", "2", "3", "7"] {
            let server = Server::start(&[
                "--loops",
                "2",
                "--share",
                share,
                "--max-clients",
                most,
            ]);
            let (answered, waiting) = crowd(&server, most.parse().unwrap());
            // Those that leave make room, until all have been served.
            drop(answered);
            for sock in waiting {
                expect_answer(&sock);
            }
        }
    }
}

#[test]
fn full_loops_still_notice_a_stop() {
    for share in WAYS {
        let options = ["--loops", "2", "--max-clients", "2", "--share", share];
        let mut server = Server::start(&options);
        let (mut served, _waiting) = crowd(&server, 2);
        served[1].write_all(b"Simple is").unwrap();
        assert!(server.says("Serving 1 clients, "));
        server.stop();
        expect_eof(&served[0]);
        expect_eof(&served[1]);
        let address = served[1].local_addr().unwrap();
        let cut_short = format!(
            "Client {address} error: received b\"Simple is\" then socket closed"
        );
        wait_until("saying why", || server.says(&cut_short));
    }
}

#[test]
fn out_of_descriptors_each_process_serves_the_clients_it_has() {
    let options = ["--share", "processes", "--loops", "2"];
    let server = Server::start_with_limit("20", &options);
    let sock = |_| {
        let sock = server.connect();
        (&sock).write_all(b"Simple is better than?").unwrap();
        sock
    };
    // More than two processes with 20 descriptors each can have.
    let mut clients: Vec<_> = (0..30).map(sock).collect();
    wait_until("out of descriptors", || server.says("Cannot accept: "));
    expect_silence(&clients[29]);
    // The queue is in order: those that are served came first.
    expect_answer(&clients[0]);
    let waiting = clients.split_off(15);
    asks(&clients[0]);
    drop(clients);
    waiting.iter().for_each(expect_answer);
}

#[test]
fn a_second_signal_ends_all_processes_at_once() {
    let options = ["--share", "processes", "--think", "60000"];
    let mut server = Server::start(&options);
    let sock = server.connect();
    (&sock).write_all(b"Simple is better than?").unwrap();
    wait_until("thinking", || server.says("Accepted "));
    server.signal(Signal::SIGTERM);
    wait_until("ending", || server.says("Shutting down"));
    thread::sleep(Duration::from_millis(150));
    server.signal(Signal::SIGINT);
    assert_eq!(server.wait().signal(), Some(Signal::SIGINT as i32));
    wait_until("alone", || server.processes().is_empty());
}

#[test]
fn no_process_outlives_its_parent() {
    let mut server = Server::start(&["--share", "processes"]);
    let sock = server.served();
    server.signal(Signal::SIGKILL);
    server.wait();
    wait_until("without children", || server.processes().is_empty());
    assert!((&sock).read(&mut [0]).is_ok_and(|n| n == 0));
}

#[test]
fn a_process_that_is_killed_takes_only_its_own_clients_with_it() {
    let options =
        ["--share", "processes", "--loops", "2", "--max-clients", "4"];
    let mut server = Server::start(&options);
    // Two clients for each of the two.
    let clients = [(); 4].map(|()| server.served());
    let victim = server.workers(2)[0];
    kill(victim, Signal::SIGKILL).unwrap();
    server.expect_complaint(&format!("process {victim} was ended by SIGKILL"));
    let mut left = Vec::from(clients);
    left.retain(|sock| !is_readable(sock));
    assert_eq!(left.len(), 2);
    left.iter().for_each(asks);
    // The other process is still full. Its part of the clients has not grown.
    let one_more = server.connect();
    (&one_more).write_all(b"Simple is better than?").unwrap();
    expect_silence(&one_more);
    left.pop();
    expect_answer(&one_more);
    server.stop();
}

#[test]
fn a_process_that_is_told_to_stop_ends_and_the_others_go_on() {
    let options = ["--share", "processes", "--loops", "3", "--spread"];
    let mut server = Server::start(&options);
    let mut clients: Vec<_> = (0..30).map(|_| server.served()).collect();
    for worker in server.workers(3).split_off(1) {
        kill(worker, Signal::SIGTERM).unwrap();
        let line = format!("Process {worker} has ended");
        wait_until(&line, || server.says(&line));
    }
    server.expect_loops_ended(2);
    clients.extend((0..30).map(|_| server.served()));
    // A client was with one of the two, and has met end of file, or is served.
    for sock in &clients {
        if is_readable(sock) { expect_eof(sock) } else { asks(sock) }
    }
    server.stop();
}

#[test]
fn a_process_without_clients_ends_when_it_is_told_to_stop() {
    let options = ["--share", "processes", "--loops", "2", "--spread"];
    let mut server = Server::start(&options);
    let worker = server.workers(2)[0];
    kill(worker, Signal::SIGTERM).unwrap();
    let line = format!("Process {worker} has ended");
    wait_until(&line, || server.says(&line));
    server.expect_loops_ended(1);
    drop(server.served());
    server.stop();
}

#[test]
fn ends_without_any_process_left() {
    let mut server = Server::start(&["--share", "processes", "--loops", "2"]);
    for worker in server.workers(2) {
        kill(worker, Signal::SIGKILL).unwrap();
    }
    assert_eq!(server.wait().code(), Some(1));
    server.expect_complaint("no loop is left");
}
