//! An exercise of the book, from its start until its files are put back.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use zen_harness::process::Process;

use crate::{folder, homework, succeeds};

const TIME_MAX: Duration = Duration::from_secs(60);

const MANIFEST: &str = "[package]\nname = \"wrong\"\nedition = \"2024\"\n\
    [workspace]\n[lib]\npath = \"lib.rs\"\n";

const CLAIMS: &str = "files = [\"one/\"]\n[[claim]]\nrun = \"cargo \
    read-manifest --manifest-path one/Cargo.toml\"\n\
    prints = ['\"name\":\"right\"']\n";

#[test]
fn an_exercise_is_done_when_its_claims_hold_and_can_be_undone() {
    let root = folder("exercise");
    let solutions = root.join("book/solutions/page");
    for folder in [&root.join("crates/homework"), &solutions, &root.join("one")]
    {
        fs::create_dir_all(folder).unwrap();
    }
    let manifest = root.join("one/Cargo.toml");
    fs::write(&manifest, MANIFEST).unwrap();
    fs::write(root.join("one/lib.rs"), "").unwrap();
    for number in [1, 2] {
        fs::write(solutions.join(format!("{number}.toml")), CLAIMS).unwrap();
    }
    let with_server = "[[claim]]\nrun = \"cargo read-manifest\"\n\
        server = \"{zen-none} -v\"\nstatus = 3\n\
        fails = [\"a_test\"]\n";
    fs::write(solutions.join("4.toml"), with_server).unwrap();
    let fails = |words: &[&str], status: i32, what: &str| {
        let output = homework(&root, words);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(what), "{said}");
    };
    fails(&["exercise", "page", "3"], 2, "exercise 3 of page is not checked");
    fails(&["exercise", "page", "1", "--once"], 1, "not printed: \"name\"");

    let with_all = "not yet  cargo read-manifest, which ends with exit \
        status 3, where this fails: a_test, while this runs: {zen-none} -v";
    fails(&["exercise", "page", "4", "--once"], 1, with_all);

    let mut command = Command::new(zen_harness::program!("zen-homework"));
    command.arg("--root").arg(&root).args(["exercise", "page", "1"]);
    let mut watching = Process::start(&mut command).unwrap();
    let until = Instant::now() + TIME_MAX;
    while !watching.output.lines().iter().any(|it| it.starts_with("Waiting")) {
        assert!(Instant::now() < until, "{:?}", watching.output.lines());
        std::thread::yield_now();
    }
    fs::write(&manifest, MANIFEST.replace("wrong", "right")).unwrap();
    fs::write(root.join("one/new.rs"), "").unwrap();
    let status = watching.wait(TIME_MAX).unwrap();
    assert!(status.is_some_and(|it| it.success()), "{status:?}");
    succeeds(&homework(&root, &["exercise", "page", "1", "--once"]));

    fails(&["exercise", "page", "2"], 2, "exercise page 1 --undo");
    let said = succeeds(&homework(&root, &["exercise", "page", "1", "--undo"]));
    assert!(said.contains("The files are back"), "{said}");
    assert_eq!(fs::read_to_string(&manifest).unwrap(), MANIFEST);
    assert!(!root.join("one/new.rs").exists());
    let mine = root.join(".exercises/page-1/mine-1/one");
    let kept = fs::read_to_string(mine.join("Cargo.toml")).unwrap();
    assert!(kept.contains("right") && mine.join("new.rs").is_file());
    fails(&["exercise", "page", "1", "--undo"], 2, "nothing to put back");
}
