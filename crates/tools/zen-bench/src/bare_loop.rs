//! The least that an answer can cost a server that waits with epoll: one
//! receive, one send, and a share of one wait.
//!
//! It knows the load, so it need not read a question in full: the first letter
//! tells which of four answers comes next. It has no limits, no timeout, no
//! log, and no back pressure. It is a yardstick for the servers and not a
//! server itself.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use rustix::event::epoll::{CreateFlags, Event, EventData, EventFlags};
use rustix::event::epoll::{add, create, wait};

use zen_bench::load::Script;

/// The same number as `polling` asks for.
const EVENTS_MAX: usize = 1024;

/// Serves clients that ask this many questions at once, until it is killed.
pub(crate) fn serve(batch: usize, port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    println!("Listening at {}", listener.local_addr()?);
    let mut answers = vec![String::new(); 256];
    for script in Script::all(batch) {
        let first = script.questions.bytes().next().context("no question")?;
        answers[usize::from(first)] = script.answers;
    }
    let epoll = create(CreateFlags::CLOEXEC)?;
    let data = EventData::new_u64(listener.as_raw_fd().try_into()?);
    add(&epoll, &listener, data, EventFlags::IN)?;
    // The descriptor is the index.
    let mut clients: Vec<Option<TcpStream>> = Vec::new();
    let mut events: Vec<Event> = Vec::with_capacity(EVENTS_MAX);
    let mut buffer = [0; 2560];
    loop {
        events.clear();
        wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let index: usize = event.data.u64().try_into()?;
            let Some(Some(client)) = clients.get_mut(index) else {
                let (sock, _) = listener.accept()?;
                sock.set_nonblocking(true)?;
                sock.set_nodelay(true)?;
                let index: usize = sock.as_raw_fd().try_into()?;
                let data = EventData::new_u64(index.try_into()?);
                add(&epoll, &sock, data, EventFlags::IN)?;
                clients.resize_with(clients.len().max(index + 1), || None);
                clients[index] = Some(sock);
                continue;
            };
            if client.read(&mut buffer)? == 0 {
                // epoll drops a descriptor when it is closed.
                clients[index] = None;
            } else {
                let answer = &answers[usize::from(buffer[0])];
                client.write_all(answer.as_bytes())?;
            }
        }
    }
}
