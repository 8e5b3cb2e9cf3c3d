//! The threads that work out answers while the loop goes on.

use std::thread::Scope;
use std::time::Duration;

use polling::Poller;
// BEGIN SOLUTION hand

use std::process;
use std::thread;

use crossbeam::channel::{self, Receiver, Sender};

use zen_utils::log;
// END SOLUTION

/// A fixed number of threads, and how to reach them.
pub(crate) struct Workers {
    // BEGIN SOLUTION hand
    /// The keys of clients, each with one answer to work out. It cannot hold
    /// more keys than there are clients, so it needs no bound.
    jobs: Sender<usize>,
    /// The keys of clients whose answer is worked out. Filled by the workers,
    /// emptied by the loop.
    done: Receiver<usize>,
    // END SOLUTION
}

impl Workers {
    /// Starts the threads. Each answer takes the time `think`. The threads end
    /// when this is dropped, and the scope waits for them.
    pub(crate) fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        poller: &'env Poller,
        number: u16,
        think: Duration,
    ) -> Self {
        // BEGIN SOLUTION hand
        let (jobs, to_do) = channel::unbounded();
        let (finished, done) = channel::unbounded();
        for _ in 0..number {
            let (to_do, finished) = (to_do.clone(), finished.clone());
            let work = move || {
                for key in to_do {
                    thread::sleep(think);
                    // This fails only if the loop has ended.
                    finished.send(key).ok();
                    poller.notify().ok();
                }
            };
            if let Err(err) = thread::Builder::new().spawn_scoped(scope, work) {
                log::complain(format_args!("cannot start a thread: {err}"));
                process::exit(1);
            }
        }
        Self { jobs, done }
        // STARTER: let _ = (scope, poller, number, think);
        // STARTER: Self {}
        // END SOLUTION
    }

    /// Lets a worker work out this client's next answer. Never waits.
    pub(crate) fn work_out(&self, key: usize) {
        // BEGIN SOLUTION hand
        // This fails only if all workers have ended, which they cannot.
        self.jobs.send(key).ok();
        // STARTER: let _ = key;
        // END SOLUTION
    }

    /// The clients whose answer has been worked out since the last call.
    pub(crate) fn done(&self) -> impl Iterator<Item = usize> {
        // BEGIN SOLUTION hand
        self.done.try_iter()
        // STARTER: std::iter::empty()
        // END SOLUTION
    }
}
