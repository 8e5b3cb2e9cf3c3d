//! A machine that cannot build or keep submissions apart gives no grades.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::attacks::hand_in;
use crate::{cages_stand, folder, root};

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("a script");
    let all = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, all).expect("an executable script");
}

/// The folder of Rust.
fn rust() -> PathBuf {
    let mut rustc = Command::new("rustc");
    let told = rustc.args(["--print", "sysroot"]).output().expect("rustc");
    String::from_utf8_lossy(&told.stdout).trim().into()
}

/// `grade` with a Rust in `folder` whose Cargo fails while there is a file
/// `broken` beside it.
fn grade(folder: &Path, to: &Path) -> Command {
    let rust = rust();
    let fake = folder.join("rust");
    let (at, real) = (fake.display(), rust.display());
    let text = format!(
        "[ ! -e {at}/broken ] || {{ echo 'error: no space left' >&2; exit 101; }}
        exec {real}/bin/cargo \"$@\""
    );
    script(&fake.join("bin/cargo"), &text);
    fs::create_dir_all(fake.join("lib")).expect("a folder");
    script(&folder.join("rustc"), &format!("echo {at}"));
    let mut grade = Command::new(zen_harness::program!("zen-homework"));
    grade.arg("--root").arg(root()).args(["grade", "--jobs", "1"]);
    grade.arg("--to").arg(to).arg("--tools").arg(rust);
    grade.args(["a", "b", "c"].map(|it| folder.join("class").join(it)));
    grade.env("RUSTC", folder.join("rustc"));
    grade
}

fn refuses(output: &Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(why), "{said}");
}

fn class(name: &str) -> PathBuf {
    let folder = folder(name);
    let solution = root().join("crates/homework/framing/src/framing.rs");
    let text = fs::read_to_string(solution).expect("the solution");
    for student in ["a", "b", "c"] {
        hand_in(&folder.join("class"), student, &text);
    }
    folder
}

#[test]
fn what_is_missing_is_said_before_the_first_grade() {
    let folder = class("refusing");
    let to = folder.join("grades");
    let mut nowhere = grade(&folder, Path::new("/proc/nowhere"));
    refuses(&nowhere.output().unwrap(), "/proc/nowhere: ");

    let mut no_tools = grade(&folder, &to);
    let no_tools = no_tools.args(["--tools", "/proc/mine"]).output().unwrap();
    refuses(&no_tools, "--tools /proc/mine: No such file");
    refuses(&no_tools, "give the folder in which the language is installed");
    let said = String::from_utf8_lossy(&no_tools.stderr);
    assert!(!said.contains("--unlimited"), "{said}");

    let path = std::env::var("PATH").unwrap();
    let mut without = grade(&folder, &to);
    script(&folder.join("path/bwrap"), "exit 1");
    let path = format!("{}:{path}", folder.join("path").display());
    let without = without.env("PATH", path).output().unwrap();
    refuses(&without, "install the package `bubblewrap`");
    refuses(&without, "--unlimited does without");

    if cages_stand() {
        let mut broken = grade(&folder, &to);
        fs::write(folder.join("rust/broken"), "").unwrap();
        let broken = broken.output().unwrap();
        refuses(&broken, "the starter of framing: it does not build");
        refuses(&broken, "error: no space left");
    }
    let csv = fs::read_to_string(to.join("grades.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1, "a grade: {csv}");
}

#[test]
fn a_machine_that_fails_later_takes_no_points() {
    if !cages_stand() {
        println!("skipped: bubblewrap is missing, or not allowed here");
        return;
    }
    let folder = class("failing");
    let to = folder.join("grades");
    let mut grade = grade(&folder, &to).stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(grade.stdout.take().unwrap());
    for line in said.lines().map_while(Result::ok) {
        println!("{line}");
        if line == "a, framing: 10 of 10" {
            fs::write(folder.join("rust/broken"), "").unwrap();
        }
    }
    assert_eq!(grade.wait().unwrap().code(), Some(1));
    let csv = fs::read_to_string(to.join("grades.csv")).unwrap();
    assert!(csv.contains("\na,framing,10,10,"), "{csv}");
    assert!(csv.contains("\nc,framing,?,10,,"), "{csv}");
}

#[test]
fn a_language_that_the_machine_lacks_costs_no_points() {
    let folder = folder("lacking");
    let server = folder.join("class/a/any/server");
    fs::create_dir_all(&server).unwrap();
    let text = "language = \"mine\"\n[mine]\n\
        command = \"no-such-language server {port}\"\n";
    fs::write(server.join("start.toml"), text).unwrap();
    let mut grade = Command::new(zen_harness::program!("zen-homework"));
    grade.arg("--root").arg(root()).args(["grade", "--assignment", "any"]);
    grade.arg("--to").arg(folder.join("grades")).arg(folder.join("class/a"));
    if !cages_stand() {
        grade.arg("--unlimited");
    }
    let output = grade.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("a, any: ? of 10"), "{said}");
    let report = fs::read_to_string(folder.join("grades/a/any.txt")).unwrap();
    let expected = "no-such-language is in no folder of the PATH";
    assert!(report.contains(expected), "{report}");
}
