//! Pictures, steps and traces of recorded runs and of generated ones.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use zen_timeline::lane::{Detail, Lane, Span, State};
use zen_timeline::picture::Picture;
use zen_timeline::run::{
    Call, Client, FORMAT, Kind, Run, Seen, Slowdown, Task, View,
};
use zen_timeline::steps::{STEPS_MAX, tell};
use zen_timeline::story::Story;
use zen_timeline::{html, perfetto, svg};

use crate::reader;

/// A thread that serves a client in a hurry, and another client accepted late.
fn small() -> Run {
    let call = |at, took, kind, client, result| Call {
        at,
        took,
        kind,
        client,
        result,
    };
    let view = |at, seen, bytes, whole| View { at, seen, bytes, whole };
    let first = Client {
        name: "a<b".into(),
        port: 1,
        failure: None,
        views: vec![
            view(1_000, Seen::Connects, 0, 0),
            view(1_100, Seen::Connected, 0, 0),
            view(2_000, Seen::Sent, 25, 1),
            view(5_000, Seen::Received, 5, 1),
            view(60_000, Seen::Left, 0, 0),
        ],
    };
    let second = Client {
        name: "second".into(),
        port: 2,
        failure: None,
        views: vec![
            view(10_000, Seen::Connects, 0, 0),
            view(10_100, Seen::Connected, 0, 0),
            view(20_000, Seen::Sent, 25, 1),
            view(80_000, Seen::Received, 5, 1),
            view(90_000, Seen::Left, 0, 0),
        ],
    };
    let calls = vec![
        call(-5_000, 6_500, Kind::Accept, Some(0), 4),
        call(2_500, 500, Kind::Recv, Some(0), 25),
        call(4_000, 100, Kind::Send, Some(0), 5),
        call(4_200, 56_000, Kind::Recv, Some(0), 0),
        call(60_300, 100, Kind::Close, Some(0), 0),
        call(61_000, 100, Kind::Accept, Some(1), 4),
        call(70_000, 100, Kind::Recv, Some(1), 25),
        call(79_000, 100, Kind::Send, Some(1), 5),
        call(79_300, 11_000, Kind::Recv, Some(1), 0),
        call(90_400, 100, Kind::Close, Some(1), 0),
    ];
    let main = Task {
        id: 1,
        process: 1,
        born: -50_000,
        died: Some(91_000),
        death: "exited with 0".into(),
        calls,
        ..Task::default()
    };
    let thread =
        Task { id: 2, process: 1, parent: 1, born: 30_000, ..Task::default() };
    Run {
        format: FORMAT,
        name: "small & \"quoted\"".into(),
        scenario: "Two".into(),
        end: 90_000,
        slowdown: Some(Slowdown {
            untraced: 50,
            traced: 400,
            answers: 2,
            untraced_end: 80_000,
        }),
        clients: vec![first, second],
        tasks: vec![main, thread],
        ..Run::default()
    }
}

#[test]
fn a_lane_is_covered_from_birth_to_death() {
    for run in [small(), reader::threaded(), reader::fork()] {
        let picture = Picture::new(&run, Detail::ZOOM);
        for lane in &picture.lanes[picture.clients..] {
            let mut at = lane.life.0.max(picture.time.0);
            for span in &lane.spans {
                assert_eq!(span.time.0, at, "{}", lane.label);
                at = span.time.1;
            }
            assert_eq!(at, lane.life.1.min(picture.time.1), "{}", lane.label);
        }
    }
}

#[test]
fn each_state_lasts_as_long_as_its_calls() {
    let picture = Picture::new(&small(), Detail::ZOOM);
    let [first, second, main, thread] = &picture.lanes[..] else {
        panic!("{picture:?}")
    };
    assert_eq!(main.time_in(State::Recv), 500 + 56_000 + 100 + 11_000);
    // Includes the time before the clients, from the edge of the picture.
    assert_eq!(main.time_in(State::Accept), 1_500 + 1_800 + 100);
    assert_eq!(main.time_in(State::Send), 200);
    assert_eq!(first.time_in(State::Asked), 3_000);
    assert_eq!(second.time_in(State::Asked), 60_000);
    // No thread accepted it before the first client had left.
    assert_eq!(second.queued, Some((10_100, 61_100)));
    assert_eq!(thread.parent, Some(2));
    let arrives = |lane: &Lane| -> Vec<_> {
        let marks = lane.marks.iter().filter(|it| it.arrives);
        marks.map(|it| (it.client, it.bytes)).collect()
    };
    assert_eq!(arrives(main), [(0, 25), (1, 25)]);
    assert_eq!(arrives(second), [(1, 5)]);
}

#[test]
fn merging_keeps_what_takes_the_time() {
    let detail = Detail { cells: 100, ..Detail::ZOOM };
    let picture = Picture::new(&small(), detail);
    let main = &picture.lanes[2];
    let exact =
        Picture::new(&small(), Detail::ZOOM).lanes[2].time_in(State::Recv);
    let merged = main.time_in(State::Recv);
    assert!((exact - merged).abs() < 8 * picture.cell, "{merged} {exact}");
    // A state that is too short to be seen is not there.
    assert_eq!(main.time_in(State::Send), 0);
    let whole: i64 = main.spans.iter().map(Span::length).sum();
    assert_eq!(whole, 91_000 - picture.time.0);
}

#[test]
fn a_picture_is_xml_with_titles_and_valid_references() {
    for run in [small(), reader::poll(), reader::fork()] {
        let picture = Picture::new(&run, Detail::FIGURE);
        let text = svg::draw(&picture, &run, &run.name);
        assert!(text.lines().all(|line| !line.trim().is_empty()));
        let document = roxmltree::Document::parse(&text).expect("XML");
        let root = document.root_element();
        assert_eq!(root.attribute("role"), Some("img"));
        let ids: HashSet<_> = document
            .descendants()
            .filter_map(|it| it.attribute("id"))
            .collect();
        let labels = root.attribute("aria-labelledby").unwrap();
        for label in labels.split(' ') {
            assert!(ids.contains(label), "{label}");
        }
        for it in document.descendants() {
            let href = it.attribute("href").and_then(|it| it.strip_prefix('#'));
            let fill = it
                .attribute("fill")
                .and_then(|it| it.strip_prefix("url(#")?.strip_suffix(')'));
            for id in [href, fill].into_iter().flatten() {
                assert!(ids.contains(id), "{id}");
            }
        }
        let lane = |it: &roxmltree::Node| it.attribute("data-lane").is_some();
        assert_eq!(
            document.descendants().filter(lane).count(),
            picture.lanes.len()
        );
    }
}

/// What a row shows after a step.
fn row_after(story: &Story, row: &str, at: i64) -> String {
    let row = story.rows.iter().position(|it| it == row).expect("a row");
    let mut text = 0;
    for step in story.steps.iter().take_while(|step| step.at <= at) {
        for (changed, to) in &step.changes {
            if *changed == row {
                text = *to;
            }
        }
    }
    story.texts[text].clone()
}

#[test]
fn steps_say_who_waits_for_what() {
    let story = tell(&small());
    let queue = "queue of the listener (inferred)";
    let second = "client \u{201c}second\u{201d}";
    let main = "main thread";
    let at = |row: &str, at| row_after(&story, row, at);
    assert_eq!(at(main, 0), "waiting in accept");
    assert_eq!(at(main, 1_500), "working for a<b");
    assert_eq!(at(main, 5_000), "waiting in recv for a<b");
    assert_eq!(at(main, 91_000), "has ended");
    assert_eq!(at(queue, 5_000), "empty");
    assert_eq!(at(queue, 15_000), "1: second");
    assert_eq!(at(queue, 62_000), "empty");
    assert_eq!(at(second, 0), "not there yet");
    assert_eq!(at(second, 15_000), "asks nothing");
    assert_eq!(at(second, 30_000), "waits for an answer since 20.0 ms");
    assert_eq!(at(second, 80_000), "asks nothing");
    assert_eq!(at(second, 90_000), "has left");
    // The rows of the sockets follow those of their clients.
    let row = story.rows.iter().position(|it| it == second).unwrap() + 1;
    let mut texts = Vec::new();
    for step in &story.steps {
        let changes = step.changes.iter().filter(|(it, _)| *it == row);
        texts.extend(changes.map(|(_, text)| &*story.texts[*text]));
    }
    assert_eq!(
        texts,
        [
            "in the queue",
            "in the queue; 25 bytes to be read (inferred)",
            "open; 25 bytes to be read (inferred)",
            "open",
            "open; 5 bytes on their way (inferred)",
            "open",
            "open; its client has gone",
            "closed",
        ]
    );
    let says: Vec<_> = story.steps.iter().map(|it| &*it.says).collect();
    assert!(says.contains(&"main thread accepts second"), "{says:?}");
    assert!(says.contains(&"main thread receives 25 bytes from second"));
    assert!(says.contains(&"main thread reads the end of a<b"));
}

#[test]
fn a_socket_is_open_while_any_process_has_it() {
    let mut run = reader::fork();
    let view = |at, seen| View { at, seen, bytes: 0, whole: 0 };
    run.clients[0].views = vec![view(0, Seen::Connected)];
    let story = tell(&run);
    let row = story.rows.iter().position(|it| it.ends_with("whole\u{201d}"));
    let row = row.unwrap() + 1;
    let mut was = Vec::new();
    for step in &story.steps {
        let changes = step.changes.iter().filter(|(it, _)| *it == row);
        was.extend(changes.map(|(_, to)| (step.at, &*story.texts[*to])));
    }
    let closes = |task: usize| {
        let calls = &run.tasks[task].calls;
        let mut calls = calls.iter().filter(|it| it.client == Some(0));
        calls.find(|it| it.kind == Kind::Close).unwrap().end()
    };
    // The second child closes what it has inherited, the first goes on, and the
    // parent closes its copy last.
    assert!(closes(2) < closes(1) && closes(1) < closes(0));
    let closed: Vec<_> =
        was.iter().filter(|(_, text)| text.starts_with("closed")).collect();
    let [(at, _)] = closed[..] else { panic!("{was:?}") };
    assert_eq!(*at, closes(0));
}

#[test]
fn a_page_is_one_file_and_complete_without_its_script() {
    let page = html::page(&small());
    for outside in ["src=", "url(h", "@import", "https:"] {
        assert!(!page.contains(outside), "{outside}");
    }
    // Every address is the name of an XML standard, or of a part of the page.
    for (at, _) in page.match_indices("http:") {
        assert!(page[at..].starts_with("http://www.w3.org/2000/svg\""));
    }
    assert!(page.contains("main thread receives 25 bytes from a&lt;b"));
    assert!(page.contains("8.0 times as long"));
    assert!(page.contains("waiting in recv"));
    let fragment = html::fragment(&small(), "x", Detail::FIGURE);
    assert!(fragment.starts_with("<div "));
    assert!(fragment.lines().all(|line| !line.trim().is_empty()));
}

/// Checks each event against Chrome's format. Of two slices of a thread that
/// overlap, one must lie within the other.
fn valid_events(trace: &str) -> usize {
    let trace: Value = serde_json::from_str(trace).expect("a valid trace");
    assert_eq!(trace["displayTimeUnit"], "ms");
    let events = trace["traceEvents"].as_array().expect("a valid trace");
    let mut slices: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
    let mut named = HashSet::new();
    for event in events {
        let keys = event.as_object().expect("a valid trace");
        let place = (
            event["pid"].as_u64().expect("a valid trace"),
            event["tid"].as_u64().expect("a valid trace"),
        );
        assert!(event["name"].as_str().is_some_and(|it| !it.is_empty()));
        let known: &[&str] = match event["ph"].as_str().expect("a valid trace")
        {
            "M" => {
                assert!(event["args"]["name"].is_string(), "{event}");
                if event["name"] == "thread_name" {
                    named.insert(place);
                }
                &["ph", "name", "pid", "tid", "args"]
            }
            "i" => {
                assert_eq!(event["s"], "t");
                event["ts"].as_u64().expect("a valid trace");
                &["ph", "s", "cat", "name", "pid", "tid", "ts"]
            }
            "X" => {
                let at = event["ts"].as_u64().expect("a valid trace");
                let end = at + event["dur"].as_u64().expect("a valid trace");
                slices.entry(place).or_default().push((at, end));
                &["ph", "cat", "name", "pid", "tid", "ts", "dur", "args"]
            }
            other => panic!("{other}"),
        };
        assert!(keys.keys().all(|key| known.contains(&&**key)), "{event}");
        assert!(event["ph"] == "M" || named.contains(&place), "{event}");
    }
    for slices in slices.values_mut() {
        slices.sort_by_key(|(at, end)| (*at, u64::MAX - end));
        let mut open: Vec<u64> = Vec::new();
        for (at, end) in slices.iter() {
            open.retain(|outer| outer > at);
            assert!(open.iter().all(|outer| end <= outer), "{at} {end}");
            open.push(*end);
        }
    }
    slices.values().map(Vec::len).sum()
}

#[test]
fn a_chrome_trace_keeps_the_format() {
    // Ten calls, and each client waited once.
    assert_eq!(valid_events(&perfetto::trace(&small())), 12);
    // No thread does this, but a file may contain it.
    let mut overlapping = small();
    overlapping.tasks[0].calls[1].took = 1_550;
    assert_eq!(valid_events(&perfetto::trace(&overlapping)), 12);
    for run in [reader::poll(), reader::threaded(), reader::fork()] {
        let calls: usize = run.tasks.iter().map(|it| it.calls.len()).sum();
        assert_eq!(valid_events(&perfetto::trace(&run)), calls);
    }
}

/// A minute with eight threads, a million calls in all, and eight clients.
fn million() -> Run {
    let kinds = [Kind::Recv, Kind::Send, Kind::Futex, Kind::Poll];
    let task = |id: u32| Task {
        id,
        process: 1,
        parent: u32::from(id > 1),
        born: i64::from(id),
        calls: (0..125_000)
            .map(|n| Call {
                at: n * 480 + 10 * i64::from(id),
                // Different lengths, so that no two neighbours are alike.
                took: 20 + (n * 7919 + i64::from(id)) % 440,
                kind: kinds[(n as usize * 31 + n as usize / 7) % 4],
                client: Some(((n / 5) % 8) as u16),
                result: 25,
            })
            .collect(),
        ..Task::default()
    };
    let client = |id: usize| Client {
        name: format!("client {id}"),
        port: id as u16,
        failure: None,
        views: (0..5_000)
            .map(|n| View {
                at: n * 12_000 + id as i64,
                seen: if n % 2 == 0 { Seen::Sent } else { Seen::Received },
                bytes: 25,
                whole: 1,
            })
            .collect(),
    };
    Run {
        format: FORMAT,
        name: "million".into(),
        end: 60_000_000,
        tasks: (1..=8).map(task).collect(),
        clients: (1..=8).map(client).collect(),
        ..Run::default()
    }
}

#[test]
fn a_million_events_stay_below_five_mebibytes() {
    let run = million();
    let calls: usize = run.tasks.iter().map(|it| it.calls.len()).sum();
    assert_eq!(calls, 1_000_000);
    let page = html::page(&run);
    assert!(page.len() < 5 << 20, "{} bytes", page.len());
    let picture = Picture::new(&run, Detail::ZOOM);
    let spans = picture.lanes.iter().map(|it| it.spans.len());
    assert!(spans.sum::<usize>() <= Detail::ZOOM.spans_max);
    let marks = picture.lanes.iter().map(|it| it.marks.len());
    assert!(marks.sum::<usize>() <= Detail::ZOOM.marks_max);
    // No byte is lost.
    let bytes = |arrives: bool| -> u64 {
        let lanes = &picture.lanes[picture.clients..];
        let marks = lanes.iter().flat_map(|lane| &lane.marks);
        let marks = marks.filter(|it| it.arrives == arrives);
        marks.map(|it| it.bytes).sum()
    };
    let of = |kind: Kind| {
        let calls = run.tasks.iter().flat_map(|task| &task.calls);
        25 * calls.filter(|it| it.kind == kind).count() as u64
    };
    assert_eq!((bytes(true), bytes(false)), (of(Kind::Recv), of(Kind::Send)));
    // The beginning is a step too.
    assert!(page.matches("<li ").count() <= STEPS_MAX + 1);
}
