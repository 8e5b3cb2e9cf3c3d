//! Another service on the same framework: it echoes lines.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use zen_utils::StoppableSocket;

use super::{AsyncChat, Dispatcher, Socket, SocketMap};

/// Sends lines back with `|` for their end. Leaves when it is late.
#[derive(Default)]
struct Echo {
    to_send: Vec<u8>,
    deadline: Option<Instant>,
    over: bool,
}

impl AsyncChat for Echo {
    const TERMINATOR: u8 = b'\n';

    fn collect_incoming_data(&mut self, more_data: &[u8]) {
        self.to_send.extend_from_slice(more_data);
    }

    fn found_terminator(&mut self) {
        self.to_send.push(b'|');
    }

    fn handle_close(&mut self) {
        self.over = true;
    }
}

impl Dispatcher for Echo {
    fn readable(&self) -> bool {
        !self.over
    }

    fn handle_read(
        &mut self,
        mut sock: &TcpStream,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        self.receive(sock, buffer)?;
        sock.write_all(&self.to_send)
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn expire(&mut self, now: Instant) {
        self.over |= self.deadline.is_some_and(|deadline| deadline <= now);
    }

    fn close(&mut self, result: io::Result<()>) -> io::Result<()> {
        result
    }
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let stream = b"one\n\n\ntwo\nrest";
    for at in 0..=stream.len() {
        let mut echo = Echo::default();
        echo.split(&stream[..at]);
        echo.split(&stream[at..]);
        assert_eq!(echo.to_send, b"one|||two|rest", "cut at {at}");
    }
}

#[test]
fn a_late_client_is_received_from_before_it_is_dropped() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut client =
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.write_all(b"in time\n").unwrap();
    let sock = StoppableSocket::new(listener.accept().unwrap().0);
    let mut socket_map = SocketMap::new(1).unwrap();
    let now = Instant::now();
    let echo = Box::new(Echo { deadline: Some(now), ..Echo::default() });
    socket_map.add(Socket::Connected(sock), echo).unwrap();
    socket_map.handle_deadlines(now, &mut [0; 100]).unwrap();
    assert!(socket_map.channels.is_empty());
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "in time|");
}
