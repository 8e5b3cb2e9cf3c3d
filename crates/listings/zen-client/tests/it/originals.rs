//! The chapter's own programs with ours, in both directions.
//!
//! `scripts/originals` fetches them. A test that lacks something says so and
//! passes: the programs, a Python old enough, or a server that is not built.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use zen_harness::process;

use crate::harness::{DEADLINE, Finished, Process, free_port, run};

/// What we ask each Python to find out whether it can run a program.
const ANY: &str = "import argparse, random, socket, threading";
const POLL: &str = "import select; select.poll";
const EVENT_LOOP: &str = "import asyncio; asyncio.get_event_loop()";
const COROUTINE: &str =
    "import asyncio; asyncio.coroutine; asyncio.get_event_loop()";
const ASYNCORE: &str = "import asyncore, asynchat";

#[test]
fn their_client_talks_to_our_servers() -> io::Result<()> {
    let Some(program) = original("client.py") else { return Ok(()) };
    let Some(python) = python(ANY) else {
        skip("client.py: no Python 3 on the PATH");
        return Ok(());
    };
    for server in servers()? {
        let name = server.file_stem().unwrap_or_default().to_string_lossy();
        if !server.exists() {
            skip(&format!("client.py before {name}: it is not built"));
            continue;
        }
        talk_to_ours(&python, &program, &server)
            .map_err(|err| io::Error::other(format!("{name}: {err}")))?;
    }
    Ok(())
}

fn talk_to_ours(python: &str, program: &Path, server: &Path) -> io::Result<()> {
    let mut command = Command::new(server);
    let mut server =
        process::Process::start(command.args(["127.0.0.1", "-p", "0"]))?;
    let port = server.address(DEADLINE)?.port().to_string();
    let logs = |number: usize, is_so: fn(&str) -> bool| {
        let line = |lines: &[String]| lines.get(number).cloned();
        let line = server.output.wait_for("a line", DEADLINE, line)?;
        assert!(is_so(&line), "{line}");
        io::Result::Ok(())
    };
    let client = |args: &[&str]| {
        let mut command = Command::new(python);
        command.arg("-B").arg(program).args(["127.0.0.1", "-p", &port]);
        Process::start(command.args(args))?.finish()
    };
    let accepted =
        |line: &str| line.starts_with("Accepted connection from 127.0.0.1:");

    let asked = client(&[])?;
    let expected = [
        "b'Beautiful is better than?' b'Ugly.'",
        "b'Explicit is better than?' b'Implicit.'",
        "b'Simple is better than?' b'Complex.'",
    ];
    assert_eq!(sorted(&asked), expected);
    assert_eq!((&*asked.stderr, asked.status), ("", Some(0)));
    logs(1, accepted)?;
    logs(2, |line| line.ends_with(" has closed"))?;

    let left = client(&["-e"])?;
    assert_eq!((&*left.stdout, &*left.stderr), ("", ""));
    assert_eq!(left.status, Some(0));
    logs(3, accepted)?;
    logs(4, |line| {
        line.ends_with(
            " error: received b\"Beautiful is better than\" \
             then socket closed",
        )
    })
}

#[test]
fn our_client_talks_to_srv_single() -> io::Result<()> {
    talk_to_theirs("srv_single.py", ANY)
}

#[test]
fn our_client_talks_to_srv_threaded() -> io::Result<()> {
    talk_to_theirs("srv_threaded.py", ANY)
}

#[test]
fn our_client_talks_to_srv_legacy1() -> io::Result<()> {
    talk_to_theirs("srv_legacy1.py", ANY)
}

#[test]
fn our_client_talks_to_srv_async() -> io::Result<()> {
    talk_to_theirs("srv_async.py", POLL)
}

#[test]
fn our_client_talks_to_srv_asyncio1() -> io::Result<()> {
    talk_to_theirs("srv_asyncio1.py", EVENT_LOOP)
}

#[test]
fn our_client_talks_to_srv_asyncio2() -> io::Result<()> {
    talk_to_theirs("srv_asyncio2.py", COROUTINE)
}

#[test]
fn our_client_talks_to_srv_legacy2() -> io::Result<()> {
    talk_to_theirs("srv_legacy2.py", ASYNCORE)
}

fn talk_to_theirs(program: &str, needs: &str) -> io::Result<()> {
    let Some(path) = original(program) else { return Ok(()) };
    let Some(python) = python(needs) else {
        skip(&format!("{program}: no Python on the PATH can `{needs}`"));
        return Ok(());
    };
    let three = [
        "Beautiful is better than? Ugly.",
        "Explicit is better than? Implicit.",
        "Simple is better than? Complex.",
    ];
    let unknown = ["Who? Error: unknown aphorism."];
    let conversations: [(&[&str], &[&str]); 4] = [
        (&[], &three),
        (&["--slow", "1"], &three),
        (&["--question", "Who?"], &unknown),
        (&["-e"], &[]),
    ];
    for (args, expected) in conversations {
        // A server for each: `srv_async.py` may take a client for the one
        // that has just left, when both had the same descriptor.
        let client = before_a_new_server(&python, &path, args)?;
        assert_eq!(sorted(&client), expected, "{program} {args:?} {client:?}");
        assert_eq!((&*client.stderr, client.status), ("", Some(0)));
    }
    Ok(())
}

fn before_a_new_server(
    python: &str,
    program: &Path,
    args: &[&str],
) -> io::Result<Finished> {
    let port = free_port()?;
    let mut command = Command::new(python);
    command.arg("-B").arg(program).arg("127.0.0.1");
    let port_word = port.to_string();
    let _server = process::Process::start(command.args(["-p", &port_word]))?;
    let client = process::wait_for(DEADLINE, || {
        let client = run(port, args)?;
        let too_early = client.stderr.contains("cannot connect");
        io::Result::Ok((!too_early).then_some(client))
    })?;
    client.ok_or_else(|| io::ErrorKind::TimedOut.into())
}

fn sorted(client: &Finished) -> Vec<&str> {
    let mut lines: Vec<_> = client.stdout.lines().collect();
    lines.sort_unstable();
    lines
}

/// One of the book's programs, if it has been fetched.
fn original(name: &str) -> Option<PathBuf> {
    static SAID: Once = Once::new();
    let path = workspace().join("originals").join(name);
    if path.exists() {
        return Some(path);
    }
    SAID.call_once(|| {
        skip(
            "the book's programs are not here: scripts/originals fetches them",
        );
    });
    None
}

/// A Python 3 that can do this.
fn python(needs: &str) -> Option<String> {
    let versions = (6..=14).rev().map(|minor| format!("python3.{minor}"));
    ["python3".into(), "python".into()].into_iter().chain(versions).find(
        |python| {
            let needs = format!(
                "import sys; sys.version_info[0] == 3 or sys.exit(1)\n{needs}"
            );
            let mut python = Command::new(python);
            let tried = process::run(python.args(["-c", &needs]), DEADLINE);
            tried.is_ok_and(|tried| tried.succeeded())
        },
    )
}

/// Where the servers of the workspace are when they are built: beside us.
fn servers() -> io::Result<Vec<PathBuf>> {
    let this = env::current_exe()?;
    let built = this.ancestors().nth(2).ok_or(io::ErrorKind::NotFound)?;
    let mut servers = Vec::new();
    for room in ["listings", "since"] {
        for entry in fs::read_dir(workspace().join("crates").join(room))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            // Not those that cannot be told where to listen.
            let other = ["zen-client", "zen-inetd"].contains(&&*name);
            if name.starts_with("zen-") && !other {
                servers.push(built.join(name + env::consts::EXE_SUFFIX));
            }
        }
    }
    servers.sort();
    Ok(servers)
}

fn workspace() -> PathBuf {
    zen_harness::folder!().join("../../..")
}

/// Says why a test does nothing, even when the output of tests is captured.
fn skip(reason: &str) {
    io::stderr().write_all(format!("skipped: {reason}\n").as_bytes()).ok();
}
