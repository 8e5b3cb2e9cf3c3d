//! Runs the contract against the real `zen-async-std`, clause by clause.

use std::process::ExitCode;

fn main() -> ExitCode {
    zen_check::listing!()
}
