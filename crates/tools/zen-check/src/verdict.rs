//! What a case comes to.

use std::io;

/// Nothing to say, or why not.
pub(crate) type Verdict<T = ()> = Result<T, Fault>;

/// Why a case did not pass.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server breaks the contract.
    Server(String),
    /// The checker or its machine failed, and nothing is known of the server.
    Checker(String),
    /// The case cannot be put here, for this reason.
    Skipped(String),
}

impl From<io::Error> for Fault {
    fn from(err: io::Error) -> Self {
        Self::Checker(err.to_string())
    }
}

/// Fails the case, as the server's fault, unless `condition` holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::verdict::Fault::Server(format!($($message)+)));
        }
    };
}

pub(crate) use ensure;
