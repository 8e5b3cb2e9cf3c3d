//! `zen-client`: asks three questions, each after the answer to the one before.
//!
//! The chapter: listing 7-2, page 120. Same names where Rust allows.
//!
//! ```text
//! connect() -> send() -> recv() -> send() -> recv() -> ... -> close
//! ```
//!
//! Read `client`: it is the whole conversation, seen from the other side.
//! The options go beyond the chapter. They make an architecture visible: a
//! client that is silent or slow, many at once, or a person who types.
//!
//! ```sh
//! cargo run -p zen-client -- 127.0.0.1 -p 1060
//! ```

mod options;
mod terminal;

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zen_utils::listener::without_number;
use zen_utils::log;

use crate::options::Options;
use crate::terminal::{print, visible};

/// The most bytes that are read of one answer. Our longest has 25, but another
/// server may send more, and must not decide how much memory the client needs.
const ANSWER_BYTES_MAX: u64 = 1024;

fn main() -> ExitCode {
    let options = options::parse_command_line();
    zen_utils::raise_descriptor_limit();
    let conversed = if options.interactive {
        terminal::converse(&options)
    } else {
        at_once(options.clients, |number| {
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
/// Converses once: connects, asks, and leaves.
fn client(options: &Options, number: u16) -> Result<(), String> {
    let failed = |err| why(&options.address, &err);
    let sock = connect(options)?;
    thread::sleep(options.silent);
    let questions = options.questions();
    if options.cause_error {
        let (_, all_but_one) = questions[0].split_last().unwrap_or((&0, b""));
        return send(&sock, all_but_one, options.slow).map_err(failed);
    }
    let mut reader = BufReader::new(&sock);
    for question in questions {
        send(&sock, question, options.slow).map_err(failed)?;
        let answer = recv_until(&mut reader, b'.').map_err(failed)?;
        let (question, answer) = (visible(question), visible(&answer));
        print(&format!("{}{question} {answer}\n", options.mark(number)))?;
    }
    Ok(())
}
// ANCHOR_END: client

fn connect(options: &Options) -> Result<TcpStream, String> {
    let address = &options.address;
    TcpStream::connect((address.host.as_str(), address.port))
        // Otherwise the system may collect bytes that are sent one by one.
        .and_then(|sock| sock.set_nodelay(true).and(Ok(sock)))
        .map_err(|err| why(format_args!("cannot connect to {address}"), &err))
}

// ANCHOR: send
fn send(mut sock: &TcpStream, bytes: &[u8], slow: Duration) -> io::Result<()> {
    pieces(bytes, slow).try_for_each(|piece| sock.write_all(piece))
}

/// All bytes in one piece. With `slow`, one by one, with a pause between them.
fn pieces(bytes: &[u8], slow: Duration) -> impl Iterator<Item = &[u8]> {
    let size = if slow.is_zero() { bytes.len().max(1) } else { 1 };
    bytes.chunks(size).enumerate().map(move |(i, piece)| {
        thread::sleep(if i == 0 { Duration::ZERO } else { slow });
        piece
    })
}
// ANCHOR_END: send

// ANCHOR: recv_until
/// Receives until the suffix. What follows it is kept for the next call.
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

// ANCHOR: at_once
/// Runs this many clients at once, each in its own thread. An error says how
/// many failed, and why the first one did.
fn at_once<F>(clients: u16, converse: F) -> Result<(), String>
where
    F: Fn(u16) -> Result<(), String> + Sync,
{
    if clients == 1 {
        return converse(1);
    }
    let (tell, told) = mpsc::channel();
    let failed = |message| tell.send(message).unwrap_or_default();
    thread::scope(|scope| {
        for number in 1..=clients {
            let (converse, failed) = (&converse, &failed);
            let run = move || converse(number).unwrap_or_else(failed);
            if let Err(err) = thread::Builder::new().spawn_scoped(scope, run) {
                failed(why("cannot start a thread", &err));
            }
        }
    });
    let failures: Vec<String> = told.try_iter().collect();
    failures.first().map_or(Ok(()), |first| {
        let n = failures.len();
        Err(format!("{n} of {clients} clients failed; the first: {first}"))
    })
}
// ANCHOR_END: at_once

fn why(what: impl Display, err: &io::Error) -> String {
    match err.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => {
            format!("{what}: the server closed before the answer")
        }
        _ => format!("{what}: {}", without_number(err)),
    }
}
