//! A first server, in 20 lines. It works, as long as every client behaves.
//!
//! ```sh
//! cargo run -p zen-single --example naive
//! ```

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use zen_utils::get_answer;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("1060".to_string());
    serve(&TcpListener::bind(format!("127.0.0.1:{port}"))?)
}

// ANCHOR: naive
fn serve(listener: &TcpListener) -> io::Result<()> {
    for sock in listener.incoming() {
        converse(sock?)?;
    }
    Ok(())
}

fn converse(mut sock: TcpStream) -> io::Result<()> {
    let mut question = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let n = sock.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        question.extend_from_slice(&buffer[..n]);
        if question.ends_with(b"?") {
            sock.write_all(get_answer(&question))?;
            question.clear();
        }
    }
}
// ANCHOR_END: naive

#[cfg(test)]
mod tests {
    use super::*;

    /// What the server answers to these bytes, sent in one segment.
    fn answers(bytes: &[u8]) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || serve(&listener));
        let mut sock = TcpStream::connect(address).unwrap();
        sock.write_all(bytes).unwrap();
        sock.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answers = Vec::new();
        sock.read_to_end(&mut answers).unwrap();
        answers
    }

    #[test]
    fn answers_a_client_that_waits_for_its_answer() {
        assert_eq!(answers(b"Simple is better than?"), b"Complex.");
    }

    #[test]
    fn takes_two_questions_in_one_segment_for_one() {
        let two = b"Simple is better than?Simple is better than?";
        assert_eq!(answers(two), b"Error: unknown aphorism.");
    }
}
