//! `zen-bench`: what an answer costs, counted and not timed.
//!
//! ```sh
//! cargo run --release -p zen-bench -- costs
//! ```

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[cfg(target_os = "linux")]
mod costs;

/// Loads a server and counts what its answers cost
#[derive(Parser)]
#[command(version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Counts system calls, allocations and memory, beside what the contract
    /// allows; exit status 1 if it is more than that (Linux only)
    Costs {
        /// Only these servers, such as zen-poll [default: all]
        names: Vec<String>,
    },
}

fn main() -> ExitCode {
    let Command::Costs { names } = CommandLine::parse().command;
    match count(&names) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(err) => {
            eprintln!("zen-bench: {err:#}");
            ExitCode::from(2)
        }
    }
}

#[cfg(target_os = "linux")]
fn count(names: &[String]) -> anyhow::Result<bool> {
    costs::count(names)
}

#[cfg(not(target_os = "linux"))]
fn count(_: &[String]) -> anyhow::Result<bool> {
    println!("The costs are counted with strace and /proc, on Linux only.");
    Ok(true)
}
