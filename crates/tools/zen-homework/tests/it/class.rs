//! The steps of a student, and the grades of a class of five.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{cages_stand, folder, homework, root, succeeds};

/// How long the first build may take.
const FIRST_GRADE: Duration = Duration::from_secs(900);

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("a folder")).expect("a new folder");
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status();
    assert!(status.expect("cp").success());
}

#[test]
fn a_student_solves_what_a_teacher_then_grades() {
    let folder = folder("class");
    let handout = folder.join("handout");
    let to = handout.to_string_lossy().into_owned();
    succeeds(&homework(&root(), &["handout", "framing", "--to", &to]));
    let file = Path::new("framing/src/framing.rs");
    let solution = root().join("crates/homework").join(file);
    let class = folder.join("students");
    copy(&handout, &class.join("starter"));

    // The starter builds, and fails.
    let output = homework(&handout, &["check"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("FAILED   whole"), "{said}");
    assert!(said.contains("expected b\"8:Complex.,\""), "{said}");
    assert!(said.contains("not yet  cut"), "{said}");
    assert!(said.contains("0 of 10 points"), "{said}");
    let hint = succeeds(&homework(&handout, &["hint"]));
    assert!(hint.contains("Hint 1 of 2"), "{hint}");
    assert!(!hint.contains("Hint 2 of 2"), "{hint}");
    let status = succeeds(&homework(&handout, &["status"]));
    assert!(status.contains("1 hint taken"), "{status}");
    let hint = succeeds(&homework(&handout, &["hint"]));
    assert!(hint.contains("Hint 2 of 2"), "{hint}");

    // The solution passes.
    let text = fs::read_to_string(&solution).unwrap();
    let large = format!("{text}// {}", "x".repeat(1024 * 1024));
    fs::write(handout.join(file), large).unwrap();
    let output = homework(&handout, &["check"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("this cannot be handed in"), "{said}");
    fs::write(handout.join(file), &text).unwrap();
    let said = succeeds(&homework(&handout, &["check"]));
    assert!(said.contains("10 of 10 points"), "{said}");
    assert!(said.ends_with("All done: hand it in.\n"), "{said}");
    let status = succeeds(&homework(&handout, &["status"]));
    assert_eq!(status.matches("  done ").count(), 3, "{status}");
    assert!(status.contains("2 hints taken"), "{status}");
    copy(&handout, &class.join("good"));

    // The starter comes back, and no work is lost.
    succeeds(&homework(&handout, &["reset"]));
    let starter = fs::read_to_string(handout.join(file)).unwrap();
    assert_ne!(starter, text);
    let kept = handout.join(".homework/framing-1/src/framing.rs");
    assert_eq!(fs::read_to_string(kept).unwrap(), text);

    // A platform may deliver the file alone.
    let lone = folder.join("lone");
    fs::create_dir(&lone).unwrap();
    fs::write(lone.join("framing.rs"), &text).unwrap();
    let lone = lone.to_string_lossy().into_owned();
    let said = succeeds(&homework(&handout, &["check", "--submission", &lone]));
    assert!(said.contains("10 of 10 points"), "{said}");

    // A work that does not build, one that hangs, and one that grades itself.
    for (student, code) in [
        ("broken", "fn broken( {\n".to_string()),
        ("endless", text.replace("let skipped", "loop {}\n    let skipped")),
        ("own tests", starter),
    ] {
        let place = class.join(student);
        copy(&handout, &place);
        fs::write(place.join(file), code).unwrap();
    }
    let own = class.join("own tests/framing");
    fs::write(own.join("cases/netstring.txt"), "case netstring/1: x\na: ask\n")
        .unwrap();
    fs::remove_dir_all(class.join("own tests/tools")).unwrap();
    expect_grades(&folder);
}

#[test]
fn what_is_not_found_is_no_zero_and_the_exit_status_tells() {
    let folder = folder("not found");
    let student = folder.join("Ada Example");
    fs::create_dir_all(&student).unwrap();
    fs::write(student.join("report.pdf"), "").unwrap();
    fs::write(folder.join("notes.txt"), "").unwrap();
    let path = |it: &str| folder.join(it).to_string_lossy().into_owned();
    let (ada, notes, to) = (path("Ada Example"), path("notes.txt"), path("to"));
    let words = ["grade", &ada, &notes, "--to", &to, "--assignment", "framing"];
    let output = homework(&root(), &words);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for what in ["notes.txt: a file", "Ada Example, framing: ?", "report.pdf"] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let csv = fs::read_to_string(folder.join("to/grades.csv")).unwrap();
    assert!(csv.contains("\r\nAda Example,framing,?,10,,?,?,?,"), "{csv}");
}

fn expect_grades(folder: &Path) {
    let students = ["broken", "endless", "good", "own tests", "starter"];
    let places = students.map(|it| folder.join("students").join(it));
    let places = places.map(|it| it.to_string_lossy().into_owned());
    let to = folder.join("grades").to_string_lossy().into_owned();
    let mut words = vec!["grade", "--to", &to];
    // Where there is no cage, the rest is the same.
    if !cages_stand() {
        words.push("--unlimited");
    }
    words.extend(places.iter().map(String::as_str));
    let csv = folder.join("grades/grades.csv");
    interrupt_after_a_grade(&words, &csv);
    let said = succeeds(&homework(&root(), &words));
    assert!(said.contains("of 10, as before"), "{said}");
    assert!(said.contains("it does not build"), "{said}");
    assert!(said.contains("it hangs, and was killed"), "{said}");
    assert!(said.contains("1 of 5 pass all stages, 4 of 5 stop at whole"));
    let csv = fs::read_to_string(csv).expect("the grades");
    let expected = [
        "\u{feff}student,assignment,points,points_max,stopped_at,whole,cut,limit",
        "broken,framing,0,10,whole,0,0,0",
        "endless,framing,0,10,whole,0,0,0",
        "good,framing,10,10,,4,4,2",
        "own tests,framing,0,10,whole,0,0,0",
        "starter,framing,0,10,whole,0,0,0",
    ];
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{csv}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(&format!("{expected},")), "{csv}");
    }
    let report = folder.join("grades/broken/framing.txt");
    let report = fs::read_to_string(report).expect("a report");
    assert!(report.contains("error: "), "no compiler speaks in {report}");
}

/// Grades, and interrupts that once the first grade is on the disk.
fn interrupt_after_a_grade(words: &[&str], csv: &Path) {
    let mut grade = Command::new(zen_harness::program!("zen-homework"));
    grade.arg("--root").arg(root()).args(words).stdout(Stdio::null());
    let mut grade = grade.spawn().expect("the program can be started");
    let begun = Instant::now();
    let has_grade = || {
        let text = fs::read_to_string(csv).unwrap_or_default();
        text.lines().count() > 1
    };
    while !has_grade() {
        assert!(begun.elapsed() < FIRST_GRADE, "no grade");
        let ended = grade.try_wait().expect("a process");
        assert!(ended.is_none(), "it ended before: {ended:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    #[cfg(unix)]
    {
        let process = grade.id().to_string();
        let signal = Command::new("kill").args(["-INT", &process]).status();
        assert!(signal.expect("kill").success());
    }
    grade.wait().expect("it ends");
}
