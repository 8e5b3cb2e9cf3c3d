//! For systems without fork(): a mix-in that says so.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use zen_legacy::socketserver::{BaseRequestHandler, MixIn, WakeUp};
use zen_utils::{Listener, StoppableSocket};

/// Has no values: `new` always fails.
pub(crate) enum ForkingMixIn {}

impl MixIn for ForkingMixIn {
    const WORKER: &'static str = "process";

    fn new(_: Arc<WakeUp>) -> io::Result<Self> {
        Err(io::Error::other("this system has no fork(): run zen-legacy"))
    }

    fn process_request<H: BaseRequestHandler>(
        &mut self,
        _: &Listener,
        _: H,
        _: StoppableSocket<TcpStream>,
        _: SocketAddr,
    ) -> io::Result<()> {
        match *self {}
    }

    fn serving(&self) -> usize {
        match *self {}
    }
}
