//! Every clause of the contract, put to the real `zen-hybrid`, once for each
//! way of sharing that this system has.

use std::process::ExitCode;

use zen_check::Architecture;

fn main() -> ExitCode {
    let ways = ["listener", "reuseport", "processes"];
    let ways = if cfg!(target_os = "linux") { &ways[..] } else { &ways[..1] };
    let options = |share| ["--loops", "2", "--share", share];
    let options: Vec<_> = ways.iter().map(|share| options(share)).collect();
    let variants = ways.iter().zip(&options);
    let variants: Vec<_> =
        variants.map(|(&share, options)| (share, &options[..])).collect();
    zen_check::variants(
        env!("CARGO_BIN_EXE_zen-hybrid"),
        Architecture::Loops(2),
        &variants,
    )
}
