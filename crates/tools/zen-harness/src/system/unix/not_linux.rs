//! What a Unix system other than Linux cannot do.

use std::io;
use std::net::TcpStream;

macro_rules! unsupported {
    ($($name:ident($($argument:ty),*) => $result:ty)+) => {
        $(
            /// Not to be had here.
            pub fn $name($(_: $argument),*) -> io::Result<$result> {
                let what = "only Linux can do or tell this";
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            }
        )+
    };
}

unsupported! {
    limit_descriptors(u32, u64) => ()
    limit_memory(u32, u64) => ()
    raise_own_descriptor_limit(u64) => ()
    segments_received(&TcpStream) => u32
    signal_first_thread(u32, i32) => ()
}

/// Pipes keep their size here.
pub fn shrink_pipe(_: u32) {}

/// Not known here.
#[must_use]
pub fn pipe_is_full(_: u32) -> bool {
    false
}
