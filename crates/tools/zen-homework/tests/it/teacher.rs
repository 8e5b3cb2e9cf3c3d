//! What `solution` shows a teacher, and what `verify` leaves if it is killed.

use std::fs;
use std::process::Command;

use crate::{folder, homework, root, solution_of, succeeds, text_below};

#[test]
fn the_shown_diffs_turn_the_starter_into_the_solution() {
    let folder = folder("solution");
    let to = folder.to_string_lossy().into_owned();
    succeeds(&homework(&root(), &["handout", "framing", "--to", &to]));
    let said = succeeds(&homework(&root(), &["solution", "framing"]));
    for stage in ["# whole: ", "# cut: ", "# limit: "] {
        assert_eq!(said.matches(stage).count(), 1, "{stage}: {said}");
    }
    let patch = folder.join("solution.patch");
    fs::write(&patch, &said).unwrap();
    let mut git = Command::new("git");
    git.arg("apply").arg(&patch).current_dir(folder.join("framing"));
    git.env("GIT_CEILING_DIRECTORIES", &folder);
    succeeds(&git.output().expect("git"));
    let solved = text_below(&folder.join("framing/src"));
    let source = root().join("crates/homework/framing/src");
    let solution = solution_of(&text_below(&source));
    assert!(solution.len() > 10, "{solution:?}");
    for line in solution {
        assert!(solved.contains(&line), "not in it: {line}");
    }

    let one = ["solution", "framing", "--stage", "cut"];
    let said = succeeds(&homework(&root(), &one));
    assert!(said.starts_with("# cut: ") && !said.contains("# limit: "));
    let none = ["solution", "framing", "--stage", "cuts"];
    let output = homework(&root(), &none);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("whole, cut, limit"), "{said}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_verify_leaves_no_files() {
    for signal in ["-INT", "-TERM", "-KILL"] {
        let temporary = folder("temporary");
        fs::create_dir_all(&temporary).unwrap();
        let mut verify = Command::new(zen_harness::program!("zen-homework"));
        verify.arg("--root").arg(root()).args(["verify", "framing"]);
        verify.env("TMPDIR", &temporary);
        let mut verify = verify.spawn().expect("the program can be started");
        let files = || fs::read_dir(&temporary).map(Iterator::count);
        let until = |what: &str, holds: &dyn Fn() -> bool| {
            let begun = std::time::Instant::now();
            while !holds() {
                let waited = begun.elapsed().as_secs();
                assert!(waited < 60, "{signal}: after {waited} s, not {what}");
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        };
        until("begun", &|| files().is_ok_and(|n| n == 1));
        let process = verify.id().to_string();
        let killed = Command::new("kill").args([signal, &process]).status();
        assert!(killed.expect("kill").success());
        verify.wait().expect("it ends");
        until("empty", &|| files().is_ok_and(|n| n == 0));
        until("left", &|| !works_below(&temporary));
    }
}

/// Whether a process has its working directory below this folder, as far as the
/// system reports that.
#[cfg(unix)]
fn works_below(folder: &std::path::Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten();
    let mut folders = processes
        .filter_map(Result::ok)
        .filter_map(|process| fs::read_link(process.path().join("cwd")).ok());
    folders.any(|it| it.starts_with(folder))
}
