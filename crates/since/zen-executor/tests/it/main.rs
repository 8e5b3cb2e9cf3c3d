//! Runs every clause of the contract against the real `zen-executor`.

use std::process::ExitCode;

use zen_check::Architecture;

fn main() -> ExitCode {
    zen_check::listing(
        env!("CARGO_BIN_EXE_zen-executor"),
        Architecture::Coroutine,
    )
}
