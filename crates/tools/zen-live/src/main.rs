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

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use tokio::net::TcpListener;
use zen_harness::system;
use zen_harness::workspace::Servers;

use crate::lane::Lane;
use crate::stage::{Order, Stage};

/// The lanes of the chapter, without `zen-`.
const USUAL: [&str; 7] =
    ["single", "threaded", "legacy", "fork", "poll", "callback", "coroutine"];

/// For the clients of all lanes, both ends of a flood, and some more.
const DESCRIPTORS: u64 = 4_096;

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

    /// Begin with this lesson: one-silent, fifth-client, crowd-decides,
    /// attacker, killed-worker, does-not-read, slow-answer, stop-under-load
    #[arg(long, value_name = "NAME")]
    lesson: Option<String>,

    /// The port of the page [default: a free one]
    #[arg(short, long, default_value_t = 0, hide_default_value = true)]
    port: u16,

    /// Open no browser: the address is on standard output
    #[arg(long)]
    no_open: bool,
}

fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("zen-live: {err:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: CommandLine) -> Result<()> {
    let folder = zen_harness::folder!();
    system::raise_own_descriptor_limit(DESCRIPTORS).ok();
    let stage = stage(&arguments, &folder)?;
    // The process that starts a server has to be there as long as that is, and
    // so has the thread.
    let (orders, inbox) = mpsc::channel();
    let lesson = arguments.lesson.clone();
    let (alone, is_alone) = tokio::sync::oneshot::channel::<()>();
    let thread = thread::spawn(move || {
        let mut stage = stage;
        if let Some(name) = lesson {
            stage.begin(&name).ok();
        }
        stage.run(&inbox);
        drop(alone);
    });
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let book = folder.join("../../../book/book");
        tokio::select! {
            served = serve(&arguments, orders.clone(), &book) => served,
            _ = is_alone => Ok(()),
            told = told_to_end() => told,
        }
    });
    orders.send(Order::End).ok();
    let ended = thread.join().map_err(|_| anyhow!("the stage has panicked"));
    served.and(ended)
}

/// Builds the servers; none of them is started yet.
fn stage(arguments: &CommandLine, folder: &Path) -> Result<Stage> {
    let lessons = lesson::all().map_err(|err| anyhow!("a lesson: {err}"))?;
    if let Some(name) = &arguments.lesson {
        let names: Vec<_> = lessons.iter().map(|it| &*it.name).collect();
        if !names.contains(&&**name) {
            bail!("no lesson {name:?}; there are: {}", names.join(", "));
        }
    }
    let chosen: Vec<_> =
        arguments.lanes.iter().map(|it| short(it).to_string()).collect();
    let is_wanted = |name: &str| {
        USUAL.contains(&short(name))
            || chosen.iter().any(|it| it == short(name))
    };
    eprintln!("Building the servers ...");
    let servers = Servers::build(folder, "dev", None, |it| {
        !it.is_inetds() && is_wanted(&it.name)
    })
    .map_err(|err| anyhow!(err))?;
    let mut lanes = Vec::new();
    for listing in &servers.listings {
        let name = short(&listing.name);
        let program = servers.program(listing);
        let words = vec![program.to_string_lossy().into_owned()];
        let page = format!("{name}.html");
        lanes.push(Lane::new(name, words, &listing.description, Some(page)));
    }
    if let Some(name) =
        chosen.iter().find(|name| !lanes.iter().any(|it| it.name == **name))
    {
        bail!("no listing zen-{name} that listens by itself");
    }
    let mut always = chosen.clone();
    for also in &arguments.also {
        let (name, command) =
            also.split_once('=').context("--also NAME='COMMAND {port}'")?;
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_new = !lanes.iter().any(|it| it.name == name);
        if name.is_empty() || !name.chars().all(is_name) || !is_new {
            bail!("--also {name}: a new name, of small letters and digits");
        }
        let words = shlex::split(command).filter(|it| !it.is_empty());
        let words = words.with_context(|| format!("--also {also}"))?;
        lanes.push(Lane::new(name, words, command, None));
        always.push(name.into());
    }
    let mut usual: Vec<_> = match chosen.is_empty() {
        true => USUAL.map(String::from).into(),
        false => Vec::new(),
    };
    usual.extend(always.iter().cloned());
    Ok(Stage::new(lanes, usual, always, lessons))
}

fn short(name: &str) -> &str {
    name.strip_prefix("zen-").unwrap_or(name)
}

async fn serve(
    arguments: &CommandLine,
    orders: mpsc::Sender<Order>,
    book: &Path,
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
    let router = web::router(orders, (address, &token), book);
    Ok(axum::serve(listener, router).await?)
}

/// Waits for Ctrl-C, or for what else is said to a process that is to end.
async fn told_to_end() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            told = tokio::signal::ctrl_c() => told?,
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
