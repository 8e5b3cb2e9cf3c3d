//! The pictures in the book are drawn from the committed data.

use std::fs;
use std::path::PathBuf;

use zen_timeline::gallery::{drawn, exhibits, recorded, table};
use zen_timeline::run::{Kind, Seen};

fn book() -> PathBuf {
    zen_harness::folder!().join("../../../book")
}

#[test]
fn every_figure_is_drawn_from_its_data() {
    for exhibit in exhibits().unwrap() {
        let run = recorded(&book(), &exhibit.name).unwrap();
        assert_eq!(run.name, exhibit.name);
        for (path, text) in drawn(&book(), &run) {
            let committed = fs::read_to_string(&path).unwrap();
            // assert_eq would print both files.
            assert!(
                committed.replace("\r\n", "\n") == text,
                "{}: scripts/pictures --redraw",
                path.display()
            );
        }
    }
    let committed = book().join("data/timeline/table.md");
    let committed = fs::read_to_string(committed).unwrap();
    assert_eq!(committed.replace("\r\n", "\n"), table(&book()).unwrap());
}

/// Each run is complete: every client finished its script, and every question
/// was answered.
#[test]
fn every_run_is_complete() {
    for exhibit in exhibits().unwrap() {
        let run = recorded(&book(), &exhibit.name).unwrap();
        assert_eq!(run.unread, 0, "{}", run.name);
        for client in &run.clients {
            assert_eq!(client.failure, None, "{}", run.name);
            let whole = |seen: Seen| -> usize {
                let views = client.views.iter().filter(|it| it.seen == seen);
                views.map(|it| it.whole).sum()
            };
            assert_eq!(whole(Seen::Sent), whole(Seen::Received));
        }
        assert!(run.tasks.iter().all(|task| task.died.is_some()));
        let calls = || run.tasks.iter().flat_map(|task| &task.calls);
        let rings = calls().any(|it| it.kind == Kind::Ring);
        assert_eq!(rings, run.name == "zen-uring");
        // The server received everything that hurry sent, in whichever task.
        let received = calls().filter(|it| {
            it.kind == Kind::Recv && it.client == Some(2) && it.result > 0
        });
        let received: i64 = received.map(|it| it.result).sum();
        let sent = run.clients[2].views.iter();
        let sent = sent.filter(|it| it.seen == Seen::Sent);
        let sent: usize = sent.map(|it| it.bytes).sum();
        let expected = if rings { 0 } else { sent as i64 };
        assert_eq!(received, expected, "{}", run.name);
    }
}
