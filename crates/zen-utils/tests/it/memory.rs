//! What a conversation allocates and holds, counted for each thread, so that
//! tests beside these do not count.
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

use arbtest::arbtest;
use zen_utils::framing::Framer;
use zen_utils::{Conversation, Timing, Wants};

use crate::oracle::{Reference, cut};

struct CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES_HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(allocations: usize, bytes: isize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    BYTES_HELD.set(BYTES_HELD.get() + bytes);
}

// SAFETY: everything is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, old: Layout, size: usize) -> *mut u8 {
        count(1, size as isize - old.size() as isize);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(at, old, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

/// How often `act` allocates.
fn allocations(act: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    act();
    ALLOCATIONS.get() - before
}

/// Receives the bytes and sends every answer, at once.
fn answer(conversation: &mut Conversation, bytes: &[u8], now: Instant) {
    conversation.received(bytes, now);
    loop {
        match conversation.wants() {
            Wants::Think(_) => conversation.finished_thinking(),
            Wants::Send => {
                conversation.sent(conversation.to_send().len(), now);
            }
            _ => break,
        }
    }
}

#[test]
fn the_framer_allocates_nothing_for_questions_that_arrive_whole() {
    let mut framer = Framer::default();
    let allocated = allocations(|| {
        for _ in 0..1000 {
            let mut input = &b"Simple is better than? Who?\r\n ?"[..];
            for _ in 0..3 {
                assert!(framer.next_question(&mut input).unwrap().is_some());
            }
            assert_eq!(framer.next_question(&mut input), Ok(None));
        }
    });
    assert_eq!(allocated, 0);
}

#[test]
fn further_answers_allocate_nothing() {
    for think in [Duration::ZERO, Duration::from_millis(1)] {
        let timing = Timing { think, ..Timing::default() };
        let now = Instant::now();
        let mut conversation = Conversation::new(timing, now);
        answer(&mut conversation, b"Who? Simple is better than?", now);
        let allocated = allocations(|| {
            for _ in 0..10_000 {
                answer(&mut conversation, b"Beautiful is better than?", now);
            }
        });
        assert_eq!(allocated, 0);
    }
}

#[test]
fn a_silent_client_holds_no_memory() {
    let now = Instant::now();
    let allocated = allocations(|| {
        let mut conversation = Conversation::new(Timing::default(), now);
        conversation.received(b" \t\n", now);
        conversation.expire(now);
        conversation.end_of_file();
        assert_eq!(conversation.wants(), Wants::Close);
    });
    assert_eq!(allocated, 0);
}

#[test]
fn whatever_a_client_does_little_memory_is_held_for_it() {
    arbtest(|u| {
        let stream = Reference::arbitrary(u)?.stream;
        let now = Instant::now();
        let before = BYTES_HELD.get();
        let mut conversation = Conversation::new(Timing::default(), now);
        let mut rest = &stream[..];
        while !rest.is_empty() && conversation.wants() == Wants::Receive {
            let piece = cut(u, rest)?;
            rest = &rest[piece.len()..];
            conversation.received(piece, now);
            // A vector may be twice as large as what is in it.
            let held = BYTES_HELD.get() - before;
            assert!(held <= 2 * (64 + 1) * 1024, "{held} bytes while it waits");
            answer(&mut conversation, b"", now);
            let held = BYTES_HELD.get() - before;
            assert!(held <= 3 * 1024, "{held} bytes when all is sent");
        }
        drop(conversation);
        assert_eq!(BYTES_HELD.get(), before);
        Ok(())
    })
    .budget_ms(300);
}

#[test]
fn what_a_burst_has_left_is_freed() {
    let now = Instant::now();
    let before = BYTES_HELD.get();
    let mut conversation = Conversation::new(Timing::default(), now);
    answer(&mut conversation, &[b'?'; 2560], now);
    assert_eq!(BYTES_HELD.get(), before);
    answer(&mut conversation, &[b'x'; 900], now);
    answer(&mut conversation, b" two pieces?", now);
    let held = BYTES_HELD.get() - before;
    assert!(held <= 64, "{held} bytes for one answer");
}
