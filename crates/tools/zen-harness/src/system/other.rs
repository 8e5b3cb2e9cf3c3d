//! Systems without signals and limits.

mod job;

pub(crate) use job::Group;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus};

use crate::unsupported;

macro_rules! numbers {
    ($($name:ident)+) => {
        $(
            /// A placeholder: this system has no such number.
            pub const $name: i32 = 0;
        )+
    };
}
numbers! { SIGCHLD SIGCONT SIGINT SIGKILL SIGPIPE SIGSTOP SIGTERM SIGURG
SIGALRM SIGHUP SIGUSR1 SIGUSR2 SIGWINCH EAGAIN EMFILE }

/// WSAECONNRESET: the client has reset the connection.
pub const ECONNRESET: i32 = 10054;

stubs! {
    segment_bytes(&TcpStream) -> io::Result<u32> = unsupported();
    block_signals(&mut Command) -> () = ();
    ended_by(ExitStatus) -> Option<i32> = None;
    prepare(&mut Command) -> () = ();
    reap_all() -> () = ();
    reap_group(u32) -> () = ();
    signal(u32, i32) -> io::Result<()> = unsupported();
    signal_group(u32, i32) -> io::Result<()> = unsupported();
    signal_name(i32) -> &'static str = "";
    take_servers_along() -> () = ();
}

/// Windows accepts what a server sends, however small the client's buffers are.
/// So no answer can be made to wait.
pub fn connect_narrow(_: SocketAddr) -> io::Result<TcpStream> {
    let what = "on Windows no answer waits for a client with small buffers";
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

pub(crate) fn ended(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    child.try_wait()
}
