//! A second service on the same framework, in which a line says how many bytes
//! follow it: the framework is one, and it knows both kinds of terminator.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use zen_utils::StoppableSocket;
use zen_utils::command_line::Address;
use zen_utils::listener::create_srv_socket;

use super::asynchat::cut;
use super::{AsyncChat, Chat, Client, Server, SocketMap, Terminator};

/// No test waits longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than the buffers of a connection hold.
const MANY_BYTES: usize = 16 * 1024 * 1024;

const LINE_END: Terminator = Terminator::Bytes(b"\r\n");

/// Sends back what it collects; says how each conversation ended.
struct Echo {
    chat: Chat,
    piece: Vec<u8>,
    pieces: Vec<Vec<u8>>,
    in_body: bool,
    to_send: Vec<u8>,
    over: bool,
    lost: Sender<io::Result<()>>,
}

impl Echo {
    fn new(client: Client, lost: Sender<io::Result<()>>) -> Self {
        Self {
            chat: Chat::new(client, LINE_END),
            piece: Vec::new(),
            pieces: Vec::new(),
            in_body: false,
            to_send: Vec::new(),
            over: false,
            lost,
        }
    }
}

impl AsyncChat for Echo {
    fn chat(&self) -> &Chat {
        &self.chat
    }

    fn chat_mut(&mut self) -> &mut Chat {
        &mut self.chat
    }

    fn collect_incoming_data(&mut self, more_data: &[u8]) {
        assert!(!more_data.is_empty());
        self.piece.extend_from_slice(more_data);
    }

    fn found_terminator(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        let length =
            std::str::from_utf8(&piece).ok().and_then(|it| it.parse().ok());
        let terminator = match length {
            Some(length) if !self.in_body => Terminator::Count(length),
            _ => LINE_END,
        };
        self.in_body = matches!(terminator, Terminator::Count(_));
        self.chat.set_terminator(terminator);
        if !self.in_body {
            self.to_send.extend_from_slice(&piece);
        }
        self.pieces.push(piece);
    }

    fn handle_close(&mut self) {
        self.over = true;
    }

    fn handle_write(&mut self) -> io::Result<()> {
        let n = match self.to_send.is_empty() {
            true => 0,
            false => self.chat.send(&self.to_send)?,
        };
        self.to_send.drain(..n);
        if self.over && self.to_send.is_empty() {
            self.chat.stop_sending()?;
        }
        Ok(())
    }

    fn readable(&self) -> bool {
        self.to_send.is_empty()
    }

    fn writable(&self) -> bool {
        !self.to_send.is_empty()
    }

    fn is_over(&mut self, _: Instant) -> bool {
        self.over && self.to_send.is_empty()
    }

    fn close(&mut self, result: io::Result<()>) {
        self.lost.send(result).ok();
    }
}

/// A handler that is in no loop.
fn echo() -> Echo {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let sock = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let address = sock.local_addr().unwrap();
    let counted = Rc::default();
    let sock = StoppableSocket::new(sock);
    Echo::new(Client { sock, address, _counted: counted }, channel().0)
}

/// What a handler makes of a stream that arrives in these parts.
fn pieces(handler: &mut Echo, parts: &[&[u8]]) -> Vec<Vec<u8>> {
    for part in parts {
        cut(handler, part);
    }
    std::mem::take(&mut handler.pieces)
}

#[test]
fn lines_and_counts_may_be_cut_anywhere() {
    let stream = b"one\r\n\r\r\n7\r\nab\r\ncd\r\r\n\r\n0two\r\n";
    let expected: [&[u8]; 7] =
        [b"one", b"\r", b"7", b"ab\r\ncd\r", b"", b"", b"0two"];
    let mut handler = echo();
    for first in 0..stream.len() {
        for second in first..stream.len() {
            let (start, rest) = stream.split_at(first);
            let (middle, end) = rest.split_at(second - first);
            let found = pieces(&mut handler, &[start, middle, end]);
            assert_eq!(found, expected, "cut at {first} and {second}");
        }
    }
    let single: Vec<_> = stream.chunks(1).collect();
    assert_eq!(pieces(&mut handler, &single), expected);
}

#[test]
fn a_terminator_may_begin_again_inside_itself() {
    let mut handler = echo();
    handler.chat.set_terminator(Terminator::Bytes(b"aab"));
    for parts in [&[&b"xaaab"[..]][..], &[b"xaa", b"ab"], &[b"xa", b"a", b"ab"]]
    {
        handler.chat.set_terminator(Terminator::Bytes(b"aab"));
        assert_eq!(pieces(&mut handler, parts), [b"xa"]);
    }
}

#[test]
fn what_was_held_back_is_not_lost_with_its_terminator() {
    let mut handler = echo();
    assert_eq!(pieces(&mut handler, &[b"x\r"]), [b""; 0]);
    handler.chat.set_terminator(Terminator::Count(2));
    handler.in_body = true;
    assert_eq!(pieces(&mut handler, &[b"yz\r\n"]), [&b"x\ry"[..], b"z"]);
}

/// The loop ends with the process, as its thread does.
fn start_echo(max_clients: usize) -> (SocketAddr, Receiver<io::Result<()>>) {
    let (lost, losses) = channel();
    let (started, address) = channel();
    thread::spawn(move || {
        let host = "127.0.0.1".to_string();
        let listener =
            create_srv_socket(&Address { host, port: 0 }, 64).unwrap();
        started.send(listener.local_addr().unwrap()).unwrap();
        let handle_accepted = |client| Echo::new(client, lost.clone());
        let server = Server::new(&listener, max_clients, handle_accepted);
        let mut socket_map = SocketMap::new().unwrap();
        socket_map.add(Box::new(server.unwrap())).unwrap();
        socket_map.run().unwrap();
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
    let (address, losses) = start_echo(usize::MAX);
    let mut sock = connect(address);
    let sent: Vec<u8> = (0..MANY_BYTES).map(|i| (i % 251) as u8).collect();
    let mut received = Vec::new();
    thread::scope(|scope| {
        let mut writing = sock.try_clone().unwrap();
        let sent = &sent;
        scope.spawn(move || {
            write!(writing, "{MANY_BYTES}\r\n").unwrap();
            writing.write_all(sent).unwrap();
            writing.shutdown(Shutdown::Write).unwrap();
        });
        sock.read_to_end(&mut received).unwrap();
    });
    assert!(received == sent, "the echo differs");
    assert!(losses.recv_timeout(PATIENCE).unwrap().is_ok());
}

#[test]
fn a_reset_closes_that_client_and_no_other() {
    let (address, losses) = start_echo(usize::MAX);
    let (mut bystander, mut victim) = (connect(address), connect(address));
    victim.write_all(b"comes back and is never read\r\n").unwrap();
    // Closed with unread bytes, a socket resets its connection.
    assert_eq!(victim.peek(&mut [0]).unwrap(), 1);
    drop(victim);
    let error = losses.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    bystander.write_all(b"me too\r\n").unwrap();
    let mut echo = [0; 6];
    bystander.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"me too");
}

#[test]
fn a_place_that_becomes_free_is_taken_at_once() {
    let (address, _losses) = start_echo(1);
    let begun = Instant::now();
    let mut waiting: Vec<_> = (0..50).map(|_| connect(address)).collect();
    for sock in &mut waiting {
        sock.write_all(b"next\r\n").unwrap();
        sock.shutdown(Shutdown::Write).unwrap();
        let mut echo = String::new();
        sock.read_to_string(&mut echo).unwrap();
        assert_eq!(echo, "next");
    }
    // Not at the next tick, of which there are ten in a second.
    assert!(begun.elapsed() < Duration::from_secs(2));
}
