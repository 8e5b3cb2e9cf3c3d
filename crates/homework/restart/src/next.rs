//! The process that comes after this one.

use std::io;

use zen_utils::Listener;

use crate::Restart;
// BEGIN SOLUTION hand

use std::env;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};

use rustix::io::dup;

use crate::handed;
// END SOLUTION
// BEGIN SOLUTION ready

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};
// END SOLUTION

// BEGIN SOLUTION ready
/// Of a recv() that has found nothing, but may next time.
const NOT_YET: [ErrorKind; 2] = [ErrorKind::WouldBlock, ErrorKind::Interrupted];

// END SOLUTION
/// Started, and as far as this process knows not ready yet.
pub(crate) struct Next {
    // BEGIN SOLUTION hand
    child: Child,
    // END SOLUTION
    // BEGIN SOLUTION ready
    /// A byte comes when it is ready, the end of file if it ends before.
    pub(crate) says: UnixStream,
    ready_within: Duration,
    late_at: Option<Instant>,
    // END SOLUTION
}
// BEGIN SOLUTION ready

/// How far it has come.
pub(crate) enum Standing {
    Starting,
    Ready,
    /// Why it will never be ready.
    Failed(String),
}
// END SOLUTION

impl Next {
    /// Starts it as this one was started, and hands the listener down.
    pub(crate) fn start(
        listener: &Listener,
        options: &Restart,
    ) -> io::Result<Self> {
        // BEGIN SOLUTION hand
        let mut words = env::args_os();
        // Not the file that runs: another one may have taken its place, and
        // that is why somebody restarts us.
        let itself = words.next().unwrap_or_default();
        let program = options.next.as_deref().unwrap_or(itself.as_ref());
        let (says, hears) = UnixStream::pair()?;
        says.set_nonblocking(true)?;
        // These copies stay open in the program that is started. Here all of
        // them are closed at the end of this function: as long as anybody has
        // the other end open, there is no end of file.
        let (listener, hears) = (dup(&**listener)?, dup(&hears)?);
        let child = Command::new(program)
            .args(words)
            .env(handed::LISTENER, listener.as_raw_fd().to_string())
            .env(handed::READY, hears.as_raw_fd().to_string())
            .spawn()?;
        // END SOLUTION
        // BEGIN SOLUTION ready
        let ready_within = options.ready_within;
        let late_at = Instant::now().checked_add(ready_within);
        // END SOLUTION
        // BEGIN SOLUTION hand
        Ok(Self { child, says, ready_within, late_at })
        // STARTER: let _ = (listener, options);
        // STARTER: Err(io::Error::other("nobody has written that yet"))
        // END SOLUTION
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        // BEGIN SOLUTION hand
        self.child.id()
        // STARTER: 0
        // END SOLUTION
    }
    // BEGIN SOLUTION ready

    pub(crate) fn look(&mut self, now: Instant) -> Standing {
        match self.says.read(&mut [0]) {
            Ok(1..) => Standing::Ready,
            Ok(0) => Standing::Failed("it has ended".into()),
            Err(err) if !NOT_YET.contains(&err.kind()) => {
                Standing::Failed(err.to_string())
            }
            Err(_) if self.late_at.is_some_and(|at| now >= at) => {
                let seconds = self.ready_within.as_secs_f64();
                Standing::Failed(format!("not within {seconds} seconds"))
            }
            Err(_) => Standing::Starting,
        }
    }

    /// Ends it, whatever it does, and waits for it: else its number would not
    /// be free again. A signal that it takes for a stop would shut the
    /// listener down, and that is still ours.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
    // STARTER:
    // STARTER: // How does this process know that that one is ready, that it
    // STARTER: // has ended, that it takes too long? And what becomes of it?
    // END SOLUTION
}
