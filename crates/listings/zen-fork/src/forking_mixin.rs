//! `ForkingMixIn`: a process for each client, reaped when it ends.
#![expect(unsafe_code, reason = "fork() and signal handlers")]

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;
use nix::sys::signal::sigaction;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{ForkResult, Pid, close, fork, getpid, getppid};

use zen_legacy::socketserver::{BaseRequestHandler, MixIn, WakeUp};
use zen_utils::{Listener, StoppableSocket, log};

// ANCHOR: forking_mix_in
/// A process for each client.
pub(crate) struct ForkingMixIn {
    /// Our copy of each child's socket. Through it, a stop of this process
    /// reaches the child's conversation. Filled by `process_request`, emptied
    /// by `service_actions`.
    children: HashMap<Pid, StoppableSocket<TcpStream>>,
}

impl MixIn for ForkingMixIn {
    const WORKER: &'static str = "process";

    fn new(wake_up: Arc<WakeUp>) -> io::Result<Self> {
        WAKE_UP.get_or_init(|| wake_up);
        let handler = SigHandler::Handler(child_has_ended);
        let flags = SaFlags::SA_RESTART | SaFlags::SA_NOCLDSTOP;
        let action = SigAction::new(handler, flags, SigSet::empty());
        // SAFETY: the handler only calls send(2), which is async-signal-safe.
        unsafe { sigaction(Signal::SIGCHLD, &action)? };
        // The program that started this one may have blocked the signal, and
        // that is inherited.
        SigSet::from(Signal::SIGCHLD).thread_unblock()?;
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
        // SAFETY: this process has a single thread, so no other thread can
        // hold a lock now that the child would wait for.
        match unsafe { fork()? } {
            ForkResult::Parent { child } => {
                self.children.insert(child, request);
            }
            ForkResult::Child => {
                end_with(parent);
                log::forget_dropped_lines();
                // If we kept these, the port would stay taken while this client
                // stays, and other clients would not read end of file.
                close(listener.as_raw_fd()).ok();
                self.children.clear();
                let sock = request.try_clone();
                let handle = || handler.handle(request, client_address);
                // A panic must not unwind to the parent's code.
                let handled = panic::catch_unwind(AssertUnwindSafe(handle));
                // The parent still has its copy of the socket, so closing ours
                // would not be end of file for the client.
                sock.and_then(|sock| sock.shutdown(Shutdown::Write)).ok();
                // SAFETY: ends the process. Its stack is a copy of the
                // parent's, which frees what is on it.
                unsafe { nix::libc::_exit(handled.is_err().into()) };
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
/// When the parent ends, in whatever way, the kernel ends this child.
fn end_with(parent: Pid) {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).ok();
    // The parent may have ended before that call.
    if getppid() != parent {
        // SAFETY: ends the process.
        unsafe { nix::libc::_exit(0) };
    }
}
// ANCHOR_END: end_with
