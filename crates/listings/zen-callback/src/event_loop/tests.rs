//! A second protocol on the same event loop: the framework is one.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use zen_utils::command_line::Address;
use zen_utils::listener::create_srv_socket;

use super::{EventLoop, Protocol, Transport};

/// No test waits longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than the buffers of a connection hold.
const MANY_BYTES: usize = 16 * 1024 * 1024;

/// Sends back what it receives; says what has become of each client.
struct Echo {
    lost: Sender<io::Result<()>>,
}

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &mut Transport<Self>) {
        transport.call_later(Duration::from_millis(20), |_, transport| {
            transport.write(b"second");
        });
        transport.call_later(Duration::from_millis(10), |_, transport| {
            transport.write(b"first, ");
        });
    }

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

/// The loop ends with the process, as its thread does.
fn start_echo() -> (SocketAddr, Receiver<io::Result<()>>) {
    let (lost, losses) = channel();
    let (started, address) = channel();
    thread::spawn(move || {
        let host = "127.0.0.1".to_string();
        let listener =
            create_srv_socket(&Address { host, port: 0 }, 64).unwrap();
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

/// What the timers of `connection_made` write.
fn read_greeting(sock: &mut TcpStream) {
    let mut greeting = [0; 13];
    sock.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"first, second");
}

#[test]
fn timers_fire_in_order_of_time() {
    let (address, _losses) = start_echo();
    read_greeting(&mut connect(address));
}

#[test]
fn every_byte_comes_back_however_full_the_socket() {
    let (address, losses) = start_echo();
    let mut sock = connect(address);
    read_greeting(&mut sock);
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
    read_greeting(&mut bystander);
    read_greeting(&mut victim);
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
    read_greeting(&mut sock);
    sock.write_all(b"bytes that come back and are never read").unwrap();
    // Closed with unread bytes, a socket resets its connection.
    let arrived = sock.peek(&mut [0]).unwrap();
    assert_eq!(arrived, 1);
    drop(sock);
    let error = losses.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}
