//! What happens to a client for which there is no room.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use zen_utils::conversation::LINGER_BYTES_MAX;
use zen_utils::{RECV_BYTES_MAX, ok_if_not_ready};
// BEGIN SOLUTION read

use std::io::Write;
use std::net::Shutdown;

use crossbeam::channel::{Receiver, Sender};

use zen_utils::StoppableSocket;
use zen_utils::conversation::LINGER_TIME_MAX;

const BUSY: &[u8] = b"Error: busy.";

/// How many refused clients may stay at once. Each costs a descriptor for two
/// seconds.
pub(crate) const REFUSED_MAX: usize = 256;

/// A refused client, and when it was refused.
pub(crate) type Refused = (StoppableSocket<TcpStream>, Instant);

/// Sends the reason, and stops sending. This cannot block, because nothing was
/// sent to this client before. The socket is not closed here: its unread
/// questions would turn the close into a reset.
pub(crate) fn refuse(
    mut sock: StoppableSocket<TcpStream>,
    door: &Sender<Refused>,
) -> io::Result<()> {
    sock.write_all(BUSY)?;
    sock.shutdown(Shutdown::Write)?;
    // If too many refused clients are waiting, this one is closed at once.
    door.try_send((sock, Instant::now())).ok();
    Ok(())
}

/// Each client has two seconds from when it was refused. If the client before
/// it has stayed for that long, this one's time is over when its turn comes.
pub(crate) fn see_off(refused: &Receiver<Refused>) {
    for (sock, since) in refused {
        // Errors do not matter: the client was refused.
        read_until(&sock, since + LINGER_TIME_MAX).ok();
    }
}
// END SOLUTION

/// Reads and throws away until the client closes, or until this instant.
fn read_until(mut sock: &TcpStream, until: Instant) -> io::Result<()> {
    let mut buffer = [0; RECV_BYTES_MAX];
    let mut bytes_left = LINGER_BYTES_MAX;
    while bytes_left > 0 {
        let time_left = until.saturating_duration_since(Instant::now());
        // set_read_timeout() does not accept zero.
        if time_left < Duration::from_millis(1) {
            break;
        }
        sock.set_read_timeout(Some(time_left))?;
        match sock.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => bytes_left = bytes_left.saturating_sub(n),
            Err(err) => ok_if_not_ready(err)?,
        }
    }
    Ok(())
}
