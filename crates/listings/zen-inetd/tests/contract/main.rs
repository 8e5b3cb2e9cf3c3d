//! Runs the contract against the real `zen-inetd`. zen-check stands in for
//! inetd.

use std::process::ExitCode;

use zen_check::{Architecture, Program};

fn main() -> ExitCode {
    if !cfg!(unix) {
        return ExitCode::SUCCESS;
    }
    let program = |architecture| {
        let words = vec![env!("CARGO_BIN_EXE_zen-inetd").into()];
        Program::of_the_workspace(words, architecture)
    };
    zen_check::tests(vec![
        ("nowait", program(Architecture::InetdNowait)),
        ("wait", program(Architecture::InetdWait)),
    ])
}
