//! Homework from handout to grade, with the program itself.

mod attacks;
mod class;
mod exercise;
#[cfg(target_os = "linux")]
mod machine;
mod teacher;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use zen_harness::built;

/// The workspace of this crate.
fn root() -> PathBuf {
    let folder = zen_harness::folder!();
    folder.ancestors().nth(3).expect("crates/tools/zen-homework").into()
}

/// The program, run in this project. What Cargo builds there is kept for the
/// next run of the tests, apart from others: Cargo cannot tell two handouts from
/// each other.
fn homework(project: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(zen_harness::program!("zen-homework"));
    command.arg("--root").arg(project).args(words);
    let scratch = built::scratch().expect("a folder");
    if let Ok(inside) = project.strip_prefix(&scratch) {
        let target = scratch.join("target").join(inside);
        command.env("CARGO_TARGET_DIR", target);
        command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    }
    command.output().expect("the program can be started")
}

/// Whether submissions can be kept apart on this machine.
fn cages_stand() -> bool {
    let mut bwrap = Command::new("bwrap");
    bwrap.args(["--unshare-all", "--ro-bind", "/", "/", "true"]);
    bwrap.output().is_ok_and(|it| it.status.success())
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    text
}

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = built::scratch().expect("a folder").join(name);
    fs::remove_dir_all(&folder).ok();
    folder
}

/// The contents of all files below a folder, without build results.
fn text_below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.ends_with("target") {
            continue;
        }
        if path.is_dir() {
            text += &text_below(&path);
        } else {
            text += &fs::read_to_string(&path).expect("a text");
        }
    }
    text
}

/// The lines between the marks of sources, without those that tell nothing.
fn solution_of(text: &str) -> Vec<String> {
    let mut within = false;
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        // Rust and Go use one kind of comment, and Python another.
        let said = line.trim_start_matches(['/', '#']).trim_start();
        let starter = said.strip_prefix("STARTER:");
        match line {
            _ if said.starts_with("BEGIN SOLUTION") => within = true,
            _ if said.starts_with("END SOLUTION") => within = false,
            _ if starter.is_some() => outside.extend(starter.map(str::trim)),
            _ if within => inside.push(line),
            _ => outside.push(line),
        }
    }
    // An import tells nothing.
    let tells = |line: &str| line.len() >= 24 && !line.starts_with("use ");
    inside.retain(|line| tells(line) && !outside.contains(line));
    inside.into_iter().map(str::to_owned).collect()
}

#[test]
fn no_handout_has_solutions_or_teachers_files() {
    let to = folder("all");
    let homework_folder = root().join("crates/homework");
    let entries = fs::read_dir(homework_folder).expect("assignments");
    let mut words = vec!["handout".to_string()];
    let mut solution = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        if !entry.path().join("assignment.toml").is_file() {
            continue;
        }
        words.push(entry.file_name().to_string_lossy().into_owned());
        // One of them is not a crate.
        let sources = ["src", "server"].map(|it| entry.path().join(it));
        for folder in sources.iter().filter(|it| it.is_dir()) {
            solution.extend(solution_of(&text_below(folder)));
        }
    }
    assert!(solution.len() > 10, "there is a solution");
    words.extend(["--to".into(), to.to_string_lossy().into_owned()]);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    succeeds(&homework(&root(), &words));
    let handed_out = text_below(&to);
    // The listings and the checker are public.
    let rooms = [
        "zen-utils",
        "listings",
        "since",
        "tools/zen-check",
        "tools/zen-harness",
    ];
    let public: String = rooms
        .iter()
        .map(|it| text_below(&root().join("crates").join(it)))
        .collect();
    for line in solution.iter().filter(|line| !public.contains(*line)) {
        assert!(!handed_out.contains(line), "handed out: {line}");
    }
    for unwanted in ["BEGIN SOLUTION", "STARTER:", "\nFails: ", "fn grade("] {
        assert!(!handed_out.contains(unwanted), "{unwanted}");
    }
    let lock = fs::read_to_string(to.join("Cargo.lock")).expect("a lock");
    assert!(!lock.contains("\"mdbook"), "the lock is of all the workspace");
}

#[test]
fn an_examination_uses_its_dialect() {
    let to = folder("examination");
    let place = to.to_string_lossy().into_owned();
    let words = ["--to", &place, "--dialect", "2014"];
    let refused =
        homework(&root(), &[&["handout", "framing"], &words[..]].concat());
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("framing has no dialects"), "{said}");
    succeeds(&homework(&root(), &[&["handout", "any"], &words[..]].concat()));
    let read = |file| fs::read_to_string(to.join("any").join(file));
    let page = read("DIALECT.md").expect("its words");
    assert!(page.contains("| `Error: unknown aphorism.` |"), "{page}");
    let assignment = read("assignment.toml").expect("an assignment");
    assert!(assignment.contains("dialect = 2014\n"), "{assignment}");
    assert!(read("server/dialect.txt").is_err(), "a solution's own words");
    let listed = succeeds(&homework(&to, &["status"]));
    assert!(listed.contains("not yet  wire"), "{listed}");
}

#[test]
fn a_handout_without_cargo_leaves_no_files() {
    let to = folder("failed");
    let mut command = Command::new(zen_harness::program!("zen-homework"));
    command.arg("--root").arg(root()).args(["handout", "framing", "--to"]);
    command.arg(&to).env("CARGO", "no-such-cargo");
    let output = command.output().expect("the program can be started");
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("cannot start no-such-cargo"), "{message}");
    assert!(!to.exists());
}

#[test]
fn a_handout_needs_an_empty_folder() {
    let to = folder("taken");
    fs::create_dir_all(&to).unwrap();
    fs::write(to.join("work"), "of a student").unwrap();
    let to = to.to_string_lossy().into_owned();
    let output = homework(&root(), &["handout", "framing", "--to", &to]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"));
}

/// Every link of a page leads to a file of the handout.
fn links_open(page: &Path) {
    let text = fs::read_to_string(page).expect("a page");
    for part in text.split("](").skip(1) {
        let target = part.split(')').next().unwrap_or_default();
        let file = target.split('#').next().unwrap_or_default();
        let is_there = page.with_file_name(file).exists();
        let is_elsewhere = file.is_empty() || file.contains("://");
        assert!(is_there || is_elsewhere, "{}: {target}", page.display());
    }
}

#[test]
fn a_handout_stands_alone_and_takes_more_assignments() {
    let to = folder("course");
    let place = to.to_string_lossy().into_owned();
    succeeds(&homework(&root(), &["handout", "any", "--to", &place]));
    let server = to.join("any/server/server.py");
    fs::write(&server, "the student's").unwrap();
    succeeds(&homework(&root(), &["handout", "reuse", "--to", &place]));
    assert_eq!(fs::read_to_string(&server).unwrap(), "the student's");
    let kept = to.join(".homework/starter/any/server/server.py");
    assert!(fs::read_to_string(kept).unwrap().contains("import socket"));
    let again = homework(&root(), &["handout", "any", "--to", &place]);
    assert_eq!(again.status.code(), Some(2));
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("already has any"), "{said}");
    let status = succeeds(&homework(&to, &["status"]));
    assert!(status.contains("any: ") && status.contains("reuse: "), "{status}");
    let text = fs::read_to_string(to.join("reuse/README.md")).unwrap();
    for part in [
        "evidence.txt",
        "- wire/8: knows three aphorisms",
        "- reuse/1: ",
        "- `reuse/src/main.rs`",
        "on Linux.",
    ] {
        assert!(text.contains(part), "{part}");
    }
    for page in ["README.md", "any/README.md", "reuse/README.md", "CONTRACT.md"]
    {
        links_open(&to.join(page));
    }
}

#[test]
fn a_workflow_is_added_to_a_folder_but_replaces_nothing() {
    let to = folder("repository");
    fs::create_dir_all(&to).unwrap();
    let to = to.to_string_lossy().into_owned();
    let words = ["export", "github-actions", "framing", "--to", &to];
    succeeds(&homework(&root(), &words));
    let again = homework(&root(), &words);
    assert_eq!(again.status.code(), Some(2));
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("homework.yml already exists"), "{said}");
    let file = Path::new(&to).join(".github/workflows/homework.yml");
    let text = fs::read_to_string(file).unwrap();
    assert!(!text.contains("RUST_VERSION"), "{text}");
    assert!(text.contains("rustup default 1."), "{text}");
}

#[cfg(unix)]
#[test]
fn what_stands_in_the_way_of_a_server_in_any_language_is_named() {
    let to = folder("language");
    let place = to.to_string_lossy().into_owned();
    succeeds(&homework(&root(), &["handout", "any", "--to", &place]));
    let check = |commands: &str| {
        let text = format!("language = \"mine\"\n[mine]\n{commands}\n");
        fs::write(to.join("any/server/start.toml"), text).unwrap();
        let output = homework(&to, &["check"]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = check("command = \"no-such-python server.py {port}\"");
    let expected = "no-such-python is in no folder of the PATH";
    assert!(said.contains(expected), "{said}");
    // A compiler does not make the folder into which it writes.
    let build = "build = \"cp server.py target/server\"\n";
    let said = check(&format!("{build}command = \"false {{port}}\""));
    assert!(!said.contains("it does not build"), "{said}");
}
