//! `zen-bench`: what an answer costs, counted where that can be.
//!
//! ```sh
//! cargo run --release -p zen-bench -- costs
//! cargo run --release -p zen-bench -- cpu
//! ```

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[cfg(target_os = "linux")]
mod bare_loop;
#[cfg(target_os = "linux")]
mod costs;
#[cfg(target_os = "linux")]
mod cpu;

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

    /// Measures the processor time of an answer, beside a bare loop around
    /// epoll; exit status 1 if it is more than claimed (Linux only)
    Cpu {
        /// Only these servers, such as zen-poll [default: the event-driven]
        names: Vec<String>,

        /// So many pairs of a server and the loop
        #[arg(
            long, default_value_t = 15,
            value_parser = clap::value_parser!(u16).range(1..)
        )]
        pairs: u16,
    },

    /// The bare loop itself
    #[command(hide = true)]
    BareLoop {
        /// How many questions clients ask at once
        #[arg(long)]
        batch: usize,

        /// Where it listens
        #[arg(long, default_value_t = 0)]
        port: u16,

        /// What every server is told, and this one need not be
        #[arg(long)]
        quiet: bool,
    },
}

fn main() -> ExitCode {
    match run(CommandLine::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(err) => {
            eprintln!("zen-bench: {err:#}");
            ExitCode::from(2)
        }
    }
}

#[cfg(target_os = "linux")]
fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Costs { names } => costs::count(&names),
        Command::Cpu { names, pairs } => cpu::measure(&names, pairs),
        Command::BareLoop { batch, port, .. } => {
            bare_loop::serve(batch, port).map(|()| true)
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn run(_: Command) -> anyhow::Result<bool> {
    println!("The costs are counted with strace and /proc, on Linux only.");
    Ok(true)
}
