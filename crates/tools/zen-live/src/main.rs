//! `zen-live`: real servers side by side in one page. You are the clients, and
//! see what waits for what, as the kernel has it.
//!
//! ```sh
//! cargo run -p zen-live
//! cargo run -p zen-live -- single poll --also mine='python3 server.py {port}'
//! cargo run -p zen-live -- --lesson fifth-client
//! ```

mod busy;
mod client;
mod lane;
mod lesson;
mod line;
mod stage;
mod web;

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use zen_harness::listing::Listing;
use zen_harness::system;
use zen_harness::workspace::Servers;

use crate::lane::{Lane, Subject};
use crate::stage::{Order, Stage};

/// The lanes of the chapter, without `zen-`.
const USUAL: [&str; 7] =
    ["single", "threaded", "legacy", "fork", "poll", "callback", "coroutine"];

/// Real servers side by side in one page: drive them, and see what waits
///
/// Opens a page in your browser. There you connect clients and let them ask,
/// and see for each thread what it waits for. Ctrl-C ends it.
#[derive(Parser)]
#[command(version)]
struct CommandLine {
    /// Listings without `zen-`, such as poll [default: those of the chapter]
    lanes: Vec<String>,

    /// A server of your own, with {port} where it is told its port
    #[arg(long, value_name = "NAME='COMMAND {port}'")]
    also: Vec<String>,

    /// Begin with this lesson
    #[arg(long, value_name = "NAME", value_parser = lesson::NAMES)]
    lesson: Option<String>,

    /// The port of the page [default: a free one]
    #[arg(short, long, default_value_t = 0, hide_default_value = true)]
    port: u16,

    /// Open no browser: the address is on standard output
    #[arg(long)]
    no_open: bool,
}

fn main() -> ExitCode {
    let Err(err) = run(&CommandLine::parse()) else { return ExitCode::SUCCESS };
    eprintln!("zen-live: {err:#}");
    ExitCode::from(2)
}

fn run(arguments: &CommandLine) -> Result<()> {
    let folder = zen_harness::folder!();
    // For all clients, and more.
    system::raise_own_descriptor_limit(4_096).ok();
    let stage = stage(arguments, &folder)?;
    let lesson = arguments.lesson.clone().unwrap_or_default();
    let (orders, inbox) = mpsc::channel();
    let (alone, is_alone) = oneshot::channel::<()>();
    // The servers end with the thread that started them: it is there as long
    // as they are.
    let thread = thread::spawn(move || {
        stage.run(&lesson, &inbox);
        drop(alone);
    });
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        tokio::select! {
            served = serve(arguments, orders.clone(), &folder) => served,
            _ = is_alone => Ok(()),
            told = told_to_end() => Ok(told?),
        }
    });
    orders.send(Order::End).ok();
    thread.join().map_err(|_| anyhow!("it has panicked"))?;
    served
}

/// Builds the servers; none of them is started yet.
fn stage(arguments: &CommandLine, folder: &Path) -> Result<Stage> {
    let lessons = lesson::all().map_err(|err| anyhow!("a lesson: {err}"))?;
    let chosen = arguments.lanes.iter().map(|it| short(it).to_string());
    let mut always: Vec<_> = chosen.collect();
    eprintln!("Building the servers ...");
    let is_wanted = |it: &Listing| {
        let name = short(&it.name);
        let is_chosen = always.iter().any(|it| it == name);
        !it.is_inetds() && (is_chosen || USUAL.contains(&name))
    };
    let servers = Servers::build(folder, "dev", None, is_wanted)
        .map_err(|err| anyhow!(err))?;
    let lane = |listing: &Listing| Subject {
        name: short(&listing.name).into(),
        words: vec![servers.program(listing).to_string_lossy().into()],
        about: listing.description.clone(),
        page: Some(format!("{}.html", short(&listing.name))),
    };
    let mut lanes: Vec<_> = servers.listings.iter().map(lane).collect();
    let is_there = |name: &str, lanes: &[Subject]| {
        lanes.iter().any(|lane| lane.name == name)
    };
    if let Some(name) = always.iter().find(|it| !is_there(it, &lanes)) {
        bail!("no listing zen-{name} that listens by itself");
    }
    let usual = if always.is_empty() { &USUAL[..] } else { &[] };
    for also in &arguments.also {
        let (name, command) = also.split_once('=').unwrap_or_default();
        let words = shlex::split(command).unwrap_or_default();
        if words.is_empty() || !line::is_name(name) {
            bail!("--also {also}: not a small NAME='COMMAND {{port}}'");
        } else if is_there(name, &lanes) {
            bail!("--also {name}: there is a lane of this name");
        }
        let (name, about) = (name.to_string(), command.into());
        always.push(name.clone());
        lanes.push(Subject { name, words, about, page: None });
    }
    let usual = usual.iter().map(|it| it.to_string());
    let usual = usual.chain(always.iter().cloned()).collect();
    let lanes = lanes.into_iter().map(Lane::new).collect();
    Ok(Stage::new(lanes, usual, always, lessons))
}

fn short(name: &str) -> &str {
    name.strip_prefix("zen-").unwrap_or(name)
}

async fn serve(
    arguments: &CommandLine,
    orders: mpsc::Sender<Order>,
    folder: &Path,
) -> Result<()> {
    let at = (Ipv4Addr::LOCALHOST, arguments.port);
    let listener = TcpListener::bind(at).await;
    let listener = listener
        .with_context(|| format!("cannot listen on port {}", arguments.port))?;
    let address = listener.local_addr()?.to_string();
    let mut token = [0; 16];
    getrandom::fill(&mut token)?;
    let token = format!("{:032x}", u128::from_ne_bytes(token));
    let url = format!("http://{address}/{token}/");
    println!("zen-live at {url}");
    if !arguments.no_open {
        opener::open_browser(&url)?;
    }
    let book = folder.join("../../../book/book");
    let router = web::router(orders, (address, &token), &book);
    Ok(axum::serve(listener, router).await?)
}

/// Waits for Ctrl-C, or for SIGTERM.
async fn told_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            told = tokio::signal::ctrl_c() => told,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
