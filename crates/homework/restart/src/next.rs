//! The next process, which takes over from this one.

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
/// Errors of a recv() that has found nothing yet.
const NOT_YET: [ErrorKind; 2] = [ErrorKind::WouldBlock, ErrorKind::Interrupted];

// END SOLUTION
/// A next process that is started and has not yet said that it is ready.
pub(crate) struct Next {
    // BEGIN SOLUTION hand
    child: Child,
    // END SOLUTION
    // BEGIN SOLUTION ready
    /// Brings a byte when it is ready, or the end of file if it ends before.
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
    /// Starts it with the arguments of this process, and hands it the listener.
    pub(crate) fn start(
        listener: &Listener,
        options: &Restart,
    ) -> io::Result<Self> {
        // BEGIN SOLUTION hand
        let mut words = env::args_os();
        // Not current_exe(): its file may have been replaced with a new
        // version, which is a usual reason for a restart.
        let itself = words.next().unwrap_or_default();
        let program = options.next.as_deref().unwrap_or(itself.as_ref());
        let (says, hears) = UnixStream::pair()?;
        says.set_nonblocking(true)?;
        // These copies stay open in the program that is started. In this
        // process they are closed at the end of this function: there is no end
        // of file while any process has the other end open.
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
        // STARTER: Err(io::Error::other("this is not written yet"))
        // END SOLUTION
    }

    /// Its process number.
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

    /// Kills it, and waits for it so that no zombie stays. SIGTERM would be
    /// wrong: its stop would shut down the listener, which is still ours.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
    // STARTER:
    // STARTER: // How does this process learn that the next one is ready, has
    // STARTER: // ended, or takes too long? And what does it do then?
    // END SOLUTION
}
