//! Another use of the same ring: it knows nothing of questions.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zen_utils::StoppableSocket;
use zen_utils::command_line::Address;
use zen_utils::listener::create_srv_socket;

use super::{Completion, Done, Ring};

/// No test waits longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than the buffers of a connection hold, and than those of the ring.
const MANY_BYTES: usize = 16 * 1024 * 1024;

/// Sends back what it receives; closes at an `A`, while a recv() is under way.
fn echo(ring: &mut Ring) -> io::Result<()> {
    let mut waiting: Vec<Vec<u8>> = Vec::new();
    loop {
        ring.accept(true)?;
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
                    if bytes.starts_with(b"A") {
                        ring.recv(key)?;
                        ring.close(key);
                    } else {
                        ring.send(key, &bytes)?;
                    }
                }
                Completion::Done(key, Ok(Done::Sent(n))) => {
                    waiting[key].drain(..n);
                    match &waiting[key][..] {
                        [] => ring.recv(key)?,
                        rest => ring.send(key, rest)?,
                    }
                }
                Completion::Done(key, _) => ring.close(key),
            }
        }
    }
}

/// The ring ends with the process, as its thread does. `None` where there can
/// be none.
fn start_echo() -> Option<SocketAddr> {
    let (started, address) = mpsc::channel();
    thread::spawn(move || {
        let address = Address { host: "127.0.0.1".into(), port: 0 };
        let listener = create_srv_socket(&address, 64).unwrap();
        match Ring::new(&listener) {
            Ok(mut ring) => {
                started.send(Some(listener.local_addr().unwrap())).unwrap();
                echo(&mut ring).unwrap();
            }
            Err(err) => {
                println!("skipped: {err}");
                started.send(None).unwrap();
            }
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
fn closing_ends_what_is_under_way_and_harms_no_other() {
    let Some(address) = start_echo() else { return };
    let (mut bystander, mut victim) = (connect(address), connect(address));
    victim.write_all(b"A").unwrap();
    assert_eq!(victim.read(&mut [0]).unwrap(), 0);
    // The key may be this one's now.
    let mut next = connect(address);
    for sock in [&mut next, &mut bystander] {
        sock.write_all(b"me too").unwrap();
        let mut echo = [0; 6];
        sock.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, b"me too");
    }
}

#[test]
fn a_second_send_beside_the_first_is_refused() {
    let address = Address { host: "127.0.0.1".into(), port: 0 };
    let listener = create_srv_socket(&address, 64).unwrap();
    let Ok(mut ring) = Ring::new(&listener) else { return };
    let client = connect(listener.local_addr().unwrap());
    let (sock, _) = listener.accept().unwrap();
    let key = ring.insert(sock);
    ring.send(key, b"one").unwrap();
    let err = ring.send(key, b"two").unwrap_err();
    assert_eq!(err.kind(), io::ErrorKind::ResourceBusy);
    ring.wait(Some(PATIENCE)).unwrap();
    let sent = ring.next().unwrap();
    assert!(matches!(sent, Some(Completion::Done(_, Ok(Done::Sent(3))))));
    drop(client);
}
