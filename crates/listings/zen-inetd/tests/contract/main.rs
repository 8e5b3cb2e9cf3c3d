//! Runs the contract against the real `zen-inetd`. zen-check stands in for
//! inetd.

use std::process::ExitCode;

fn main() -> ExitCode {
    zen_check::listing!()
}
