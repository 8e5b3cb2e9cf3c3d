//! A handler that panics harms no client but its own.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use zen_legacy::socketserver::{BaseRequestHandler, TcpServer, ThreadingMixIn};
use zen_utils::{Listener, StoppableSocket};

#[derive(Clone)]
struct Panics;

impl BaseRequestHandler for Panics {
    fn handle(self, _: StoppableSocket<TcpStream>, client: SocketAddr) {
        panic!("as this test wants, for {client}");
    }
}

#[test]
fn a_handler_that_panics_gives_its_place_back() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(|| {
        let listener = Listener::new(listener).unwrap();
        TcpServer::<ThreadingMixIn, _>::new(&listener, Panics, 1)
            .unwrap()
            .serve_forever()
    });
    // Only one client may be served at a time.
    for _ in 0..3 {
        let mut sock = TcpStream::connect(address).unwrap();
        sock.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
        assert_eq!(sock.read(&mut [0]).unwrap(), 0);
    }
}
