//! The terminal: a person types instead of the three questions, and sees what
//! arrives.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::options::Options;
use crate::{connect, pieces, why};

// ANCHOR: interactive
/// One thread sends what is typed, and another shows what arrives, so neither
/// waits for the other.
pub(crate) fn converse(options: &Options) -> Result<(), String> {
    let sock = Arc::new(connect(options)?);
    let owed = Arc::new(AtomicUsize::new(0));
    thread::sleep(options.silent);
    let (to_sock, typed, slow) =
        (Arc::clone(&sock), Arc::clone(&owed), options.slow);
    // No one joins this thread: while it reads the keyboard, nothing wakes it.
    thread::Builder::new()
        .spawn(move || send_what_is_typed(&to_sock, &typed, slow))
        .map_err(|err| why("cannot start a thread", &err))?;
    let closed = |err| why(&options.address, &err);
    let answers = show_what_arrives(&sock, closed)?;
    if answers < owed.load(Ordering::SeqCst) {
        return Err(closed(ErrorKind::UnexpectedEof.into()));
    }
    Ok(())
}

/// Counts the questions before it sends them. `owed` is how many answers to
/// wait for, including one for a question that is still being typed.
fn send_what_is_typed(
    mut sock: &TcpStream,
    owed: &AtomicUsize,
    slow: Duration,
) {
    let (mut whole, mut begun) = (0, false);
    let mut buffer = [0; 4096];
    // A keyboard that cannot be read counts as closed.
    while let Ok(n @ 1..) = read(io::stdin(), &mut buffer) {
        let typed = &buffer[..n];
        for byte in typed {
            whole += usize::from(*byte == b'?');
            begun = *byte != b'?' && (begun || !byte.is_ascii_whitespace());
        }
        owed.store(whole + usize::from(begun), Ordering::SeqCst);
        for piece in pieces(typed, slow) {
            // The receiving thread reports the error.
            sock.write_all(piece).ok();
        }
    }
    // A question that was never finished gets no answer.
    owed.store(whole, Ordering::SeqCst);
    sock.shutdown(Shutdown::Write).ok();
}
// ANCHOR_END: interactive

/// Shows what arrives, one answer in each line, until end of file. Returns how
/// many answers there were.
fn show_what_arrives(
    sock: &TcpStream,
    failed: impl Fn(io::Error) -> String,
) -> Result<usize, String> {
    let (mut answers, mut line_begun) = (0, false);
    let mut buffer = [0; 4096];
    loop {
        let received = read(sock, &mut buffer);
        let n = *received.as_ref().unwrap_or(&0);
        if n == 0 {
            if line_begun {
                print("\n")?;
            }
            return received.map(|_| answers).map_err(failed);
        }
        let mut text = String::new();
        for piece in buffer[..n].split_inclusive(|&byte| byte == b'.') {
            text += &visible(piece);
            line_begun = !piece.ends_with(b".");
            if !line_begun {
                text.push('\n');
                answers += 1;
            }
        }
        print(&text)?;
    }
}

fn read(mut source: impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Escapes what a stranger sent, so that it cannot control the terminal.
pub(crate) fn visible(bytes: &[u8]) -> String {
    let visible = |&byte: &u8| match byte {
        b' '..=b'~' => char::from(byte).to_string(),
        _ => byte.escape_ascii().to_string(),
    };
    bytes.iter().map(visible).collect()
}

/// Prints and flushes. Ends the program if the reader has gone (`| head -1`).
pub(crate) fn print(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(err) if err.kind() == ErrorKind::BrokenPipe => process::exit(0),
        printed => printed.map_err(|err| why("cannot print", &err)),
    }
}
