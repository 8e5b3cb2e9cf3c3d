//! What a case comes to.

use std::io;
use std::time::Duration;

use zen_harness::process::Unprinted;
use zen_harness::system;

use crate::outcome::{Because, Failure};

/// Nothing to say, or why not.
pub(crate) type Verdict<T = ()> = Result<T, Fault>;

/// Why a case did not pass.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server breaks the contract.
    Server(Box<Failure>),
    /// The checker or its machine failed, and nothing is known of the server.
    Checker(String),
    /// The case cannot be put here, for this reason.
    Skipped(String),
}

impl Fault {
    /// The server's fault, in a line.
    pub(crate) fn server(what: impl Into<String>) -> Self {
        Self::Server(Box::new(Failure::new(what)))
    }

    /// The server's fault, unless its machine was so slow: it is late by this.
    pub(crate) fn late(by: Duration, what: impl Into<String>) -> Self {
        let late_by = Some(by);
        Self::Server(Box::new(Failure { late_by, ..Failure::new(what) }))
    }

    /// The server's fault, however busy its machine is.
    pub(crate) fn certain(what: impl Into<String>) -> Self {
        Self::server(what).for_certain()
    }

    /// The server runs when there is nothing to do.
    pub(crate) fn spins(what: impl Into<String>) -> Self {
        let because = Some(Because::Spins);
        let failure = Failure { because, ..Failure::new(what) };
        Self::Server(Box::new(failure)).for_certain()
    }

    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }

    /// The same, however busy its machine is.
    pub(crate) fn for_certain(mut self) -> Self {
        if let Self::Server(failure) = &mut self {
            failure.certain = true;
        }
        self
    }

    /// The same, but the line begins with these words.
    pub(crate) fn after(mut self, words: &str) -> Self {
        if let Self::Server(failure) = &mut self {
            failure.what = format!("{words}: {}", failure.what);
        }
        self
    }
}

impl From<io::Error> for Fault {
    fn from(err: io::Error) -> Self {
        match err.kind() {
            // This system has no such thing.
            io::ErrorKind::Unsupported => Self::Skipped(err.to_string()),
            _ if system::is_own(&err) => Self::Checker(format!(
                "zen-check has no descriptor, port, thread or memory left: \
                {err}"
            )),
            _ => Self::Checker(err.to_string()),
        }
    }
}

impl From<Unprinted> for Fault {
    fn from(err: Unprinted) -> Self {
        Self::server(err.to_string())
    }
}

/// Fails the case, as the server's fault, unless `condition` holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::verdict::Fault::server(format!($($message)+)));
        }
    };
}

/// The same for a time and the most that it may be, which is more on a machine
/// that is busy.
macro_rules! ensure_in_time {
    ($time:expr, $most:expr, $($message:tt)+) => {
        if let Some(by) = $time.checked_sub($most).filter(|by| !by.is_zero()) {
            let what = format!($($message)+);
            return Err($crate::verdict::Fault::late(by, what));
        }
    };
}

pub(crate) use {ensure, ensure_in_time};
