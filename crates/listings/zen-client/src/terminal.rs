//! The terminal: a person types instead of the three questions, and sees what
//! arrives.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::options::Options;
use crate::{at_once, connect, pieces, why};

// ANCHOR: interactive
/// One thread sends what is typed, and another shows what arrives, so neither
/// waits for the other. Several clients all send the same.
pub(crate) fn converse(options: &Options) -> Result<(), String> {
    let socks: Result<Vec<_>, _> =
        (0..options.clients).map(|_| connect(options)).collect();
    let socks = Arc::new(socks?);
    let owed = Arc::new(AtomicUsize::new(0));
    thread::sleep(options.silent);
    let (to_socks, typed, slow) =
        (Arc::clone(&socks), Arc::clone(&owed), options.slow);
    // No one joins this thread: while it reads the keyboard, nothing wakes it.
    thread::Builder::new()
        .spawn(move || send_what_is_typed(&to_socks, &typed, slow))
        .map_err(|err| why("cannot start a thread", &err))?;
    at_once(options.clients, |number| {
        let sock = &socks[usize::from(number) - 1];
        let answers = show_what_arrives(options, sock, number)?;
        if answers < owed.load(Ordering::SeqCst) {
            return Err(why(
                &options.address,
                &ErrorKind::UnexpectedEof.into(),
            ));
        }
        Ok(())
    })
}

/// Counts the questions before it sends them. `owed` is how many answers to
/// wait for, including one for a question that is still being typed.
fn send_what_is_typed(socks: &[TcpStream], owed: &AtomicUsize, slow: Duration) {
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
            for mut sock in socks {
                // The receiving thread of this client reports its error.
                sock.write_all(piece).ok();
            }
        }
    }
    // A question that was never finished gets no answer.
    owed.store(whole, Ordering::SeqCst);
    for sock in socks {
        sock.shutdown(Shutdown::Write).ok();
    }
}
// ANCHOR_END: interactive

/// Shows what arrives, one answer in each line, until end of file. Returns how
/// many answers there were.
fn show_what_arrives(
    options: &Options,
    sock: &TcpStream,
    number: u16,
) -> Result<usize, String> {
    let mark = options.mark(number);
    let mut answers = 0;
    let mut buffer = [0; 4096];
    loop {
        match read(sock, &mut buffer) {
            Ok(0) => return finish_line(number).and(Ok(answers)),
            Ok(n) => answers += show(number, &mark, &buffer[..n])?,
            Err(err) => {
                finish_line(number)?;
                return Err(why(&options.address, &err));
            }
        }
    }
}

/// The client whose line is not finished yet; 0 if there is none.
static LINE_OF: Mutex<u16> = Mutex::new(0);

/// Shows these bytes. Returns how many answers they complete.
fn show(number: u16, mark: &str, bytes: &[u8]) -> Result<usize, String> {
    let mut line_of = LINE_OF.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = String::new();
    let mut answers = 0;
    for piece in bytes.split_inclusive(|&byte| byte == b'.') {
        if *line_of != number {
            // Another client's line is broken off here.
            text += if *line_of == 0 { "" } else { "\n" };
            text += mark;
        }
        text += &visible(piece);
        *line_of = number;
        if piece.ends_with(b".") {
            text.push('\n');
            *line_of = 0;
            answers += 1;
        }
    }
    print(&text).and(Ok(answers))
}

fn finish_line(number: u16) -> Result<(), String> {
    let mut line_of = LINE_OF.lock().unwrap_or_else(PoisonError::into_inner);
    if *line_of != number {
        return Ok(());
    }
    *line_of = 0;
    print("\n")
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
