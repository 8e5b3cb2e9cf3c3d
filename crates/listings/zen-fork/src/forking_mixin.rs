//! `ForkingMixIn`: a process for each client, reaped when it ends.
#![expect(unsafe_code, reason = "fork() and signal handlers")]

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;
use nix::sys::signal::sigaction;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{ForkResult, Pid, close, fork, getpid, getppid};

use zen_legacy::socketserver::{BaseRequestHandler, MixIn, WakeUp};
use zen_utils::{Listener, StoppableSocket};

// ANCHOR: forking_mix_in
/// A process for each client.
pub(crate) struct ForkingMixIn {
    /// Our copy of each child's socket: with it, a stop reaches the child's
    /// conversation. Filled by `process_request`, emptied by
    /// `service_actions`.
    children: HashMap<Pid, StoppableSocket<TcpStream>>,
}

impl MixIn for ForkingMixIn {
    const WORKER: &'static str = "process";

    fn new(wake_up: Arc<WakeUp>) -> io::Result<Self> {
        WAKE_UP.get_or_init(|| wake_up);
        let handler = SigHandler::Handler(child_has_ended);
        let flags = SaFlags::SA_RESTART | SaFlags::SA_NOCLDSTOP;
        let action = SigAction::new(handler, flags, SigSet::empty());
        // SAFETY: the handler calls nothing but send(2).
        unsafe { sigaction(Signal::SIGCHLD, &action)? };
        Ok(Self { children: HashMap::new() })
    }

    fn process_request<H: BaseRequestHandler>(
        &mut self,
        listener: &Listener,
        handler: H,
        request: StoppableSocket<TcpStream>,
        client_address: SocketAddr,
    ) -> io::Result<()> {
        let parent = getpid();
        // SAFETY: this process has a single thread, so that nobody else can
        // hold a lock at this moment that the child would wait for.
        match unsafe { fork()? } {
            ForkResult::Parent { child } => {
                self.children.insert(child, request);
            }
            ForkResult::Child => {
                end_with(parent);
                // Else the port would stay taken as long as this client stays,
                // and other clients would not meet the end of file.
                close(listener.as_raw_fd()).ok();
                self.children.clear();
                handler.handle(request, client_address);
                // SAFETY: ends the process. What the parent has on its stack
                // is the parent's to clear away.
                unsafe { nix::libc::_exit(0) };
            }
        }
        Ok(())
    }

    /// Reaps the children that have ended: no zombies, and no copies.
    fn service_actions(&mut self) {
        while let Ok(status) = waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG))
        {
            match status.pid() {
                Some(child) => _ = self.children.remove(&child),
                None => break,
            }
        }
    }

    fn serving(&self) -> usize {
        self.children.len()
    }
}
// ANCHOR_END: forking_mix_in

static WAKE_UP: OnceLock<Arc<WakeUp>> = OnceLock::new();

// ANCHOR: child_has_ended
extern "C" fn child_has_ended(_: i32) {
    let errno = Errno::last();
    if let Some(wake_up) = WAKE_UP.get() {
        wake_up.wake();
    }
    errno.set();
}
// ANCHOR_END: child_has_ended

// ANCHOR: end_with
/// When the parent ends, however it ends, the kernel ends this child.
fn end_with(parent: Pid) {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).ok();
    // It may have ended before we said so.
    if getppid() != parent {
        // SAFETY: ends the process.
        unsafe { nix::libc::_exit(0) };
    }
}
// ANCHOR_END: end_with
