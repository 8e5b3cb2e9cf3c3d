//! What a server shows too rarely: who is polled, and when nobody is.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use super::Async;
use crate::executor::Executor;

/// Nothing here takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(10);

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(20)
}

/// Runs this, and fails if it takes longer than anything should.
fn run<T>(executor: &Executor, main: impl Future<Output = T>) -> T {
    let late = Instant::now() + PATIENCE;
    let main = executor.reactor.timeout_at(Some(late), main);
    let result = executor.block_on(main).expect("the poller waits");
    assert!(Instant::now() < late, "only the time-out has ended it");
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
fn a_task_is_polled_when_it_is_woken_and_at_no_other_time() {
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
fn a_waker_in_another_thread_ends_the_sleep() {
    let executor = Executor::new().unwrap();
    let (sender, wakers) = mpsc::channel();
    let done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&done);
    let thread = thread::spawn(move || {
        let waker: std::task::Waker = wakers.recv().unwrap();
        // Most of the time the executor is asleep by now; it need not be.
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
fn a_socket_is_not_watched_while_nobody_waits_for_it() {
    let executor = Executor::new().unwrap();
    let (sock, mut peer) = connection(&executor);
    run(&executor, async {
        peer.write_all(b"Who?").unwrap();
        sock.readable().await.unwrap();
        assert!(sock.source.watched.get().is_some());
        // It stays ready, and the task sleeps. How often the reactor turns
        // meanwhile does not depend on that.
        let at = Instant::now() + Duration::from_millis(200);
        executor.reactor.sleep_until(at).await;
        assert!(sock.source.watched.get().is_none());
        sock.readable().await.unwrap();
    });
}

#[test]
fn what_is_dropped_while_it_waits_leaves_nothing_behind() {
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
