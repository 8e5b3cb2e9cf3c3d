//! Drives zen-live as its page does, over HTTP, without a browser;
//! `scripts/live` does it with one. What threads are in is only told on Linux.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests, beside them")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use zen_harness::process::{Process, wait_for};
use zen_harness::{proc, system, workspace};

/// It builds servers first, perhaps on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(300);

struct Live {
    process: Process,
    /// Such as `127.0.0.1:40123`.
    host: String,
    token: String,
}

impl Live {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(zen_harness::program!("zen-live"));
        command.args(arguments).arg("--no-open");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let process = Process::spawn(&mut command).unwrap();
        let line = process.output.first_line(PATIENCE).unwrap();
        let address = line.strip_prefix("zen-live at http://").unwrap();
        let (host, token) =
            address.trim_end_matches('/').split_once('/').unwrap();
        Self { process, host: host.into(), token: token.into() }
    }

    /// The status and the body of an answer.
    fn ask(&self, head: &str, more: &str, body: &str) -> (u16, String) {
        let mut sock = TcpStream::connect(&self.host).unwrap();
        sock.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        write!(
            sock,
            "{head} HTTP/1.1\r\nConnection: close\r\nContent-Length: \
             {length}\r\n{more}\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        sock.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.into())
    }

    fn own(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let head = format!("{method} /{}/{path}", self.token);
        self.ask(&head, &format!("Host: {}\r\n", self.host), body)
    }

    #[track_caller]
    fn say(&self, line: &str) {
        assert_eq!(
            self.own("POST", "do", line),
            (200, String::new()),
            "{line}"
        );
    }

    fn state(&self) -> Value {
        let (status, text) = self.own("GET", "state", "");
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Waits until the state is so, and fails with what it was last.
    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        let mut last = Value::Null;
        let seen = wait_for(Duration::from_secs(60), || {
            last = self.state();
            Ok::<_, ()>(is_so(&last).then_some(()))
        });
        assert!(seen.unwrap().is_some(), "{what}: {last:#}");
    }

    /// Waits until this part says something that begins so.
    #[track_caller]
    fn until_says(&self, part: &str, what: &str) {
        self.until(part, |state| says(state, part).starts_with(what));
    }
}

fn says<'a>(state: &'a Value, part: &str) -> &'a str {
    state[part]["says"].as_str().unwrap_or_default()
}

fn tasks<'a>(state: &'a Value, lane: &str) -> Vec<&'a Value> {
    let start = format!("lane/{lane}/task/");
    let all = state.as_object().unwrap().iter();
    all.filter(|it| it.0.starts_with(&start)).map(|it| it.1).collect()
}

#[test]
fn another_page_is_refused_whatever_it_knows() {
    let live = Live::start(&["single"]);
    let Live { host, token, .. } = &live;
    let own = format!("Host: {host}\r\n");
    let post = format!("POST /{token}/do");
    let get = format!("GET /{token}/state");
    assert_eq!(live.ask("GET /", &own, "").0, 403);
    assert_eq!(live.ask("GET /0123456789abcdef/state", &own, "").0, 403);
    for wrong in [
        format!("{own}Origin: http://evil.example\r\n"),
        format!("{own}Origin: null\r\n"),
        format!("{own}Origin: https://{host}\r\n"),
        "Host: evil.example\r\n".into(),
    ] {
        assert_eq!(live.ask(&post, &wrong, "a: connect").0, 403, "{wrong}");
        assert_eq!(live.ask(&get, &wrong, "").0, 403, "{wrong}");
    }
    let fine = format!("{own}Origin: http://{host}\r\n");
    assert_eq!(live.state()["lane/single/client/a"], Value::Null);
    assert_eq!(live.ask(&post, &fine, "a: connect").0, 200);
    live.until_says("lane/single/client/a", "accepted");
    let page = live.own("GET", "", "").1;
    assert!(page.contains("page.js") && !page.contains("://"), "{page}");
}

#[test]
fn each_architecture_waits_as_the_chapter_says() {
    let live = Live::start(&["single", "threaded", "legacy", "poll"]);
    for name in ["a", "b", "c", "d"] {
        live.say(&format!("{name}: connect"));
    }
    live.say("b: ask");
    live.until_says("lane/single/client/b", "in the accept queue, has asked");
    live.until("the one thread of zen-single is in recv, for a", |state| {
        let [only] = tasks(state, "single")[..] else { return false };
        only["state"] == "recv" && only["client"] == "a"
    });
    assert_eq!(live.state()["lane/single"]["queue"], 3);
    live.until_says("lane/threaded/client/d", "accepted");
    live.say("e: connect");
    live.say("e: ask");
    live.until_says("lane/threaded/client/e", "in the accept queue, has asked");
    live.until("zen-legacy has a thread for each", |state| {
        state["lane/legacy"]["threads"] == 6
    });
    live.say("poll/silent 50");
    live.until("zen-poll has accepted 50 silent ones", |state| {
        state["lane/poll"]["crowd"] == serde_json::json!([50, 0, 0])
    });
    live.until("its one thread is in the poller", |state| {
        let [only] = tasks(state, "poll")[..] else { return false };
        only["state"] == "poller"
    });
    live.say("a: leave");
    live.until_says("lane/single/client/b", "accepted, got 1 of 1 answers");
}

#[test]
fn a_server_that_is_stopped_answers_what_was_asked() {
    let live = Live::start(&["threaded", "poll"]);
    live.say("server: restart --think 300");
    live.say("a: connect");
    for lane in ["threaded", "poll"] {
        live.until_says(&format!("lane/{lane}/client/a"), "accepted, silent");
    }
    live.say("a: ask");
    live.say("server: signal TERM");
    for lane in ["threaded", "poll"] {
        let client = format!("lane/{lane}/client/a");
        let what = "end of file from the server, got 1 of 1 answers";
        live.until_says(&client, what);
        live.until("its status is 0", |state| {
            let ended = state[format!("lane/{lane}")]["ended"].as_str();
            ended.is_some_and(|it| it.starts_with("ended: exit status: 0"))
        });
    }
    live.say("server: restart");
    live.until("it is there again", |state| {
        state["lane/poll"]["ended"] == "" && tasks(state, "poll").len() == 1
    });
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let mut live = Live::start(&["single", "fork"]);
    live.say("silent 5");
    live.until("a process for each", |state| {
        state["lane/fork"]["processes"] == 6
    });
    let family = proc::family(live.process.id()).unwrap();
    // It, zen-single, zen-fork and five children.
    assert_eq!(family.len(), 8);
    live.process.signal(system::SIGINT).unwrap();
    let status = live.process.wait(Duration::from_secs(30)).unwrap();
    assert_eq!(status.map(|it| it.code()), Some(Some(0)));
    let mark = |it: &u32| std::fs::read(format!("/proc/{it}/cmdline"));
    let left = |it: &&u32| mark(it).is_ok_and(|text| !text.is_empty());
    let left: Vec<_> = family.iter().filter(left).collect();
    assert_eq!(left, Vec::<&u32>::new());
}

#[test]
fn what_would_be_too_much_is_refused() {
    let live = Live::start(&["single"]);
    let refused = |line: &str| live.own("POST", "do", line).0 == 400;
    assert!(refused("silent 2001"));
    assert!(refused("a: sing"));
    assert!(refused("poll/a: connect"), "there is no lane `poll`");
    assert!(refused("lesson nothing"));
    let long = "a".repeat(2000);
    assert_eq!(live.own("POST", "do", &long).0, 413);
    live.say("silent 1940");
    for number in 0..60 {
        live.say(&format!("c{number}: connect"));
    }
    assert!(refused("x: connect"));
    live.say("dismiss");
    live.say("x: connect");
}

#[test]
fn any_command_can_be_a_lane_and_take_part_in_a_lesson() {
    let folder = zen_harness::folder!();
    let programs = workspace::build(&folder, &["zen-single"], "dev", None);
    let program = programs.unwrap()["zen-single"].display().to_string();
    let also = format!("mine='{program}' -p {{port}} -q");
    let live = Live::start(&["--also", &also, "--lesson", "one-silent"]);
    let state = live.state();
    let lanes = serde_json::json!(["single", "poll", "mine"]);
    assert_eq!(state["stage"]["lanes"], lanes);
    assert_eq!(state["lesson"]["step"], 1);
    live.say("next");
    live.until_says("lane/mine/client/b", "in the accept queue, has asked");
    assert_eq!(live.state()["lesson"]["step"], 2);
    live.say("lesson");
    live.until("all lanes are there", |state| {
        state["lesson"].is_null() && state["lane/fork"].is_object()
    });
}

#[test]
fn a_page_gets_everything_once_and_then_what_has_changed() {
    let live = Live::start(&["single", "poll"]);
    live.state();
    let sock = TcpStream::connect(&live.host).unwrap();
    sock.set_read_timeout(Some(PATIENCE)).unwrap();
    let Live { host, token, .. } = &live;
    write!(&sock, "GET /{token}/events HTTP/1.1\r\nHost: {host}\r\n\r\n")
        .unwrap();
    let mut lines = BufReader::new(sock).lines().map(Result::unwrap);
    let mut next = || -> Value {
        let data =
            lines.find_map(|it| it.strip_prefix("data: ").map(String::from));
        serde_json::from_str(&data.unwrap()).unwrap()
    };
    let first = next();
    assert!(first["all"] == true && first["set"]["stage"].is_object());
    live.say("poll/a: connect");
    let change = loop {
        let message = next();
        assert_eq!(message["all"], false);
        if message["set"]["lane/poll/client/a"].is_object() {
            break message;
        }
    };
    // Numbers may change at any time, but no thread of the other lane did.
    let keys = change["set"].as_object().unwrap().keys();
    let others = keys.filter(|it| it.starts_with("lane/single/task"));
    assert_eq!(others.count(), 0, "{change}");
}

#[test]
fn a_wrong_command_line_is_explained() {
    for (arguments, what) in [
        (&["--lesson", "nothing"][..], "one-silent, fifth-client"),
        (&["nothing"], "no listing zen-nothing"),
        (&["--also", "no-port"], "not a small NAME="),
        (&["--also", "poll=x {port}"], "there is a lane of this name"),
    ] {
        let mut command = Command::new(zen_harness::program!("zen-live"));
        command.args(arguments).arg("--no-open");
        let ended = zen_harness::process::run(&mut command, PATIENCE).unwrap();
        assert_eq!(ended.status.and_then(|it| it.code()), Some(2));
        let errors = ended.errors.join("\n");
        assert!(errors.contains(what), "{errors}");
    }
}
