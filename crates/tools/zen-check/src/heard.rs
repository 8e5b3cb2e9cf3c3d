//! How the clients of a case speak. A server whose answers have other words
//! fails by the contract's words; it is examined further in its own, so that
//! its other faults show too.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::contract::{Dialect, translated};
use crate::outcome::Failure;

/// What a server says when it is asked one question at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// Before any question.
    pub(crate) greeting: Vec<u8>,
    /// To what should get the five answers of the contract.
    pub(crate) answers: [Vec<u8>; 5],
}

/// The words of one case.
#[derive(Debug)]
pub(crate) struct Speech {
    pub(crate) dialect: Arc<Dialect>,
    /// When the case began: the times of transcripts count from then.
    pub(crate) begun: Instant,
    /// The longest silence before an answer that is no fault.
    pub(crate) patience: Duration,
    heard: Option<Heard>,
    /// The first answer that came in the server's own words.
    other_words: OnceLock<Box<Failure>>,
}

impl Speech {
    pub(crate) fn new(
        dialect: &Arc<Dialect>,
        patience: Duration,
        heard: Option<Heard>,
    ) -> Self {
        Self {
            dialect: Arc::clone(dialect),
            begun: Instant::now(),
            patience,
            heard,
            other_words: OnceLock::new(),
        }
    }

    /// What this server says where the contract expects these bytes.
    pub(crate) fn expected<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.heard {
            Some(heard) => translated(bytes, &heard.answers).into(),
            None => self.dialect.answered(bytes),
        }
    }

    /// What it says where the contract has its five answers.
    pub(crate) fn expected_answers(&self) -> [Vec<u8>; 5] {
        let heard = self.heard.as_ref().map(|it| it.answers.clone());
        heard.unwrap_or_else(|| self.dialect.answers())
    }

    pub(crate) fn greeting(&self) -> &[u8] {
        self.heard.as_ref().map_or(&[], |heard| &heard.greeting)
    }

    /// The case goes on, and fails in the end.
    pub(crate) fn note_other_words(&self, failure: impl FnOnce() -> Failure) {
        self.other_words.get_or_init(|| Box::new(failure()));
    }

    pub(crate) fn other_words(&self) -> Option<Box<Failure>> {
        self.other_words.get().cloned()
    }
}
