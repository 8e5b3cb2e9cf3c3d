//! Where there is no io_uring: a ring that cannot be built.
#![expect(dead_code, reason = "nothing is ever submitted")]

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use zen_utils::{Listener, StoppableSocket};

pub(crate) enum Completion {
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    Done(usize, io::Result<Done>),
}

pub(crate) enum Done {
    Received(Vec<u8>),
    EndOfFile,
    Sent(usize),
    Nothing,
}

pub(crate) fn probe() -> io::Result<()> {
    let why = "no io_uring to be had here: it needs 64-bit Linux";
    Err(io::Error::other(why))
}

pub(crate) struct Ring<'a>(Infallible, PhantomData<&'a Listener>);

impl<'a> Ring<'a> {
    pub(crate) fn new(_: &'a Listener) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn accept(&mut self) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn insert(&mut self, _: StoppableSocket<TcpStream>) -> usize {
        match self.0 {}
    }

    pub(crate) fn recv(&mut self, _: usize) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn send(&mut self, _: usize, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn stop_sending(&mut self, _: usize) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn cancel(&mut self, _: usize) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn close(&mut self, _: usize) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn wait(&mut self, _: Option<Duration>) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Completion>> {
        match self.0 {}
    }
}
