//! The reader of strace's output, tested on traces of real servers.

use std::fs;

use zen_timeline::build::build;
use zen_timeline::run::{Call, Client, Kind, Run, Task};

fn trace(name: &str) -> String {
    let folder = zen_harness::folder!().join("tests/traces");
    let path = folder.join(format!("{name}.strace"));
    fs::read_to_string(path).expect("it was recorded")
}

/// Two clients with these ports: one asks and leaves; the other asks in two
/// pieces and leaves later. Checks that every line was read.
pub(crate) fn recorded(name: &str, ports: [u16; 2], epoch: i64) -> Run {
    let text = trace(name);
    let client = |(name, port): (&str, u16)| Client {
        name: name.into(),
        port,
        ..Client::default()
    };
    let clients: Vec<_> =
        ["whole", "pieces"].into_iter().zip(ports).map(client).collect();
    let (tasks, unread) = build(text.lines(), epoch, &clients);
    assert_eq!(unread, 0, "{name}");
    Run { name: name.into(), clients, tasks, end: 200_000, ..Run::default() }
}

pub(crate) fn poll() -> Run {
    recorded("poll", [48726, 48742], 1_795_771_112_917_316)
}

pub(crate) fn threaded() -> Run {
    recorded("threaded", [36120, 36130], 1_795_771_114_678_954)
}

pub(crate) fn fork() -> Run {
    recorded("fork", [58958, 58968], 1_795_771_116_174_996)
}

/// The bytes received from a client, and those sent to it.
fn bytes(tasks: &[Task], client: u16) -> (i64, i64) {
    let sum = |kind: Kind| -> i64 {
        let calls = tasks.iter().flat_map(|task| &task.calls);
        let calls = calls.filter(|it| it.kind == kind && it.result > 0);
        let calls = calls.filter(|it| it.client == Some(client));
        calls.map(|it| it.result).sum()
    };
    (sum(Kind::Recv), sum(Kind::Send))
}

fn calls(task: &Task, kind: Kind) -> Vec<Call> {
    task.calls.iter().filter(|it| it.kind == kind).copied().collect()
}

#[track_caller]
fn one_after_the_other(run: &Run) {
    for task in &run.tasks {
        let mut over = i64::MIN;
        for call in &task.calls {
            assert!(call.at >= over, "{call:?} begins before {over}");
            assert!(call.took >= 0, "{call:?}");
            over = call.end();
        }
        assert!(task.died.is_none_or(|died| died >= over), "{task:?}");
    }
}

#[test]
fn a_loop_waits_in_its_poller_and_serves_both() {
    let run = poll();
    one_after_the_other(&run);
    let [task] = &run.tasks[..] else { panic!("{:?}", run.tasks) };
    assert_eq!(bytes(&run.tasks, 0), (25, 5));
    assert_eq!(bytes(&run.tasks, 1), (22, 8));
    let accepted = calls(task, Kind::Accept);
    let accepted: Vec<_> = accepted.iter().filter_map(|it| it.client).collect();
    assert_eq!(accepted, [0, 1]);
    assert_eq!(calls(task, Kind::Close).len(), 2);
    // It blocks nowhere else, and it waits for about 20 ms between the ends of
    // the two clients.
    assert!(calls(task, Kind::Poll).iter().any(|it| it.took > 15_000));
    let blocks = |it: &&Call| it.kind != Kind::Poll && it.took > 15_000;
    assert_eq!(task.calls.iter().find(blocks), None);
    assert_eq!(task.death, "exited with 0");
    assert!(task.signals.iter().any(|(_, it)| it == "SIGTERM"));
}

#[test]
fn threads_wait_in_accept_and_in_recv() {
    let run = threaded();
    one_after_the_other(&run);
    // The trace starts too late to show which task started another.
    assert_eq!(run.tasks.len(), 4);
    assert_eq!(bytes(&run.tasks, 0), (25, 5));
    assert_eq!(bytes(&run.tasks, 1), (22, 8));
    // One thread served each client, from beginning to end.
    for client in [0, 1] {
        let of_client =
            |it: &&Call| it.client == Some(client) && it.result >= 0;
        let serve = |it: &&Task| it.calls.iter().any(|call| of_client(&call));
        assert_eq!(run.tasks.iter().filter(serve).count(), 1);
    }
    // A call that the end of its process cuts short lasts until that moment.
    for task in &run.tasks {
        let accept = calls(task, Kind::Accept);
        assert!(!accept.is_empty(), "{task:?}");
        assert!(task.died.is_some(), "{task:?}");
    }
}

#[test]
fn processes_are_born_and_die() {
    let run = fork();
    one_after_the_other(&run);
    let [parent, first, second] = &run.tasks[..] else {
        panic!("{:?}", run.tasks)
    };
    for (client, child) in [(0, first), (1, second)] {
        assert_eq!((child.parent, child.process), (parent.id, child.id));
        assert!(child.born >= parent.born);
        let served = child.calls.iter().filter_map(|it| it.client);
        let mut served: Vec<_> = served.filter(|it| *it == client).collect();
        served.dedup();
        assert_eq!(served, [client]);
        assert_eq!(child.death, "exited with 0");
        assert!(child.died < parent.died);
    }
    assert_eq!(bytes(&run.tasks, 0), (25, 5));
    assert_eq!(bytes(&run.tasks, 1), (22, 8));
    let children = parent.signals.iter().filter(|(_, it)| it == "SIGCHLD");
    assert_eq!(children.count(), 2);
}

#[test]
fn a_ring_hides_what_it_moves() {
    let run = recorded("uring", [49426, 49432], 1_795_771_117_209_511);
    one_after_the_other(&run);
    assert_eq!(bytes(&run.tasks, 0), (0, 0));
    let ring = calls(&run.tasks[0], Kind::Ring);
    assert!(ring.iter().any(|it| it.took > 20_000), "{ring:?}");
    // strace knows the client of a socket when it is closed.
    let closed = calls(&run.tasks[0], Kind::Close);
    let closed: Vec<_> = closed.iter().map(|it| it.client).collect();
    assert_eq!(closed, [Some(0), Some(1)]);
}

#[test]
fn a_server_in_python_is_read_as_well() {
    let run = recorded("python", [50026, 50042], 1_795_771_172_007_149);
    one_after_the_other(&run);
    let [main, first, second] = &run.tasks[..] else {
        panic!("{:?}", run.tasks)
    };
    for thread in [first, second] {
        assert_eq!((thread.parent, thread.process), (main.id, main.id));
        assert_eq!(thread.death, "exited with 0");
    }
    assert_eq!(bytes(&run.tasks, 0), (25, 5));
    assert_eq!(bytes(&run.tasks, 1), (22, 5));
    // The lock of its interpreter.
    assert!(!calls(first, Kind::Futex).is_empty());
    assert_eq!(main.death, "killed by SIGTERM");
    let last = main.calls.last().unwrap();
    assert_eq!((last.kind, last.result), (Kind::Accept, -4));
}

#[test]
fn a_stopped_sleeper_goes_on_where_it_was() {
    let run = recorded("restart", [1, 2], 1_795_771_169_765_501);
    one_after_the_other(&run);
    let [task] = &run.tasks[..] else { panic!("{:?}", run.tasks) };
    let kinds: Vec<_> = task.calls.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Kind::Sleep, Kind::Other, Kind::Sleep]);
    // It was stopped from the first signal to the second.
    assert_eq!(task.calls[1].at, 1_795_771_170_255_337 - 1_795_771_169_765_501);
    assert_eq!(task.calls[1].took, 341_322 - 255_337);
    let signals: Vec<_> = task.signals.iter().map(|(_, it)| &**it).collect();
    assert_eq!(signals, ["SIGSTOP", "SIGCONT"]);
}

#[test]
fn a_child_seen_before_its_parents_call_returns_has_its_parent() {
    let run = recorded("vfork", [1, 2], 1_795_771_170_977_151);
    one_after_the_other(&run);
    let [main, thread, child] = &run.tasks[..] else {
        panic!("{:?}", run.tasks)
    };
    assert_eq!((thread.parent, thread.process), (main.id, main.id));
    assert_eq!((child.parent, child.process), (main.id, child.id));
    // Its parent called vfork() at that time.
    assert_eq!(child.born, 978_179 - 977_151);
    assert_eq!(child.death, "exited with 0");
    let waits = calls(thread, Kind::Sleep);
    assert_eq!((waits.len(), waits[0].took), (1, 99_713));
}

#[test]
fn two_lines_say_how_long_a_call_took_without_a_third_column() {
    let text = trace("threaded");
    let bare = text.lines().map(|line| match line.rsplit_once(" <0.") {
        Some((before, _)) => before,
        None => line,
    });
    let (tasks, unread) = build(bare, 1_795_771_114_678_954, &[]);
    assert_eq!(unread, 0);
    let mut long = 0;
    for (bare, timed) in tasks.iter().zip(&threaded().tasks) {
        let waits = calls(timed, Kind::Accept).into_iter();
        for call in waits.filter(|call| call.took > 5_000) {
            let accept = calls(bare, Kind::Accept);
            let same = accept.iter().find(|it| it.at == call.at);
            let took = same.expect("the same call").took;
            assert!((took - call.took).abs() < 5_000, "{took} {call:?}");
            long += 1;
        }
    }
    assert!(long > 0);
}

#[test]
fn a_trace_may_end_anywhere() {
    for name in ["poll", "threaded", "fork", "uring", "python", "vfork"] {
        let text = trace(name);
        let clients = [Client { port: 1, ..Client::default() }];
        for end in (0..text.len()).step_by(61) {
            let cut = text.get(..end).unwrap_or_default();
            let (tasks, unread) = build(cut.lines(), 0, &clients);
            assert!(unread <= 1, "{name} {end}");
            let run = Run { tasks, ..Run::default() };
            one_after_the_other(&run);
        }
    }
}

/// Lines of a real trace, with pieces of them moved elsewhere.
#[test]
fn no_input_makes_it_panic() {
    let mut pieces: Vec<String> = Vec::new();
    for name in ["threaded", "fork", "restart", "python"] {
        let text = trace(name);
        pieces.extend(text.split_inclusive([' ', '(', '\n']).map(String::from));
    }
    pieces.extend(
        ["9223372036854775807", "-1", "<", "\u{e4}", "= ", ") = ", "\"", "0"]
            .map(String::from),
    );
    let clients = [Client { port: 36120, ..Client::default() }];
    arbtest::arbtest(|u| {
        let mut text = String::new();
        for _ in 0..u.int_in_range(0..=60)? {
            text += u.choose(&pieces)?;
            if u.ratio(1, 20)? {
                text += u.arbitrary()?;
            }
            if u.ratio(1, 8)? {
                text.push('\n');
            }
        }
        let epoch = u.arbitrary()?;
        let (tasks, _) = build(text.lines(), epoch, &clients);
        let end = i64::from(u.arbitrary::<u32>()?);
        let run =
            Run { tasks, end, clients: clients.to_vec(), ..Run::default() };
        assert!(zen_timeline::html::page(&run).ends_with("</html>\n"));
        let trace = zen_timeline::perfetto::trace(&run);
        assert!(serde_json::from_str::<serde_json::Value>(&trace).is_ok());
        Ok(())
    })
    .budget_ms(3_000);
}
