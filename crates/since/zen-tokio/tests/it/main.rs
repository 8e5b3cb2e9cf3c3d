//! Runs the contract against the real `zen-tokio`, clause by clause.

use std::process::ExitCode;

use zen_check::Architecture;

fn main() -> ExitCode {
    zen_check::listing(env!("CARGO_BIN_EXE_zen-tokio"), Architecture::Coroutine)
}
