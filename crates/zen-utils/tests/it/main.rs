//! The framer and the conversation against the contract: whatever is sent,
//! however it is cut, whenever it comes.
//!
//! A failure prints a seed. `ARBTEST_SEED=0x... cargo test -p zen-utils NAME`
//! plays the same case again.

mod memory;
mod oracle;

use std::time::Duration;

use arbtest::{arbitrary, arbtest};
use zen_utils::Timing;
use zen_utils::framing::Framer;

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
