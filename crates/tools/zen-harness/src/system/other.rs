//! Where there are neither signals nor limits.

use std::io;
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus};

use crate::unsupported;

macro_rules! numbers {
    ($($name:ident)+) => {
        $(
            /// A number that nothing has here.
            pub const $name: i32 = 0;
        )+
    };
}
numbers! { SIGCHLD SIGCONT SIGINT SIGKILL SIGPIPE SIGSTOP SIGTERM SIGURG
SIGALRM SIGHUP SIGUSR1 SIGUSR2 SIGWINCH EAGAIN ECONNRESET EMFILE }

stubs! {
    block_signals(&mut Command) -> () = ();
    ended_by(ExitStatus) -> Option<i32> = None;
    forget_group(u32) -> () = ();
    limit_descriptors(u32, u64) -> io::Result<()> = unsupported();
    limit_memory(u32, u64) -> io::Result<()> = unsupported();
    pipe_is_full(u32) -> bool = false;
    prepare(&mut Command) -> () = ();
    raise_own_descriptor_limit(u64) -> io::Result<()> = unsupported();
    remember_group(u32) -> () = ();
    reset_on_close(&TcpStream) -> io::Result<()> = unsupported();
    segments_received(&TcpStream) -> io::Result<u32> = unsupported();
    shrink_pipe(u32) -> () = ();
    signal(u32, i32) -> io::Result<()> = unsupported();
    signal_first_thread(u32, i32) -> io::Result<()> = unsupported();
    signal_group(u32, i32) -> io::Result<()> = unsupported();
    signal_name(i32) -> &'static str = "";
    take_servers_along() -> () = ();
}

pub(crate) fn ended(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    child.try_wait()
}
