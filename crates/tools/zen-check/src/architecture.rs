//! How a server waits, as far as that can be seen from outside.

/// What a server is. The contract is the same for all; what is *required* of
/// one of these (the fifth client of a pool of four waits) is *forbidden* to
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// One thread, one client at a time.
    Single,
    /// So many threads, each with one client at a time.
    Pool(usize),
    /// A thread for each client.
    ThreadPerClient,
    /// A process for each client, 40 of them unless told otherwise.
    ProcessPerClient,
    /// One thread that waits for all clients at once.
    EventLoop,
    /// A coroutine for each client.
    Coroutine,
}

use Architecture::{
    Coroutine, EventLoop, Pool, ProcessPerClient, Single, ThreadPerClient,
};

impl Architecture {
    /// How many clients it serves at once without further options, if there
    /// is a number.
    pub(crate) fn clients_at_once(self) -> Option<usize> {
        match self {
            Single => Some(1),
            Pool(workers) => Some(workers),
            ProcessPerClient => Some(40),
            ThreadPerClient | EventLoop | Coroutine => None,
        }
    }

    /// At most `n`, but not more clients than it serves at once.
    pub(crate) fn at_once(self, n: usize) -> usize {
        self.clients_at_once().unwrap_or(n).min(n)
    }

    pub(crate) fn is_single(self) -> bool {
        self == Single
    }

    pub(crate) fn is_pool(self) -> bool {
        matches!(self, Pool(_))
    }

    pub(crate) fn is_event_loop(self) -> bool {
        self == EventLoop
    }

    pub(crate) fn is_event_driven(self) -> bool {
        matches!(self, EventLoop | Coroutine)
    }

    pub(crate) fn is_thread_per_client(self) -> bool {
        self == ThreadPerClient
    }

    pub(crate) fn is_process_per_client(self) -> bool {
        self == ProcessPerClient
    }

    pub(crate) fn is_coroutine(self) -> bool {
        self == Coroutine
    }

    /// The clients decide how many threads, processes or connections there
    /// are: `--max-clients` means something.
    pub(crate) fn grows_with_its_clients(self) -> bool {
        !matches!(self, Single | Pool(_))
    }

    /// Two clients' answers can be worked out at the same time.
    pub(crate) fn thinks_for_several(self) -> bool {
        !matches!(self, Single | EventLoop)
    }
}
