//! Every clause of the contract, put to the real `zen-single`.

use std::process::ExitCode;

fn main() -> ExitCode {
    zen_check::listing!()
}
