//! Every clause of the contract, put to the real `zen-threaded`, twice.

use std::process::ExitCode;

use zen_check::Architecture;

fn main() -> ExitCode {
    zen_check::variants(
        env!("CARGO_BIN_EXE_zen-threaded"),
        Architecture::Pool(4),
        &[
            ("accept", &["--dispatch", "accept"]),
            ("queue", &["--dispatch", "queue"]),
        ],
    )
}
