//! Every clause of the contract, put to the real `zen-poll`.

use std::process::ExitCode;

fn main() -> ExitCode {
    zen_check::listing!()
}
