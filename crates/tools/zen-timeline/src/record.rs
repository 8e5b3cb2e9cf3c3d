//! Runs a server under strace while a scenario is played against it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use zen_bench::results::median;
use zen_harness::server::Server;
use zen_harness::strace;

use crate::build::build;
use crate::play::play;
use crate::run::{Client, FORMAT, Run, Slowdown};
use crate::scenario::Scenario;

/// The calls at which strace stops a server: those that wait, move bytes, or
/// start or end something. A question mark: not every kernel has the call.
const CALLS: &str = "accept accept4 clock_nanosleep clone clone3 close \
    connect epoll_pwait epoll_pwait2 epoll_wait flock fork futex futex_wait \
    futex_waitv io_uring_enter nanosleep pause poll ppoll prctl pselect6 read \
    readv recvfrom recvmmsg recvmsg restart_syscall rt_sigsuspend \
    rt_sigtimedwait select semtimedop sendfile sendmmsg sendmsg sendto \
    shutdown splice vfork wait4 waitid write writev";

/// A longer line is cut: everything needed comes earlier.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Records a run; `name` is the heading of its picture.
pub fn record(
    name: &str,
    words: &[String],
    scenario: &Scenario,
) -> Result<Run> {
    let machine = machine()?;
    let untraced = {
        let server = Server::run(words)?;
        let (_, clients) = play(scenario, server.address)?;
        server.stop().context("without strace")?;
        clients
    };
    let file = Trace::new();
    let calls = CALLS.split(' ').map(|it| format!("?{it}"));
    let calls = calls.collect::<Vec<_>>().join(",");
    let path = file.0.to_string_lossy();
    let trace = format!("trace={calls}");
    // With -DD the server is our child and not strace's, so the system kills it
    // if we are killed.
    let strace = "strace -DD -f --seccomp-bpf -ttt -T -yy -s 16".split(' ');
    let strace = strace.chain(["-o", &path, "-e", &trace, "--"]);
    let strace = strace.map(String::from).chain(words.iter().cloned());
    let strace: Vec<_> = strace.collect();
    let server = Server::run(&strace)?;
    let (epoch, clients) = play(scenario, server.address)?;
    server.stop().context("under strace")?;
    let lines = lines(File::open(&file.0).context("strace wrote nothing")?);
    let (tasks, unread) = build(lines, epoch, &clients);
    Ok(Run {
        format: FORMAT,
        name: name.into(),
        command: shown(words),
        scenario: scenario.title.clone(),
        machine,
        end: end(&clients),
        slowdown: slowdown(&untraced, &clients),
        unread,
        clients,
        tasks,
    })
}

/// The command, without the folders of its programs.
fn shown(words: &[String]) -> String {
    let shown = |(index, word): (usize, &String)| {
        let path = Path::new(word);
        match path.file_name() {
            Some(name) if index == 0 || path.is_absolute() => {
                name.to_string_lossy().into_owned()
            }
            _ => word.clone(),
        }
    };
    let words: Vec<_> = words.iter().enumerate().map(shown).collect();
    words.join(" ")
}

/// The file to which strace writes; removed when this is dropped.
struct Trace(PathBuf);

impl Trace {
    fn new() -> Self {
        let name = format!("zen-timeline-{}.strace", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

fn machine() -> Result<String> {
    let version = strace::version().map_err(Error::msg)?;
    Ok(format!("{}, strace {version}", zen_bench::machine::linux()?))
}

/// The lines of a trace; they need not be UTF-8.
fn lines(file: File) -> impl Iterator<Item = String> {
    let mut reader = BufReader::new(file);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        let mut part = (&mut reader).take(LINE_BYTES_MAX);
        let read = part.read_until(b'\n', &mut line).unwrap_or(0);
        (read > 0).then(|| String::from_utf8_lossy(&line).into_owned())
    })
}

fn end(clients: &[Client]) -> i64 {
    let last = clients.iter().filter_map(|it| it.views.last());
    last.map(|view| view.at).max().unwrap_or(0)
}

fn slowdown(untraced: &[Client], traced: &[Client]) -> Option<Slowdown> {
    let waits = |clients: &[Client]| -> Vec<f64> {
        let waits = clients.iter().flat_map(Client::waits);
        waits.map(|wait| wait as f64).collect()
    };
    let waits_traced = waits(traced);
    Some(Slowdown {
        untraced: median(&waits(untraced))?.round() as i64,
        answers: waits_traced.len(),
        traced: median(&waits_traced)?.round() as i64,
        untraced_end: end(untraced),
    })
}
