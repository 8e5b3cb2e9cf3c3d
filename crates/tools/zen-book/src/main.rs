//! `zen-book`: builds the book, shows it, and checks that it is still true. No
//! other program needs to be installed.
//!
//! ```sh
//! cargo run -p zen-book -- build
//! cargo run -p zen-book -- serve --open
//! cargo run -p zen-book -- check
//! cargo run -p zen-book -- pdf
//! ```

mod answers;
mod caption;
mod html;
mod pdf;
mod serve;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(target_os = "linux")]
mod transcript;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// Builds the book that accompanies chapter 7, and checks it
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Build the book to book/book/index.html
    Build {
        /// Leave out the answers to the exercises
        #[arg(long)]
        no_answers: bool,
    },
    /// Serve the book on the loopback address; reloading a page builds the
    /// book again if anything has changed
    Serve {
        /// Open the book in a browser
        #[arg(long)]
        open: bool,
        /// TCP port; 0 lets the system pick one
        #[arg(short, long, default_value_t = 3000)]
        port: u16,
    },
    /// Build the book, run its transcripts again, and compare
    Check {
        /// Write the new output into the transcripts
        #[arg(long)]
        write: bool,
        /// Only these files
        transcripts: Vec<PathBuf>,
    },
    /// Print the book to book/book/book.pdf; needs Chromium or Google Chrome
    Pdf,
}

fn main() -> ExitCode {
    zen_harness::system::take_servers_along();
    let result = match Command::parse() {
        Command::Build { no_answers } => html::build(!no_answers).map(|html| {
            println!("{}", html.join("index.html").display());
        }),
        Command::Serve { open, port } => serve::serve(port, open),
        Command::Check { write, transcripts } => check(&transcripts, write),
        Command::Pdf => html::build(true).and_then(|html| pdf::print(&html)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("zen-book: {err:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn check(transcripts: &[PathBuf], write: bool) -> Result<()> {
    html::build(true)?;
    transcript::check(transcripts, write)
}

/// The transcripts use signals and a `ps` that other systems do not have.
#[cfg(not(target_os = "linux"))]
fn check(_: &[PathBuf], _: bool) -> Result<()> {
    html::build(true)?;
    println!("The transcripts are skipped on this system");
    Ok(())
}
