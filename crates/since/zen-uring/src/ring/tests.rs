//! Another use of the same ring, which shows that it knows no questions.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use zen_utils::command_line::Address;
use zen_utils::listener::create_srv_socket;
use zen_utils::{Listener, StoppableSocket};

use super::{Completion, Done, Ring};

/// No test waits longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than the buffers of a connection and of the ring can hold.
const MANY_BYTES: usize = 16 * 1024 * 1024;

/// `None` where io_uring is not available.
fn new_ring(listener: &Listener) -> Option<Ring<'_>> {
    let ring = Ring::new(listener);
    if let Err(err) = &ring {
        println!("skipped: {err}");
    }
    ring.ok()
}

fn listener() -> Listener {
    let address = Address { host: "127.0.0.1".into(), port: 0 };
    create_srv_socket(&address, 512).unwrap()
}

/// A socket with this key in the ring, and its peer.
fn connection(ring: &mut Ring, listener: &Listener) -> (usize, TcpStream) {
    let peer = connect(listener.local_addr().unwrap());
    let (sock, _) = listener.accept().unwrap();
    (ring.insert(sock), peer)
}

/// Sends back what it receives.
fn echo(ring: &mut Ring) -> io::Result<()> {
    let mut waiting: Vec<Vec<u8>> = Vec::new();
    loop {
        ring.accept()?;
        ring.wait(None)?;
        while let Some(completion) = ring.next()? {
            match completion {
                Completion::Accepted(accepted) => {
                    let key = ring.insert(StoppableSocket::new(accepted?.0));
                    waiting.resize(waiting.len().max(key + 1), Vec::new());
                    ring.recv(key)?;
                }
                Completion::Done(key, Ok(Done::Received(bytes))) => {
                    waiting[key] = bytes.to_vec();
                    ring.send(key, &bytes)?;
                }
                Completion::Done(key, Ok(Done::Sent(n))) => {
                    waiting[key].drain(..n);
                    match &waiting[key][..] {
                        [] => ring.recv(key)?,
                        rest => ring.send(key, rest)?,
                    }
                }
                Completion::Done(key, _) => ring.close(key)?,
            }
        }
    }
}

/// A thread that echoes until the process ends; `None` without io_uring.
fn start_echo() -> Option<SocketAddr> {
    let (started, address) = mpsc::channel();
    thread::spawn(move || {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let ring = new_ring(&listener);
        started.send(ring.is_some().then_some(address)).unwrap();
        if let Some(mut ring) = ring {
            echo(&mut ring).unwrap();
        }
    });
    address.recv_timeout(PATIENCE).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let sock = TcpStream::connect(address).unwrap();
    sock.set_read_timeout(Some(PATIENCE)).unwrap();
    sock.set_write_timeout(Some(PATIENCE)).unwrap();
    sock
}

#[test]
fn every_byte_comes_back_however_full_the_socket() {
    let Some(address) = start_echo() else { return };
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
    assert!(received == sent, "the echo differs");
}

#[test]
fn closes_a_socket_only_when_the_kernel_is_done_with_it() {
    let listener = listener();
    let Some(mut ring) = new_ring(&listener) else { return };
    let (key, mut peer) = connection(&mut ring, &listener);
    ring.recv(key).unwrap();
    let err = ring.close(key).unwrap_err();
    assert_eq!(err.kind(), io::ErrorKind::ResourceBusy);
    assert!(matches!(cancelled(&mut ring, key), Done::Nothing));
    ring.close(key).unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_second_send_beside_the_first_is_refused() {
    let listener = listener();
    let Some(mut ring) = new_ring(&listener) else { return };
    let (key, _peer) = connection(&mut ring, &listener);
    ring.send(key, b"one").unwrap();
    let err = ring.send(key, b"two").unwrap_err();
    assert_eq!(err.kind(), io::ErrorKind::ResourceBusy);
    ring.wait(Some(PATIENCE)).unwrap();
    let sent = ring.next().unwrap();
    assert!(matches!(sent, Some(Completion::Done(_, Ok(Done::Sent(3))))));
}

#[test]
fn each_wait_yields_a_bounded_number_of_completions() {
    const SENT: usize = 64 * 1024;
    let listener = listener();
    let Some(mut ring) = new_ring(&listener) else { return };
    let mut peers = Vec::new();
    for _ in 0..300 {
        let (key, mut peer) = connection(&mut ring, &listener);
        peer.write_all(&[b' '; SENT]).unwrap();
        ring.recv(key).unwrap();
        peers.push(peer);
    }
    let mut received = 0;
    ring.wait(Some(PATIENCE)).unwrap();
    while let Some(completion) = ring.next().unwrap() {
        if let Completion::Done(key, Ok(Done::Received(bytes))) = completion {
            received += bytes.len();
            ring.recv(key).unwrap();
        }
    }
    assert!(received > 0);
    assert!(received < 300 * SENT / 2, "received {received} bytes");
}

#[test]
fn a_cancelled_recv_receives_what_has_arrived_before() {
    let listener = listener();
    let Some(mut ring) = new_ring(&listener) else { return };
    let (key, mut peer) = connection(&mut ring, &listener);
    ring.recv(key).unwrap();
    // Submits it. Nothing can be done yet.
    ring.wait(Some(Duration::from_millis(1))).unwrap();
    peer.write_all(b"just in time").unwrap();
    assert!(matches!(cancelled(&mut ring, key), Done::Received(bytes)
        if *bytes == *b"just in time"));
    ring.recv(key).unwrap();
    assert!(matches!(cancelled(&mut ring, key), Done::Nothing));
}

#[test]
fn a_cancelled_send_says_that_nothing_was_sent() {
    let listener = listener();
    let Some(mut ring) = new_ring(&listener) else { return };
    let (key, _peer) = connection(&mut ring, &listener);
    // The peer does not read, so this ends when its buffers are full.
    loop {
        ring.send(key, &[b'a'; 64 * 1024]).unwrap();
        ring.wait(Some(Duration::from_millis(100))).unwrap();
        match ring.next().unwrap() {
            Some(Completion::Done(_, Ok(Done::Sent(_)))) => {}
            _ => break,
        }
    }
    assert!(matches!(cancelled(&mut ring, key), Done::Nothing));
}

fn cancelled(ring: &mut Ring, key: usize) -> Done {
    ring.cancel(key).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        ring.wait(Some(PATIENCE)).unwrap();
        if let Some(Completion::Done(_, done)) = ring.next().unwrap() {
            return done.unwrap();
        }
    }
    panic!("it was not cancelled");
}
