//! The command as a user sees it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use zen_harness::program;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("zen-timeline-{}-{name}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).expect("a folder");
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(program!("zen-timeline"));
    command.args(arguments).stdin(Stdio::null());
    command.output().expect("it runs")
}

#[track_caller]
fn fails(arguments: &[&str], message: &str) {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains(message), "{errors}");
}

#[test]
fn rejects_what_it_cannot_draw() {
    let folder = Folder::new("draw");
    let run = folder.path("run.json");
    fails(&["draw", &run, "-o", "x.svg"], "run.json");
    fs::write(&run, "{}").unwrap();
    fails(&["draw", &run, "-o", "x.svg"], "missing field");
    let known = zen_harness::folder!();
    let known = known.join("../../../book/data/timeline/zen-poll.json");
    let known = known.to_string_lossy();
    fails(&["draw", &known, "-o", "x.png"], "neither .svg nor .html");
    fails(&["draw", &known], "--output");
    let scenario = folder.path("scenario");
    fs::write(&scenario, "client x\nsing").unwrap();
    let arguments =
        ["record", "--scenario", &scenario, "-o", &run, "--", "true"];
    fails(&arguments, "line 2: not a step");
}

#[test]
fn every_kind_of_picture_is_drawn_from_a_file() {
    let folder = Folder::new("kinds");
    let known = zen_harness::folder!();
    let known = known.join("../../../book/data/timeline/zen-poll.json");
    let known = known.to_string_lossy();
    let trace = folder.path("trace.json");
    for (output, more, begins) in [
        ("run.svg", None, "<svg "),
        ("run.html", None, "<!DOCTYPE html>"),
        ("part.html", Some("--fragment"), "<div "),
    ] {
        let path = folder.path(output);
        let mut arguments = vec!["draw", &known, "-o", &path];
        arguments.extend(["--perfetto", &trace]);
        arguments.extend(more);
        let output = run(&arguments);
        assert!(output.status.success(), "{output:?}");
        assert!(fs::read_to_string(&path).unwrap().starts_with(begins));
        assert!(fs::read_to_string(&trace).unwrap().starts_with('{'));
        fs::remove_file(&trace).unwrap();
    }
}

#[cfg(target_os = "linux")]
mod with_strace {
    use std::path::Path;

    use zen_timeline::run::{Kind, Run, Seen};

    use super::*;

    /// A server of three lines, in a language that needs no compiler.
    const SERVER: &str = "
import socket, sys
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    sock, address = listener.accept()
    with sock:
        while data := sock.recv(4096):
            sock.sendall(b'Ugly.' * data.count(b'?'))
";

    fn is_there(program: &str, argument: &str) -> bool {
        let mut command = Command::new(program);
        command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    #[test]
    fn a_server_in_any_language_is_recorded() {
        if !is_there("strace", "true") || !is_there("python3", "--version") {
            println!("no strace that may trace, or no python3 here");
            return;
        }
        let folder = Folder::new("python");
        let [server, scenario, output] =
            ["server.py", "scenario", "run.json"].map(|it| folder.path(it));
        fs::write(&server, SERVER).unwrap();
        fs::write(
            &scenario,
            "client a\nconnect\nask ?\nclient b\nconnect\nask ?? 2\nanswer 2",
        )
        .unwrap();
        let recorded = run(&[
            "record",
            "--scenario",
            &scenario,
            "-o",
            &output,
            "--",
            "python3",
            &server,
            "{port}",
        ]);
        let errors = String::from_utf8_lossy(&recorded.stderr).into_owned();
        assert!(recorded.status.success(), "{errors}");
        let said = String::from_utf8_lossy(&recorded.stdout);
        assert!(said.starts_with("2 clients; 1 threads or processes"));
        assert_eq!(said.lines().count(), 1, "{said}");
        let it = Run::read(Path::new(&output)).unwrap();
        assert_eq!((it.unread, it.clients.len()), (0, 2));
        for (client, bytes) in it.clients.iter().zip([(1, 5), (4, 20)]) {
            assert_eq!(client.failure, None);
            let sum = |seen: Seen| -> usize {
                let views = client.views.iter().filter(|it| it.seen == seen);
                views.map(|it| it.bytes).sum()
            };
            assert_eq!((sum(Seen::Sent), sum(Seen::Received)), bytes);
        }
        for (client, bytes) in [(0, 1), (1, 4)] {
            let calls = it.tasks.iter().flat_map(|task| &task.calls);
            let recv = calls.filter(|it| it.kind == Kind::Recv);
            let recv = recv.filter(|it| it.client == Some(client));
            assert_eq!(recv.map(|it| it.result).sum::<i64>(), bytes);
        }
        assert!(it.slowdown.is_some_and(|it| it.answers == 5));
    }

    #[test]
    fn reports_a_client_without_an_answer() {
        if !is_there("strace", "true") || !is_there("python3", "--version") {
            println!("no strace that may trace, or no python3 here");
            return;
        }
        let folder = Folder::new("unanswered");
        let [server, scenario, output] =
            ["server.py", "scenario", "run.json"].map(|it| folder.path(it));
        fs::write(&server, SERVER).unwrap();
        // Without a question mark it is never answered.
        let text = "client a\nconnect\nsend x\nfinish\nanswer";
        fs::write(&scenario, text).unwrap();
        let recorded = run(&[
            "record",
            "--scenario",
            &scenario,
            "-o",
            &output,
            "--",
            "python3",
            &server,
            "{port}",
        ]);
        let said = String::from_utf8_lossy(&recorded.stdout);
        let last = said.lines().last().unwrap_or_default();
        assert_eq!(last, "client a: the server has closed");
        let it = Run::read(Path::new(&output)).unwrap();
        let views = it.clients[0].views.iter().map(|view| view.seen);
        let seen: Vec<_> = views.collect();
        assert!(seen.ends_with(&[
            Seen::Finished,
            Seen::EndOfFile,
            Seen::Failed
        ]));
        assert_eq!(it.slowdown, None);
    }

    #[test]
    fn a_killed_recording_leaves_no_server() {
        if !is_there("strace", "true") || !is_there("python3", "--version") {
            println!("no strace that may trace, or no python3 here");
            return;
        }
        let folder = Folder::new("killed");
        let [server, numbers, scenario, output] =
            ["server.py", "numbers", "scenario", "run.json"]
                .map(|it| folder.path(it));
        let tells = "import os, sys\nwith open(sys.argv[2], 'a') as file:\n    \
                     print(os.getpid(), file=file)\n";
        fs::write(&server, format!("{tells}{SERVER}")).unwrap();
        // The run without strace is short; then no client comes for a while.
        fs::write(&scenario, "client a\nconnect\nask ?\nwait 2000").unwrap();
        let mut command = Command::new(program!("zen-timeline"));
        command.args(["record", "--scenario", &scenario, "-o", &output, "--"]);
        command.args(["python3", &server, "{port}", &numbers]);
        let mut recorder = command.stdout(Stdio::null()).spawn().unwrap();
        let deadline = || Instant::now() + Duration::from_secs(15);
        let until = deadline();
        let traced = loop {
            let text = fs::read_to_string(&numbers).unwrap_or_default();
            let mut lines = text.split_inclusive('\n');
            if let Some(line) = lines.nth(1).filter(|it| it.ends_with('\n')) {
                break line.trim().to_string();
            }
            assert!(Instant::now() < until, "nothing was traced");
            std::thread::yield_now();
        };
        recorder.kill().and_then(|()| recorder.wait()).unwrap();
        let until = deadline();
        let lives = || {
            let stat = fs::read_to_string(format!("/proc/{traced}/stat"));
            stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        while lives() {
            assert!(Instant::now() < until, "{traced} lives on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn reports_a_missing_strace() {
        let output = Command::new(program!("zen-timeline"))
            .args(["record", "-o", "/dev/null", "--", "true"])
            .env("PATH", "")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("apt-get install strace"), "{errors}");
    }
}
