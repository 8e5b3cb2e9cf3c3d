//! Several loops together: which one gets which client, and how processes end.
#![cfg(target_os = "linux")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

use zen_harness::process::{self, Process};
use zen_harness::system::{self, SIGCONT, SIGINT, SIGKILL, SIGSTOP, SIGTERM};
use zen_harness::{proc, program};

const WAYS: [&str; 3] = ["reuseport", "listener", "processes"];

/// No test waits longer than this.
const PATIENCE: Duration = Duration::from_secs(8);

/// In a process group of its own, which is killed at the end.
struct Server {
    process: Process,
    address: SocketAddr,
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let held = process::wait_for(PATIENCE, || {
        Ok::<_, io::Error>(holds().then_some(()))
    });
    assert!(held.expect("no error").is_some(), "still not {what}");
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with_limit("unlimited", arguments)
    }

    /// With a limit on the descriptors of each process.
    fn start_with_limit(descriptors: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        let script = "ulimit -n $0 2>&-; exec \"$@\"";
        command.args(["-c", script, descriptors, &program!("zen-hybrid")]);
        command.args(["-p", "0"]).args(arguments);
        let mut process = Process::start(&mut command).expect("it starts");
        let address = process.address(PATIENCE).expect("it listens");
        Self { process, address }
    }

    fn says(&self, beginning: &str) -> bool {
        self.process.output.count(beginning) > 0
    }

    fn expect_complaint(&self, message: &str) {
        let line = format!("zen-hybrid: {message}");
        let has_it = |lines: &[String]| lines.contains(&line).then_some(());
        let said = self.process.errors.wait_for(&line, PATIENCE, has_it);
        said.expect("a complaint");
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

    fn signal(&self, signal: i32) {
        self.process.signal(signal).expect("it is there");
    }

    /// Stops all its threads until SIGCONT.
    fn freeze(&self) {
        self.process.signal_group(SIGSTOP).expect("it is there");
        wait_until("frozen", || {
            proc::is_all_stopped(self.process.id()).expect("Linux")
        });
    }

    fn wait(&mut self) -> ExitStatus {
        let ended = self.process.wait(PATIENCE).expect("our child");
        ended.expect("it has ended")
    }

    fn stop(&mut self) {
        self.signal(SIGTERM);
        assert_eq!(self.wait().code(), Some(0));
    }

    /// Those that have not ended, the parent first.
    fn processes(&self) -> Vec<u32> {
        let mut alive = proc::family(self.process.id()).expect("Linux");
        alive.sort_by_key(|&id| (id != self.process.id(), id));
        alive
    }

    /// With `--spread`: this many loops have come to their end. One that is cut
    /// off 1.8 s after it was told to stop logs nothing.
    fn expect_loops_ended(&self, loops: usize) {
        let output = &self.process.output;
        wait_until("ended", || output.count("Loop ") == loops);
    }

    /// What `--spread` logs at the end: the clients of each loop.
    fn spread(&mut self, loops: usize) -> Vec<usize> {
        self.stop();
        let accepted = |number| {
            let prefix = format!("Loop {number} accepted ");
            let count = |lines: &[String]| {
                let line = lines.iter().find_map(|it| it.strip_prefix(&prefix));
                line?.strip_suffix(" clients")?.parse().ok()
            };
            let output = &self.process.output;
            output.wait_for(&prefix, PATIENCE, count).expect("a number")
        };
        (0..loops).map(accepted).collect()
    }

    /// The processes that serve clients, once all of them sleep.
    fn workers(&self, loops: usize) -> Vec<u32> {
        wait_until("all processes", || self.processes().len() == 1 + loops);
        let workers = self.processes().split_off(1);
        let sleeps = |&it: &u32| proc::states(it).expect("Linux") == ['S'];
        wait_until("asleep", || workers.iter().all(sleeps));
        workers
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
            all.len() == processes && proc::turns(all[0]).len() == threads
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
    wait_until("two loops", || proc::turns(server.process.id()).len() == 2);
    server.freeze();
    let connect = |_| connect(server.address, Duration::from_millis(300));
    let clients: Vec<_> = (0..24).flat_map(connect).collect();
    // Linux lets one more in than it is told.
    assert_eq!(clients.len(), 2 * (3 + 1));
    server.process.signal_group(SIGCONT).unwrap();
    clients.iter().for_each(asks);
}

#[test]
fn a_second_server_cannot_share_the_port() {
    let server = Server::start(&["--share", "reuseport"]);
    let port = server.address.port().to_string();
    let mut second = Command::new(program!("zen-hybrid"));
    second.args(["-p", &port, "--share", "reuseport"]);
    let ended = process::run(&mut second, PATIENCE).unwrap();
    assert_eq!(ended.status.unwrap().code(), Some(1));
    let errors = ended.errors.join("\n");
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
    server.signal(SIGTERM);
    wait_until("ending", || server.says("Shutting down"));
    thread::sleep(Duration::from_millis(150));
    server.signal(SIGINT);
    assert_eq!(system::ended_by(server.wait()), Some(SIGINT));
    wait_until("alone", || server.processes().is_empty());
}

#[test]
fn no_process_outlives_its_parent() {
    let mut server = Server::start(&["--share", "processes"]);
    let sock = server.served();
    server.signal(SIGKILL);
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
    system::signal(victim, SIGKILL).unwrap();
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
        system::signal(worker, SIGTERM).unwrap();
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
    system::signal(worker, SIGTERM).unwrap();
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
        system::signal(worker, SIGKILL).unwrap();
    }
    assert_eq!(server.wait().code(), Some(1));
    server.expect_complaint("no loop is left");
}
