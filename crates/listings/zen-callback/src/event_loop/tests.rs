//! Other protocols on the same event loop: it is a framework.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use polling::Events;

use zen_utils::command_line::Address;
use zen_utils::listener::create_srv_socket;
use zen_utils::{Listener, RECV_BYTES_MAX};

use super::{EventLoop, LISTENER, Protocol, Transport};

/// No test waits longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than the buffers of a connection hold.
const MANY_BYTES: usize = 16 * 1024 * 1024;

/// Sends back what it receives, and reports how each connection ended.
struct Echo {
    lost: Sender<io::Result<()>>,
}

impl Protocol for Echo {
    fn connection_made(&mut self, _: &mut Transport<Self>) {}

    fn data_received(&mut self, transport: &mut Transport<Self>, data: &[u8]) {
        if data.starts_with(b"A") {
            return transport.abort();
        }
        transport.write(data);
        if transport.is_full() {
            transport.pause_reading();
        }
    }

    fn eof_received(&mut self, transport: &mut Transport<Self>) {
        transport.write(b"end");
        transport.close();
    }

    fn resume_writing(&mut self, transport: &mut Transport<Self>) {
        transport.resume_reading();
    }

    fn connection_lost(&mut self, result: io::Result<()>) {
        self.lost.send(result).ok();
    }
}

fn listen() -> Listener {
    let host = "127.0.0.1".to_string();
    create_srv_socket(&Address { host, port: 0 }, 64).unwrap()
}

/// The loop runs in a thread that ends with the process.
fn start_echo() -> (SocketAddr, Receiver<io::Result<()>>) {
    let (lost, losses) = channel();
    let (started, address) = channel();
    thread::spawn(move || {
        let listener = listen();
        started.send(listener.local_addr().unwrap()).unwrap();
        EventLoop::create_server(&listener, usize::MAX, || Echo {
            lost: lost.clone(),
        })
        .and_then(|mut event_loop| event_loop.run_forever())
        .unwrap();
    });
    (address.recv_timeout(PATIENCE).unwrap(), losses)
}

fn connect(address: SocketAddr) -> TcpStream {
    let sock = TcpStream::connect(address).unwrap();
    sock.set_read_timeout(Some(PATIENCE)).unwrap();
    sock.set_write_timeout(Some(PATIENCE)).unwrap();
    sock
}

#[test]
fn every_byte_comes_back_however_full_the_socket() {
    let (address, losses) = start_echo();
    let mut sock = connect(address);
    let sent: Vec<u8> =
        (0..MANY_BYTES).map(|i| b'a' + (i % 23) as u8).collect();
    let mut received = Vec::new();
    thread::scope(|scope| {
        let mut writing = sock.try_clone().unwrap();
        let sent = &sent;
        scope.spawn(move || {
            writing.write_all(sent).unwrap();
            writing.shutdown(Shutdown::Write).unwrap();
        });
        sock.read_to_end(&mut received).unwrap();
    });
    let (echo, goodbye) = received.split_at(MANY_BYTES);
    assert!(echo == sent, "the echo differs");
    assert_eq!(goodbye, b"end");
    assert!(losses.recv_timeout(PATIENCE).unwrap().is_ok());
}

#[test]
fn an_abort_closes_that_client_and_no_other() {
    let (address, losses) = start_echo();
    let (mut bystander, mut victim) = (connect(address), connect(address));
    victim.write_all(b"Abort").unwrap();
    assert_eq!(victim.read(&mut [0]).unwrap_or(0), 0);
    assert!(losses.recv_timeout(PATIENCE).unwrap().is_ok());
    bystander.write_all(b"me too").unwrap();
    let mut echo = [0; 6];
    bystander.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"me too");
}

#[test]
fn a_reset_is_an_error_in_connection_lost() {
    let (address, losses) = start_echo();
    let mut sock = connect(address);
    sock.write_all(b"bytes that come back and are never read").unwrap();
    // Closed with unread bytes, a socket resets its connection.
    let arrived = sock.peek(&mut [0]).unwrap();
    assert_eq!(arrived, 1);
    drop(sock);
    let error = losses.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// Sets timers for each client, and writes down what happens in which order.
struct Timers(fn(&mut Transport<Self>));

impl Timers {
    fn a(&mut self, transport: &mut Transport<Self>, _due: Instant) {
        transport.write(b"a");
    }

    fn b(&mut self, transport: &mut Transport<Self>, _due: Instant) {
        transport.write(b"b");
    }
}

impl Protocol for Timers {
    fn connection_made(&mut self, transport: &mut Transport<Self>) {
        (self.0)(transport);
    }

    fn data_received(&mut self, transport: &mut Transport<Self>, data: &[u8]) {
        transport.write(data);
    }

    fn eof_received(&mut self, transport: &mut Transport<Self>) {
        transport.close();
    }

    fn connection_lost(&mut self, _: io::Result<()>) {}
}

/// Serves one client, which has sent `!` before it is accepted, and leaves when
/// it has received `expected`. Returns how many timers are left then.
fn serve_timers(set: fn(&mut Transport<Timers>), expected: &str) -> usize {
    let listener = listen();
    let mut sock = connect(listener.local_addr().unwrap());
    sock.write_all(b"!").unwrap();
    let mut received = vec![0; expected.len()];
    let client = thread::spawn(move || {
        sock.read_exact(&mut received).unwrap();
        String::from_utf8(received).unwrap()
    });
    let mut event_loop =
        EventLoop::create_server(&listener, 1, || Timers(set)).unwrap();
    let (mut events, mut buffer) = (Events::new(), [0; RECV_BYTES_MAX]);
    // Each round ends at the latest when the client has lost its patience.
    while event_loop.last_key == LISTENER || !event_loop.connections.is_empty()
    {
        event_loop.run_once(&mut events, &mut buffer).unwrap();
    }
    assert_eq!(client.join().unwrap(), expected);
    event_loop.timers.len()
}

#[test]
fn timers_are_called_in_the_order_of_time() {
    let set = |transport: &mut Transport<Timers>| {
        let now = Instant::now();
        transport.call_at(now + Duration::from_millis(20), Timers::b);
        transport.call_at(now + Duration::from_millis(10), Timers::a);
    };
    serve_timers(set, "!ab");
}

#[test]
fn timers_that_are_due_at_the_same_instant_are_all_called() {
    let set = |transport: &mut Transport<Timers>| {
        let soon = Instant::now() + Duration::from_millis(10);
        transport.call_at(soon, Timers::b);
        transport.call_at(soon, Timers::a);
        transport.call_at(soon, Timers::b);
    };
    serve_timers(set, "!bab");
}

#[test]
fn what_the_client_has_sent_comes_before_a_timer_that_is_due() {
    let set = |transport: &mut Transport<Timers>| {
        transport.call_at(Instant::now(), Timers::a);
    };
    serve_timers(set, "!a");
}

#[test]
fn a_client_that_leaves_takes_its_timers_with_it() {
    let set = |transport: &mut Transport<Timers>| {
        let now = Instant::now();
        transport.call_at(now + PATIENCE, Timers::a);
        transport.call_at(now + 2 * PATIENCE, Timers::b);
    };
    assert_eq!(serve_timers(set, "!"), 0);
}
