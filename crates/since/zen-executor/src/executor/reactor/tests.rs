//! What a server shows too rarely: which task is polled, and when none is.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::num::NonZero;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use polling::Events;

use super::Async;
use crate::executor::Executor;

/// No test takes a tenth of this.
const PATIENCE: Duration = Duration::from_secs(10);

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(20)
}

/// Runs this future, and fails if it takes longer than any should.
fn run<T>(executor: &Executor, main: impl Future<Output = T>) -> T {
    let late = Instant::now() + PATIENCE;
    let main = executor.reactor.timeout_at(Some(late), main);
    let result = executor.block_on(main).expect("the poller waits");
    assert!(Instant::now() < late, "only the timeout ended it");
    result.expect("done in time")
}

/// A socket that is watched by `executor`, and its peer.
fn connection(executor: &Executor) -> (Async<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (sock, _) = listener.accept().unwrap();
    sock.set_nonblocking(true).unwrap();
    (Async::new(&executor.reactor, sock), peer)
}

#[test]
fn polls_a_task_only_when_it_is_woken() {
    let executor = Executor::new().unwrap();
    let polls = Rc::new(Cell::new(0));
    let counter = Rc::clone(&polls);
    let waker = Rc::new(Cell::new(None));
    let left = Rc::clone(&waker);
    executor.spawn(poll_fn(move |context| {
        counter.set(counter.get() + 1);
        left.set(Some(context.waker().clone()));
        Poll::Pending
    }));
    run(&executor, async {
        for _ in 0..3 {
            executor.reactor.sleep_until(soon()).await;
        }
        assert_eq!(polls.get(), 1);
        waker.take().unwrap().wake();
        executor.reactor.sleep_until(soon()).await;
        assert_eq!(polls.get(), 2);
    });
}

#[test]
fn a_waker_in_another_thread_wakes_the_executor() {
    let executor = Executor::new().unwrap();
    let (sender, wakers) = mpsc::channel();
    let done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&done);
    let thread = thread::spawn(move || {
        let waker: Waker = wakers.recv().unwrap();
        // Usually the executor is asleep by now, but it need not be.
        thread::sleep(Duration::from_millis(20));
        flag.store(true, Ordering::SeqCst);
        waker.wake();
    });
    run(
        &executor,
        poll_fn(|context| {
            if done.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            sender.send(context.waker().clone()).unwrap();
            Poll::Pending
        }),
    );
    thread.join().unwrap();
}

#[test]
fn does_not_watch_a_ready_socket_that_no_task_waits_for() {
    let executor = Executor::new().unwrap();
    let (sock, mut peer) = connection(&executor);
    run(&executor, async {
        peer.write_all(b"Who?").unwrap();
        sock.readable().await.unwrap();
        assert!(sock.source.interest.get().is_some());
        // It stays ready while the task sleeps.
        let at = Instant::now() + Duration::from_millis(200);
        executor.reactor.sleep_until(at).await;
        assert!(sock.source.interest.get().is_none());
        sock.readable().await.unwrap();
    });
}

#[test]
fn a_future_that_is_dropped_leaves_nothing_behind() {
    let executor = Executor::new().unwrap();
    let (sock, mut peer) = connection(&executor);
    run(&executor, async {
        let silence = sock.readable();
        let result = executor.reactor.timeout_at(Some(soon()), silence).await;
        assert!(result.is_none());
        peer.write_all(b"Who?").unwrap();
        let late = Some(Instant::now() + PATIENCE);
        let result = executor.reactor.timeout_at(late, sock.readable()).await;
        assert!(result.is_some());
    });
    drop(sock);
    assert!(executor.reactor.sources.borrow().is_empty());
    assert!(executor.reactor.timers.borrow().is_empty());
}

#[test]
fn a_due_timer_fires_however_many_sockets_are_ready() {
    let executor = Executor::new().unwrap();
    let reactor = &executor.reactor;
    let (sock, mut peer) = connection(&executor);
    peer.write_all(b"Who?").unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut readable = pin!(sock.readable());
    let mut timer = pin!(reactor.sleep_until(Instant::now()));
    assert!(readable.as_mut().poll(&mut context).is_pending());
    assert!(timer.as_mut().poll(&mut context).is_pending());
    // This socket alone takes all the room there is for events.
    let mut events = Events::with_capacity(NonZero::<usize>::MIN);
    reactor.wait(&mut events, true).unwrap();
    assert!(readable.poll(&mut context).is_ready());
    assert!(timer.poll(&mut context).is_ready());
}

#[test]
fn wakes_all_tasks_that_sleep_until_the_same_instant() {
    let executor = Executor::new().unwrap();
    let at = soon();
    for _ in 0..2 {
        let reactor = Rc::clone(&executor.reactor);
        executor.spawn(async move { reactor.sleep_until(at).await });
    }
    run(&executor, executor.fewer_tasks_than(1));
}

#[test]
fn a_task_that_panics_ends_no_other_task() {
    let executor = Executor::new().unwrap();
    executor.spawn(async { panic!("this panic belongs to the test") });
    run(&executor, executor.fewer_tasks_than(1));
}
