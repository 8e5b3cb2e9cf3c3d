//! Homework `framing`: questions by length, beside those that end in `?`.
//!
//! One thread serves one client at a time, as in listing 7-3. There is nothing
//! to change here: your work is in `framing.rs`.

mod framing;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;
use std::thread;

use zen_utils::{
    ClientError, Listener, Options, RECV_BYTES_MAX, get_answer, log,
    pause_after_failed_accept, shutdown,
};

use crate::framing::{Frame, next_frame};

fn main() -> ExitCode {
    zen_utils::run("homework: framing (page 118)", serve)
}

fn serve(listener: &Listener, _: &Options) -> io::Result<()> {
    while !shutdown::begun() {
        match listener.accept() {
            Ok((sock, address)) => {
                log::accepted(address);
                let result = handle_conversation(&sock);
                log::ended(address, result);
            }
            Err(err) => thread::sleep(pause_after_failed_accept(err)?),
        }
    }
    Ok(())
}

/// Answers each frame when it is complete, until the client stops sending.
fn handle_conversation(mut sock: &TcpStream) -> Result<(), ClientError> {
    let mut buffer = [0; RECV_BYTES_MAX];
    let mut bytes_received = Vec::new();
    loop {
        let n = sock.read(&mut buffer).map_err(ClientError::Io)?;
        if n == 0 {
            return match bytes_received.trim_ascii() {
                [] => Ok(()),
                begun => Err(ClientError::CutShort(begun.to_vec())),
            };
        }
        bytes_received.extend_from_slice(&buffer[..n]);
        let mut used = 0;
        let mut answers = Vec::new();
        let refused = loop {
            match next_frame(&bytes_received[used..]) {
                Ok(Some((frame, n))) => {
                    used += n;
                    answer(frame, &mut answers);
                }
                Ok(None) => break None,
                Err(refusal) => break Some(refusal),
            }
        };
        bytes_received.drain(..used);
        answers.extend_from_slice(refused.unwrap_or_default());
        sock.write_all(&answers).map_err(ClientError::Io)?;
        if refused.is_some() {
            return refuse(sock);
        }
    }
}

/// Appends the answer to a frame, in a frame of the same kind.
fn answer(frame: Frame<'_>, answers: &mut Vec<u8>) {
    match frame {
        Frame::Mark(question) => {
            answers.extend_from_slice(get_answer(question));
        }
        Frame::Netstring(question) => {
            let answer = get_answer(question);
            answers.extend_from_slice(format!("{}:", answer.len()).as_bytes());
            answers.extend_from_slice(answer);
            answers.push(b',');
        }
    }
}

/// Closes so that the client can read why it was refused.
fn refuse(mut sock: &TcpStream) -> Result<(), ClientError> {
    sock.shutdown(Shutdown::Write).map_err(ClientError::Io)?;
    sock.set_read_timeout(Some(std::time::Duration::from_secs(2)))
        .map_err(ClientError::Io)?;
    let mut buffer = [0; RECV_BYTES_MAX];
    while sock.read(&mut buffer).is_ok_and(|n| n > 0) {}
    Err(ClientError::QuestionTooLong)
}
