//! Any command can be a server: it is found ready, and ended with its group.

use std::time::{Duration, Instant};

use zen_bench::load::{Load, Plan};
use zen_harness::server::Server;
use zen_harness::{built, proc, program};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

/// A shell that runs this script, in which `$0` is our own program.
fn shell(script: &str) -> Vec<String> {
    words(&["sh", "-c", script, &program!("zen-bench")])
}

#[test]
fn a_command_gets_its_port_and_serves() {
    let server =
        [&*program!("zen-bench"), "bare-loop", "--batch=1", "--port={port}"];
    let server = Server::run(&words(&server)).unwrap();
    // Not an ephemeral port, which a client might be given.
    assert!(server.address.port() < 32_000, "{}", server.address);
    let mut load = Load::connect(server.address, 2).unwrap();
    assert_eq!(load.ask(Plan::new(3)).unwrap(), 6);
    drop(load);
    server.stop().expect("an end by SIGTERM is no error");
}

#[test]
fn the_readiness_probe_is_closed() {
    let program = program!("zen-bench");
    let words = [&program, "bare-loop", "--batch=1"].map(String::from);
    let descriptors = |server: &Server| {
        let gauge = zen_bench::gauge::read(server.id()).unwrap();
        gauge.expect("/proc").descriptors
    };
    // One reports where it listens, and the other is probed.
    let listing = Server::run(&words).unwrap();
    let with_port = [&words[..], &["--port={port}".into()]].concat();
    let command = Server::run(&with_port).unwrap();
    assert_eq!(descriptors(&command), descriptors(&listing));
    // The bare loop does not catch SIGTERM, and so it cannot pass as a listing.
    assert!(listing.stop().is_err() && command.stop().is_ok());
}

#[test]
fn a_command_without_a_port_is_a_listing() {
    // A command that reports no address, or ends first, is not a listing.
    for (script, message) in [
        ("exec true", "does not say where it listens"),
        ("echo no such option >&2; exit 2", "no such option"),
        ("echo Listening at the door", "Listening at the door"),
    ] {
        let error = Server::run(&shell(script)).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    assert!(Server::run(&[]).is_err());
    assert!(Server::run(&words(&["/no/such/program"])).is_err());
}

#[test]
fn a_command_that_ends_before_it_listens_is_an_error() {
    let error = Server::run(&shell("echo busy >&2; exit 1 # {port}"));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("it ended before it listened"), "{error}");
}

#[test]
fn a_servers_descendants_end_with_it() {
    // A grandchild that holds our pipes, and ignores SIGTERM.
    let script = "trap '' TERM; sleep 1000 & trap - TERM; \
                  exec \"$0\" bare-loop --batch=1 --port={port}";
    for is_stopped in [true, false] {
        let server = Server::run(&shell(script)).unwrap();
        let group = server.id();
        assert!(has_members(group));
        match is_stopped {
            true => _ = server.stop().unwrap(),
            false => drop(server),
        }
        // SIGKILL is sent at once; the process is gone a moment later.
        let deadline = Instant::now() + Duration::from_secs(10);
        while has_members(group) {
            assert!(Instant::now() < deadline, "{group} lives on");
            std::thread::yield_now();
        }
    }
}

/// A process that is killed by SIGKILL cannot end what it has started.
#[cfg(target_os = "linux")]
#[test]
fn a_lab_that_is_killed_leaves_no_server() {
    let program = program!("zen-bench");
    let file = built::scratch().unwrap().join("killed.pid");
    std::fs::remove_file(&file).ok();
    let script = "echo $$ >\"$1\"; \
                  exec \"$0\" bare-loop --batch=1 --port={port}";
    let words = ["sh", "-c", script, &program, file.to_str().unwrap()];
    let also = format!("x={}", shlex::try_join(words).unwrap());
    let mut lab = std::process::Command::new(&program)
        .args(["load", "--also", &also, "--seconds", "100"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let server = loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if let (Ok(process), true) = (text.trim().parse(), text.ends_with('\n'))
        {
            break process;
        }
        assert!(Instant::now() < deadline, "no server");
        std::thread::yield_now();
    };
    assert!(has_members(server));
    lab.kill().and_then(|()| lab.wait()).unwrap();
    while has_members(server) {
        assert!(Instant::now() < deadline, "{server} lives on");
        std::thread::yield_now();
    }
}

/// Whether a process of this group still runs.
fn has_members(group: u32) -> bool {
    !proc::family(group).expect("/proc").is_empty()
}

#[test]
fn endless_output_does_not_block_a_server() {
    let script = "yes & exec \"$0\" bare-loop --batch=1 --port={port}";
    let server = Server::run(&shell(script)).unwrap();
    let mut load = Load::connect(server.address, 1).unwrap();
    assert_eq!(load.ask(Plan::new(3)).unwrap(), 3);
    drop(load);
    server.stop().unwrap();
}
