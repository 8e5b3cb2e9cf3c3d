//! What only Linux can do.

use std::io;
use std::net::TcpStream;

use crate::unsupported;

stubs! {
    longest_queue() -> Option<u64> = None;
    send_buffer() -> Option<u64> = None;
    limit_descriptors(u32, u64) -> io::Result<()> = unsupported();
    limit_memory(u32, u64) -> io::Result<()> = unsupported();
    pipe_is_full(u32) -> bool = false;
    adopt_orphans() -> io::Result<()> = unsupported();
    raise_own_descriptor_limit(u64) -> io::Result<()> = unsupported();
    segments_received(&TcpStream) -> io::Result<u32> = unsupported();
    shrink_pipe(u32) -> () = ();
    signal_first_thread(u32, i32) -> io::Result<()> = unsupported();
}
