//! Every clause of the contract, put to the real `zen-asyncore`.

use std::process::ExitCode;

fn main() -> ExitCode {
    zen_check::listing!()
}
