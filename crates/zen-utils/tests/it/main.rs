//! The framer and the conversation against the contract: whatever is sent,
//! however it is cut, whenever it comes.
//!
//! A failure prints a seed. `ARBTEST_SEED=0x... cargo test -p zen-utils NAME`
//! plays the same case again.

mod memory;
mod oracle;

use std::time::{Duration, Instant};

use arbtest::{arbitrary, arbtest};
use zen_utils::aphorisms::QUESTION_TOO_LONG;
use zen_utils::framing::Framer;
use zen_utils::{Conversation, RECV_BYTES_MAX, Timing, Wants};

use oracle::{Reference, converse, cut};

/// Enough for some thousand conversations in a debug build.
const BUDGET_MS: u64 = 500;

#[test]
fn any_stream_cut_in_any_way_is_the_same_questions() {
    arbtest(|u| {
        let reference = Reference::arbitrary(u)?;
        let mut framer = Framer::default();
        let mut rest = &reference.stream[..];
        let mut questions = Vec::new();
        let mut too_long = false;
        while !rest.is_empty() && !too_long {
            let piece = cut(u, rest)?;
            rest = &rest[piece.len()..];
            let mut input = piece;
            too_long = loop {
                match framer.next_question(&mut input) {
                    Ok(Some(question)) => questions.push(question.to_vec()),
                    Ok(None) => break false,
                    Err(_) => break true,
                }
            };
        }
        assert_eq!(questions, reference.questions());
        assert_eq!(too_long, reference.is_too_long());
        if !too_long {
            let begun = framer.question_begun().unwrap_or_default();
            assert_eq!(begun, reference.begun());
        }
        Ok(())
    })
    .budget_ms(BUDGET_MS);
}

#[test]
fn any_conversation_gives_the_answers_of_the_contract() {
    arbtest(|u| converse(u, Timing::default())).budget_ms(BUDGET_MS);
}

#[test]
fn any_conversation_keeps_its_deadline() {
    let idle_timeout = Some(Duration::from_millis(1500));
    let timing = Timing { idle_timeout, ..Timing::default() };
    arbtest(|u| converse(u, timing)).budget_ms(BUDGET_MS);
}

#[test]
fn thinking_changes_no_answer_and_releases_them_one_by_one() {
    let think = Duration::from_millis(70);
    let timing = Timing { think, ..Timing::default() };
    arbtest(|u| converse(u, timing)).budget_ms(BUDGET_MS);
}

#[test]
fn the_deadline_stands_still_while_an_answer_is_worked_out() {
    let idle_timeout = Some(Duration::from_secs(1));
    let timing = Timing { idle_timeout, think: Duration::from_secs(3) };
    arbtest(|u| converse(u, timing)).budget_ms(BUDGET_MS);
}

fn start(timing: Timing) -> (Conversation, Instant) {
    let now = Instant::now();
    (Conversation::new(timing, now), now)
}

#[test]
fn a_late_client_is_spared_while_a_question_sent_in_time_may_be_waiting() {
    let idle_timeout = Some(Duration::from_secs(1));
    let (mut it, start) = start(Timing { idle_timeout, ..Timing::default() });
    let late = start + Duration::from_secs(5);
    it.received(&[b' '; RECV_BYTES_MAX], late);
    assert!(!it.expire(late));
    it.received(b"Who?", late);
    assert!(!it.expire(late));
    assert_eq!(it.wants(), Wants::Send);
}

#[test]
fn a_client_that_falls_silent_after_a_full_receive_is_spared_only_once() {
    let idle_timeout = Some(Duration::from_secs(1));
    let (mut it, start) = start(Timing { idle_timeout, ..Timing::default() });
    it.received(&[b' '; RECV_BYTES_MAX], start);
    let late = start + Duration::from_secs(5);
    assert!(!it.expire(late));
    assert!(it.expire(late));
}

#[test]
fn a_flood_spares_no_late_client_forever() {
    let idle_timeout = Some(Duration::from_secs(1));
    let (mut it, start) = start(Timing { idle_timeout, ..Timing::default() });
    let late = start + Duration::from_secs(5);
    let receives = (1..100).find(|_| {
        it.received(&[b' '; RECV_BYTES_MAX], late);
        it.expire(late)
    });
    assert!(receives.is_some_and(|n| n * RECV_BYTES_MAX <= 70 * 1024));
}

#[test]
fn sending_nothing_does_not_start_to_think_again() {
    let think = Duration::from_millis(10);
    let (mut it, now) = start(Timing { think, ..Timing::default() });
    it.received(b"Who? Who?", now);
    it.finished_thinking();
    it.sent(it.to_send().len(), now);
    let wants = it.wants();
    assert_eq!(wants, Wants::Think(now + think));
    it.sent(0, now + Duration::from_millis(5));
    assert_eq!(it.wants(), wants);
}

#[test]
fn what_follows_a_question_that_is_too_long_is_discarded() {
    let (mut it, now) = start(Timing::default());
    for piece in [&[b'x'; 1024][..], b"x", b"Who?"] {
        it.received(piece, now);
    }
    assert_eq!(it.to_send(), QUESTION_TOO_LONG);
}

#[test]
fn white_space_after_a_question_does_not_lengthen_the_idle_timeout() {
    let idle_timeout = Some(Duration::from_secs(1));
    let think = Duration::from_millis(10);
    let (mut it, now) = start(Timing { idle_timeout, think });
    it.received(b"Who?", now);
    let deadline = it.deadline();
    it.received(b"\n", now);
    assert_eq!(it.deadline(), deadline);
}
