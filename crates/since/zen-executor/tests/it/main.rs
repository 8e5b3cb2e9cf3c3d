//! Runs every clause of the contract against the real `zen-executor`.

use std::process::ExitCode;

fn main() -> ExitCode {
    zen_check::listing!()
}
