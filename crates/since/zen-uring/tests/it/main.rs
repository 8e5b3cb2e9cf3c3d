//! Runs every clause of the contract against the real `zen-uring`.

use std::process::ExitCode;

fn main() -> ExitCode {
    zen_check::listing!()
}
