//! A small smol: what is under `.await`. It knows neither an aphorism nor where
//! a question ends.
//!
//! ```text
//! Executor    polls the tasks in its queue, each until its next pause
//!   TaskWaker   puts the number of its task into that queue
//! Reactor     waits when the queue is empty, and calls wakers
//!   Async       a socket, and the waker of the task that waits for it
//!   Timer       an instant, and the waker of the task that waits for it
//! ```

mod reactor;
mod timer;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

use polling::{Events, Poller};

pub(crate) use reactor::{Async, Reactor};

/// The number of the task given to `block_on`; the others count up from here.
const MAIN: usize = 0;

// ANCHOR: waker
/// The tasks to poll next, and the poller, which may have to be woken.
struct Queue {
    /// Filled by wakers, emptied by `block_on`.
    tasks: Mutex<Vec<usize>>,
    poller: Arc<Poller>,
    thread: ThreadId,
}

/// What a waker is: the number of a task, and the queue to put it into.
struct TaskWaker {
    task: usize,
    queue: Arc<Queue>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.queue.tasks().push(self.task);
        // Our own thread is running this, so it does not sleep in the poller.
        if thread::current().id() != self.queue.thread {
            self.queue.poller.notify().ok();
        }
    }
}
// ANCHOR_END: waker

impl Queue {
    fn tasks(&self) -> MutexGuard<'_, Vec<usize>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// ANCHOR: task
/// A future that runs beside the others, and its waker, made once.
struct Task {
    future: RefCell<Pin<Box<dyn Future<Output = ()>>>>,
    waker: Waker,
}

/// Runs all tasks in the thread that calls `block_on`.
pub(crate) struct Executor {
    queue: Arc<Queue>,
    pub(crate) reactor: Rc<Reactor>,
    /// Filled by `spawn`, emptied by `poll` when a task ends.
    tasks: RefCell<HashMap<usize, Rc<Task>>>,
    last_task: Cell<usize>,
    /// The task that waits until another one ends. Filled by
    /// `fewer_tasks_than`, emptied by `poll`.
    waits_for_end: Cell<Option<Waker>>,
}
// ANCHOR_END: task

impl Executor {
    pub(crate) fn new() -> io::Result<Self> {
        let poller = Arc::new(Poller::new()?);
        let queue = Queue {
            tasks: Mutex::default(),
            poller: Arc::clone(&poller),
            thread: thread::current().id(),
        };
        Ok(Self {
            queue: Arc::new(queue),
            reactor: Rc::new(Reactor::new(poller)),
            tasks: RefCell::default(),
            last_task: Cell::new(MAIN),
            waits_for_end: Cell::default(),
        })
    }

    // ANCHOR: spawn
    /// Runs this future beside the others, from the next round on.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let number = self.last_task.get() + 1;
        self.last_task.set(number);
        let future = RefCell::new(Box::pin(future) as _);
        let waker = self.waker(number);
        waker.wake_by_ref();
        let task = Rc::new(Task { future, waker });
        self.tasks.borrow_mut().insert(number, task);
    }

    fn waker(&self, task: usize) -> Waker {
        Arc::new(TaskWaker { task, queue: Arc::clone(&self.queue) }).into()
    }
    // ANCHOR_END: spawn

    // ANCHOR: block_on
    /// Polls the tasks in the queue, then waits, until `main` is done.
    pub(crate) fn block_on<T>(
        &self,
        main: impl Future<Output = T>,
    ) -> io::Result<T> {
        let mut main = pin!(main);
        let waker = self.waker(MAIN);
        waker.wake_by_ref();
        let mut round = Vec::new();
        let mut events = Events::new();
        loop {
            mem::swap(&mut round, &mut *self.queue.tasks());
            for number in round.drain(..) {
                if number != MAIN {
                    self.poll(number);
                    continue;
                }
                let mut context = Context::from_waker(&waker);
                if let Poll::Ready(it) = main.as_mut().poll(&mut context) {
                    return Ok(it);
                }
            }
            // A task woken during this round runs in the next one.
            let idle = self.queue.tasks().is_empty();
            self.reactor.wait(&mut events, idle)?;
        }
    }

    /// Does nothing for a task that has ended: it may be woken once more.
    fn poll(&self, number: usize) {
        let task = self.tasks.borrow().get(&number).cloned();
        let Some(task) = task else { return };
        let mut context = Context::from_waker(&task.waker);
        // A task that panics ends, and no other one does.
        let result = panic::catch_unwind(AssertUnwindSafe(|| {
            task.future.borrow_mut().as_mut().poll(&mut context)
        }));
        if !matches!(result, Ok(Poll::Pending)) {
            self.tasks.borrow_mut().remove(&number);
            if let Some(waker) = self.waits_for_end.take() {
                waker.wake();
            }
        }
    }
    // ANCHOR_END: block_on

    /// How many spawned futures have not ended yet.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.borrow().len()
    }

    // ANCHOR: fewer_tasks_than
    /// Pauses until fewer than `n` of them are left.
    pub(crate) async fn fewer_tasks_than(&self, n: usize) {
        poll_fn(|context| {
            if self.tasks() < n {
                return Poll::Ready(());
            }
            self.waits_for_end.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
    // ANCHOR_END: fewer_tasks_than
}
