//! `zen-bench`: the lab. Loads servers, runs experiments, and counts what an
//! answer costs.
//!
//! ```sh
//! cargo run --release -p zen-bench -- load zen-poll
//! cargo run --release -p zen-bench -- run silent
//! cargo run --release -p zen-bench -- costs
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use zen_harness::{inetd, system};

use zen_bench::book;
use zen_bench::experiment::{About, Experiment};
use zen_bench::experiments::EXPERIMENTS;
use zen_bench::holders;
use zen_bench::lab::{Lab, Size, Subject};

#[cfg(target_os = "linux")]
mod bare_loop;
mod costs;
mod cpu;
mod loading;

/// Loads servers, runs experiments, and counts what an answer costs
#[derive(Parser)]
#[command(version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Load servers, one after another: answers a second, latency, cost
    Load(loading::Options),

    /// List the experiments and their questions
    List,

    /// Run experiments, and show the results
    Run {
        /// Their names (see list)
        #[arg(required = true)]
        experiments: Vec<String>,

        #[command(flatten)]
        options: Making,
    },

    /// Run all experiments
    All {
        #[command(flatten)]
        options: Making,
    },

    /// Draw the figures and write their text from the data of earlier
    /// experiments
    Draw {
        /// The book's folder [default: that of the workspace]
        #[arg(long, value_name = "FOLDER")]
        book: Option<PathBuf>,
    },

    /// Count system calls, allocations and memory, and compare them with what
    /// the contract allows; exit status 1 if one exceeds it (Linux only)
    Costs {
        /// Only these servers, such as zen-poll [default: all]
        names: Vec<String>,

        /// Cargo profile of the listings: release or dev
        #[arg(long, default_value = "release")]
        profile: String,
    },

    /// Measure the processor time of an answer, and compare it with a bare
    /// epoll loop; exit status 1 if it exceeds its bound (Linux only)
    Cpu {
        /// Only these servers, such as zen-poll [default: the event-driven]
        names: Vec<String>,

        /// How many times a server and the loop take turns
        #[arg(
            long, default_value_t = 15,
            value_parser = clap::value_parser!(u16).range(1..)
        )]
        pairs: u16,
    },

    /// A client process that holds connections
    #[command(hide = true)]
    Hold {
        /// The server's address
        server: SocketAddr,

        /// The addresses to connect from, in turn
        from: Vec<Ipv4Addr>,
    },

    /// The bare loop itself
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    BareLoop {
        /// How many questions clients ask at once
        #[arg(long)]
        batch: usize,

        /// TCP port; 0 lets the system pick one
        #[arg(long, default_value_t = 0)]
        port: u16,

        /// Ignored: every server is started with it
        #[arg(long)]
        quiet: bool,
    },
}

/// How experiments are run.
#[derive(Args)]
struct Making {
    /// Fewer runs, and shorter ones: all experiments in five minutes
    #[arg(long)]
    quick: bool,

    /// As little as possible, to test that it works
    #[arg(long, hide = true, conflicts_with = "quick")]
    tiny: bool,

    /// Cargo profile of the listings: release or dev
    #[arg(long, default_value = "release")]
    profile: String,

    /// Add a server to the experiments that need no options: any command that
    /// keeps the contract, with {port} for its port
    #[arg(long, value_name = "NAME='COMMAND'", value_parser = Subject::parse)]
    also: Vec<Subject>,

    /// Write data, figures and text into this book, as scripts/lab does
    /// [default: only show the results]
    #[arg(long, value_name = "FOLDER")]
    book: Option<PathBuf>,
}

fn main() -> ExitCode {
    inetd::be_it_if_told();
    system::take_servers_along();
    match run(CommandLine::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(err) => {
            eprintln!("zen-bench: {err:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Load(options) => loading::run(&options)?,
        Command::List => list(),
        Command::Run { experiments, options } => {
            let find = |name: &String| {
                EXPERIMENTS.iter().find(|it| it.name == name).ok_or_else(|| {
                    anyhow::anyhow!("no experiment is called {name} (see list)")
                })
            };
            let chosen: Result<Vec<_>, _> =
                experiments.iter().map(find).collect();
            make(&chosen?, options)?;
        }
        Command::All { options } => {
            make(&EXPERIMENTS.iter().collect::<Vec<_>>(), options)?;
        }
        Command::Draw { book } => {
            let book = book.unwrap_or_else(book::here);
            for experiment in &*EXPERIMENTS {
                let results = book::read(&book, experiment)?;
                book::write(&book, experiment, &results)?;
            }
        }
        Command::Hold { server, from } => holders::hold(server, &from)?,
        Command::Costs { names, profile } => {
            return costs::count(&names, &profile);
        }
        Command::Cpu { names, pairs } => return cpu::measure(&names, pairs),
        #[cfg(target_os = "linux")]
        Command::BareLoop { batch, port, .. } => bare_loop::serve(batch, port)?,
    }
    Ok(true)
}

fn list() {
    for Experiment { name, about, .. } in &*EXPERIMENTS {
        let About { title, pages, question, predict, .. } = about;
        println!("{name}: {title} ({pages})\n  {question}\n  {predict}\n");
    }
}

/// Runs these experiments, one after another.
fn make(experiments: &[&Experiment], options: Making) -> anyhow::Result<()> {
    let size = match options {
        Making { tiny: true, .. } => Size::Tiny,
        Making { quick: true, .. } => Size::Quick,
        _ => Size::Full,
    };
    let mut lab = Lab::new(size, &options.profile, options.also)?;
    for (index, experiment) in experiments.iter().enumerate() {
        let About { title, pages, question, predict, .. } = &experiment.about;
        println!(
            "[{} of {}] {title} ({pages})\n\n{question}\n\nPredict \
             first. {predict}\n",
            index + 1,
            experiments.len()
        );
        let Experiment { name, about, make, .. } = experiment;
        let results = lab.make(name, about.charts.clone(), *make)?;
        println!("{}", experiment.seen_in(&results));
        if let Some(book) = &options.book {
            book::write(book, experiment, &results)?;
        }
    }
    Ok(())
}
