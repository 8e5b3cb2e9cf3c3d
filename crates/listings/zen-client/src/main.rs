//! `zen-client`: asks three questions, each after the answer to the one before.
//!
//! The text: listing 7-2, page 120. Same names where Rust allows.
//!
//! ```text
//! connect() -> send() -> recv() -> send() -> recv() -> ... -> close
//! ```
//!
//! Read `client`: it is the whole conversation, seen from the other side.
//! Beyond the text are the options that make an architecture visible: a
//! client that is silent or slow, many at once, a person who types.
//!
//! ```sh
//! cargo run -p zen-client -- 127.0.0.1 -p 1060
//! ```

mod interactive;
mod options;

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{self, ExitCode};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zen_utils::command_line::Address;
use zen_utils::listener::without_number;
use zen_utils::log;

use crate::options::Options;

/// An answer has so many bytes, at most. The longest that there is has 25, but
/// the server may be anybody's: it does not decide how much memory we need.
const ANSWER_BYTES_MAX: u64 = 1024;

fn main() -> ExitCode {
    let options = options::parse_command_line();
    zen_utils::raise_descriptor_limit();
    let conversed = if options.interactive {
        interactive::converse(&options)
    } else {
        at_once(&options, |number| {
            (0..options.count).try_for_each(|_| client(&options, number))
        })
    };
    match conversed {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            log::complain(message);
            ExitCode::FAILURE
        }
    }
}

// ANCHOR: client
/// Converses once: says nothing for a while, asks, and leaves.
fn client(options: &Options, number: u16) -> Result<(), String> {
    let address = &options.address;
    let sock = connect(address)?;
    thread::sleep(options.silent);
    let questions = options.questions();
    if options.cause_error {
        let first = questions[0];
        return send(&sock, &first[..first.len() - 1], options.slow)
            .map_err(|err| failure(address, &err));
    }
    let mut reader = BufReader::new(&sock);
    for question in questions {
        let answer = send(&sock, question, options.slow)
            .and_then(|()| recv_until(&mut reader, b'.'))
            .map_err(|err| failure(address, &err))?;
        let (question, answer) = (visible(question), visible(&answer));
        print(&format!("{}{question} {answer}\n", options.mark(number)))?;
    }
    Ok(())
}
// ANCHOR_END: client

fn connect(address: &Address) -> Result<TcpStream, String> {
    TcpStream::connect((address.host.as_str(), address.port)).map_err(|err| {
        format!("cannot connect to {address}: {}", without_number(&err))
    })
}

// ANCHOR: send
/// Sends bytes in one piece or, after a pause before each but the first, one
/// by one.
fn send(mut sock: &TcpStream, bytes: &[u8], slow: Duration) -> io::Result<()> {
    if slow.is_zero() {
        return sock.write_all(bytes);
    }
    // Or the system would collect what we send byte by byte.
    sock.set_nodelay(true)?;
    for (i, byte) in bytes.iter().enumerate() {
        thread::sleep(if i == 0 { Duration::ZERO } else { slow });
        sock.write_all(&[*byte])?;
    }
    Ok(())
}
// ANCHOR_END: send

// ANCHOR: recv_until
/// Receives until the suffix, and keeps what came after it for the next time.
fn recv_until(reader: &mut impl BufRead, suffix: u8) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    reader.take(ANSWER_BYTES_MAX).read_until(suffix, &mut message)?;
    if message.ends_with(&[suffix]) {
        Ok(message)
    } else if message.len() as u64 == ANSWER_BYTES_MAX {
        Err(io::Error::other("the answer is too long"))
    } else {
        Err(ErrorKind::UnexpectedEof.into())
    }
}
// ANCHOR_END: recv_until

/// Runs so many clients at once, a thread each; says how many of them failed.
fn at_once<F>(options: &Options, converse: F) -> Result<(), String>
where
    F: Fn(u16) -> Result<(), String> + Sync,
{
    let (failed, failures) = mpsc::channel();
    thread::scope(|scope| {
        for number in 1..=options.clients {
            let (failed, converse) = (failed.clone(), &converse);
            let thread = thread::Builder::new().spawn_scoped(scope, move || {
                converse(number).or_else(|message| failed.send(message)).ok()
            });
            if let Err(err) = thread {
                
            }
        }
    });
    Ok(())
}
