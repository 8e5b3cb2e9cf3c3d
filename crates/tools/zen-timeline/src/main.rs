//! `zen-timeline`: who ran and who waited, in a real run of any server.
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
use zen_harness::{inetd, system};
use zen_timeline::lane::Detail;
use zen_timeline::picture::Picture;
use zen_timeline::run::Run;
use zen_timeline::scenario::{DEFAULT, Scenario};
use zen_timeline::{gallery, html, perfetto, record, svg};

/// Draws who ran and who waited in a real run of any server
#[derive(Parser)]
#[command(version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a server under strace while a scenario is played against it
    Record {
        /// Who does what, and when [default: four clients]
        #[arg(long, value_name = "FILE")]
        scenario: Option<PathBuf>,

        /// What stands above the picture [default: the program's name]
        #[arg(long)]
        name: Option<String>,

        /// Where the run is written to
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,

        /// The server; {port} stands for its port. Without it, it is one of
        /// the listings, and is told `--port 0 --quiet`
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },

    /// Draws a run that was recorded
    Draw {
        /// What `record` has written
        run: PathBuf,

        /// Where the picture is written to: .svg, or .html to step through
        #[arg(short, long, value_name = "FILE")]
        #[arg(required_unless_present = "perfetto")]
        output: Option<PathBuf>,

        /// HTML to be put into another page, not a page of its own
        #[arg(long, requires = "output")]
        fragment: bool,

        /// Also, or only, in Chrome's trace format, for ui.perfetto.dev
        #[arg(long, value_name = "FILE")]
        perfetto: Option<PathBuf>,
    },

    /// Plays the same scenario before every listing, and draws the book's
    /// figures; what was recorded becomes data of the book
    Gallery {
        /// Only these, such as zen-poll [default: all]
        names: Vec<String>,

        /// Of so many runs the calmest
        #[arg(
            long, default_value_t = 3,
            value_parser = clap::value_parser!(u16).range(1..=100)
        )]
        tries: u16,

        /// Record nothing: draw again all that was recorded
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
            write(&output, &serde_json::to_string(&run)?)?;
            println!("{}", summary(&run));
            Ok(())
        }
        Command::Draw { run, output, fragment, perfetto } => {
            let run = Run::read(&run)?;
            if let Some(path) = &perfetto {
                write(path, &perfetto::trace(&run).to_string())?;
            }
            match &output {
                Some(path) => write(path, &drawn(&run, path, fragment)?),
                None => Ok(()),
            }
        }
        Command::Gallery { redraw: true, .. } => gallery::redraw(&book()),
        Command::Gallery { names, tries, .. } => {
            gallery::renew(&book(), &names, tries)
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
        text += &format!("; {} lines of strace's not understood", run.unread);
    }
    for client in &run.clients {
        if let Some(why) = &client.failure {
            text += &format!("\nclient {}: {why}", client.name);
        }
    }
    text
}

/// A picture of the kind that the file's name asks for.
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

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}

/// The book of this workspace.
fn book() -> PathBuf {
    zen_harness::folder!().join("../../../book")
}
