//! What becomes of a client for whom there is no room.

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

/// So many may stand at the door at once: a descriptor each, for two seconds.
pub(crate) const REFUSED_MAX: usize = 256;

/// A client that was told to go, and when.
pub(crate) type Refused = (StoppableSocket<TcpStream>, Instant);

/// Says why, and stops sending. Neither can block, since nothing was sent to
/// this client before. It is not closed here: what it has asked, unread, would
/// make that a reset.
pub(crate) fn refuse(
    mut sock: StoppableSocket<TcpStream>,
    door: &Sender<Refused>,
) -> io::Result<()> {
    sock.write_all(BUSY)?;
    sock.shutdown(Shutdown::Write)?;
    // With so many at the door, this one is closed as it is.
    door.try_send((sock, Instant::now())).ok();
    Ok(())
}

/// Each has its two seconds from when it was told to go. So whoever stands
/// behind a client that stays has them over when its turn comes.
pub(crate) fn see_off(refused: &Receiver<Refused>) {
    for (sock, since) in refused {
        // Its errors are no news: it was told to go.
        read_until(&sock, since + LINGER_TIME_MAX).ok();
    }
}
// END SOLUTION

/// Reads and throws away until the client closes, or until then.
fn read_until(mut sock: &TcpStream, until: Instant) -> io::Result<()> {
    let mut buffer = [0; RECV_BYTES_MAX];
    let mut bytes_left = LINGER_BYTES_MAX;
    while bytes_left > 0 {
        let time_left = until.saturating_duration_since(Instant::now());
        // Zero would mean for ever.
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
