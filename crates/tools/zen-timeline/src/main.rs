//! `zen-timeline`: what ran and what waited, in a real run of any server.
//!
//! ```sh
//! cargo run -p zen-timeline -- record -o run.json -- target/debug/zen-poll
//! cargo run -p zen-timeline -- draw run.json -o run.html
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use zen_bench::book::here;
use zen_harness::{inetd, system};
use zen_timeline::lane::Detail;
use zen_timeline::picture::Picture;
use zen_timeline::run::Run;
use zen_timeline::scenario::{DEFAULT, Scenario};
use zen_timeline::{gallery, html, perfetto, record, svg};

/// Draws which threads ran and which waited in a real run of any server
#[derive(Parser)]
#[command(version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server under strace, and play a scenario against it
    Record {
        /// What each client does, and when [default: four clients]
        #[arg(long, value_name = "FILE")]
        scenario: Option<PathBuf>,

        /// Heading of the picture [default: the program's name]
        #[arg(long)]
        name: Option<String>,

        /// Write the run to this file
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,

        /// The server's command, with {port} for its port. Without {port} it
        /// has to be a listing, and is given `--port 0 --quiet`
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },

    /// Draw a recorded run
    Draw {
        /// A file that `record` has written
        run: PathBuf,

        /// Write the picture to this file: .svg, or .html to step through
        #[arg(short, long, value_name = "FILE")]
        #[arg(required_unless_present = "perfetto")]
        output: Option<PathBuf>,

        /// Write HTML to include in another page, and not a whole page
        #[arg(long, requires = "output")]
        fragment: bool,

        /// Write a trace in Chrome's format, for ui.perfetto.dev
        #[arg(long, value_name = "FILE")]
        perfetto: Option<PathBuf>,
    },

    /// Play the same scenario against every listing, keep the runs as data
    /// of the book, and draw its figures from them
    Gallery {
        /// Only these, such as zen-poll [default: all]
        names: Vec<String>,

        /// Record this many runs, and keep the calmest
        #[arg(
            long, default_value_t = 3,
            value_parser = clap::value_parser!(u16).range(1..=100)
        )]
        tries: u16,

        /// Record nothing: draw all recorded runs again
        #[arg(long, conflicts_with_all = ["names", "tries"])]
        redraw: bool,
    },
}

fn main() -> ExitCode {
    inetd::be_it_if_told();
    system::take_servers_along();
    match run(CommandLine::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("zen-timeline: {err:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Record { scenario, name, output, command } => {
            let scenario = match scenario {
                None => Scenario::parse(DEFAULT)?,
                Some(path) => Scenario::parse(&read(&path)?)
                    .with_context(|| path.display().to_string())?,
            };
            let program = Path::new(&command[0]).file_name();
            let name = name.unwrap_or_else(|| {
                program.unwrap_or_default().to_string_lossy().into_owned()
            });
            let run = record::record(&name, &command, &scenario)?;
            gallery::write(&output, &serde_json::to_string(&run)?)?;
            println!("{}", summary(&run));
            Ok(())
        }
        Command::Draw { run, output, fragment, perfetto } => {
            let run = Run::read(&run)?;
            if let Some(path) = &perfetto {
                gallery::write(path, &perfetto::trace(&run))?;
            }
            if let Some(path) = &output {
                gallery::write(path, &drawn(&run, path, fragment)?)?;
            }
            Ok(())
        }
        Command::Gallery { redraw: true, .. } => gallery::redraw(&here()),
        Command::Gallery { names, tries, .. } => {
            gallery::renew(&here(), &names, tries)
        }
    }
}

/// What was recorded, and what went wrong.
fn summary(run: &Run) -> String {
    let calls: usize = run.tasks.iter().map(|task| task.calls.len()).sum();
    let (tasks, clients) = (run.tasks.len(), run.clients.len());
    let mut text = format!(
        "{clients} clients; {tasks} threads or processes with {calls} calls"
    );
    if let Some(it) = &run.slowdown {
        text += &format!(
            "; an answer took {} us under strace, and {} us without",
            it.traced, it.untraced
        );
    }
    if run.unread > 0 {
        text += &format!("; {} lines of strace could not be read", run.unread);
    }
    for client in &run.clients {
        if let Some(why) = &client.failure {
            text += &format!("\nclient {}: {why}", client.name);
        }
    }
    text
}

/// A picture in the format that the file's extension names.
fn drawn(run: &Run, path: &Path, fragment: bool) -> Result<String> {
    let end = path.extension().unwrap_or_default().to_string_lossy();
    Ok(match (&*end, fragment) {
        ("svg", false) => {
            svg::draw(&Picture::new(run, Detail::FIGURE), run, &run.name)
        }
        ("html", false) => html::page(run),
        ("html", true) => html::fragment(run, &run.name, Detail::ZOOM),
        _ => bail!("{}: neither .svg nor .html", path.display()),
    })
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}
