//! The steps of a student, and the grades of a class, some of whose students
//! attack the grader, the machine and the others.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::{attacks, cages_stand, folder, homework, root, succeeds};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("a folder")).expect("a new folder");
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status();
    assert!(status.expect("cp").success());
}

#[test]
fn a_student_solves_what_a_teacher_hands_out() {
    let folder = folder("class");
    let handout = folder.join("handout");
    let to = handout.to_string_lossy().into_owned();
    succeeds(&homework(&root(), &["handout", "framing", "--to", &to]));
    let file = Path::new("framing/src/framing.rs");
    let solution = root().join("crates/homework").join(file);

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
}

/// Works that do no harm, in handouts: a starter, the solution, one that does
/// not build, one that hangs, one that grades itself, and one that passes all
/// stages but the last.
fn make(folder: &Path, class: &Path) {
    let handout = folder.join("handout");
    let to = handout.to_string_lossy().into_owned();
    succeeds(&homework(&root(), &["handout", "framing", "--to", &to]));
    let file = Path::new("framing/src/framing.rs");
    let text = fs::read_to_string(root().join("crates/homework").join(file));
    let text = text.expect("the solution");
    let starter = fs::read_to_string(handout.join(file)).expect("a starter");
    for (student, code) in [
        ("starter", starter.clone()),
        ("good", text.clone()),
        ("broken", "fn broken( {\n".to_string()),
        ("hanging", text.replace("let skipped", "loop {}\n    let skipped")),
        ("own tests", starter),
        ("partial", text.replace("Err(BAD_NETSTRING)", "Err(TOO_LONG)")),
    ] {
        let place = class.join(student);
        copy(&handout, &place);
        fs::write(place.join(file), code).expect("a file");
    }
    let own = class.join("own tests/framing");
    fs::write(own.join("cases/netstring.txt"), "case netstring/1: x\na: ask\n")
        .expect("a file");
    fs::remove_dir_all(class.join("own tests/tools")).expect("a folder");
}

/// Grades a class, in which attackers are beside the honest students if there
/// are cages. Returns what is printed.
fn grade(folder: &Path, class: &Path) -> String {
    let solution = root().join("crates/homework/framing/src/framing.rs");
    let program = zen_harness::program!("zen-homework");
    let mut grade = Command::new("sh");
    if cages_stand() {
        // A descriptor and a token of the teacher's.
        grade.args(["-c", "exec \"$@\" 9<\"$0\""]).arg(solution).arg(program);
        grade.arg("grade").env("TEACHERS_TOKEN", "a token");
    } else {
        // Without a cage, the rest is the same.
        grade = Command::new(program);
        grade.args(["grade", "--unlimited"]);
    }
    grade.arg("--root").arg(root()).arg("--to").arg(folder.join("grades"));
    for student in fs::read_dir(class).expect("a class") {
        grade.arg(student.expect("a student").path());
    }
    let temporary = folder.join("temporary");
    fs::create_dir_all(&temporary).expect("a folder");
    grade.env("TMPDIR", &temporary);
    let said = succeeds(&grade.output().expect("a shell"));
    println!("{said}");
    assert_eq!(fs::read_dir(&temporary).expect("a folder").count(), 0);
    said
}

#[test]
fn a_class_is_graded_and_no_attack_changes_a_grade_or_stays() {
    let folder = folder("graded");
    let class = folder.join("class");
    make(&folder, &class);
    let attackers = if cages_stand() { attacks::NAMES } else { &[] };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mark = format!("7{}", std::process::id());
    for student in attackers {
        attacks::make(&class, student, &listener, &mark);
    }
    let said = grade(&folder, &class);
    assert!(said.contains("it does not build"), "{said}");
    assert!(said.contains("it hangs, and was killed"), "{said}");
    let all = 6 + attackers.len();
    let (pass, stop) = (format!("1 of {all} pass all stages"), all - 2);
    let summary = format!("{pass}, {stop} of {all} stop at whole");
    assert!(said.contains(&summary), "{said}");
    let csv = fs::read_to_string(folder.join("grades/grades.csv"));
    let csv = csv.expect("the grades");
    assert_eq!(csv.lines().count(), all + 1, "{csv}");
    let whole =
        |student: &&str| format!("\n{student},framing,0,10,whole,0,0,0");
    let others = ["broken", "hanging", "own tests", "starter"];
    let mut expected: Vec<_> = others.iter().map(whole).collect();
    expected.extend(attackers.iter().map(whole));
    expected.extend([
        "\u{feff}student,assignment,points,points_max,stopped_at,whole,cut,limit"
            .into(),
        "\ngood,framing,10,10,,4,4,2".into(),
        "\npartial,framing,8,10,limit,4,4,0".into(),
    ]);
    for line in expected {
        assert!(csv.contains(&format!("{line},")), "no {line} in:\n{csv}");
    }
    let report = |student: &str| {
        let file = folder.join("grades").join(student).join("framing.txt");
        fs::read_to_string(file).expect("a report")
    };
    assert!(report("broken").contains("error: "), "no compiler speaks");
    for (student, why) in attacks::REASONS.iter().take(attackers.len()) {
        let report = report(student);
        assert!(report.contains(why), "{student}: {report}");
    }
    assert!(attackers.is_empty() || !attacks::runs(&mark), "a process stays");
    assert!(!class.join("good/stolen").exists());
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

#[cfg(unix)]
#[test]
fn what_was_graded_before_an_interruption_stays() {
    let folder = folder("interrupted");
    // The first one ends at once, and the second one takes its time.
    let commands = [("a", "false {port}"), ("b", "sleep 300 {port}")];
    let students = commands.map(|(student, command)| {
        let place = folder.join("class").join(student);
        let server = place.join("any/server");
        fs::create_dir_all(&server).unwrap();
        let text =
            format!("language = \"own\"\n[own]\ncommand = {command:?}\n");
        fs::write(server.join("start.toml"), text).unwrap();
        place.to_string_lossy().into_owned()
    });
    let to = folder.join("grades").to_string_lossy().into_owned();
    let mut words = vec!["grade", "--jobs", "1", "--to", &to];
    if !cages_stand() {
        words.push("--unlimited");
    }
    words.extend(students.iter().map(String::as_str));
    let csv = folder.join("grades/grades.csv");
    interrupt_after_a_grade(&words, &csv);
    let grades = || fs::read_to_string(&csv).expect("the grades");
    assert!(grades().contains("\na,any,0,10,"), "{}", grades());
    assert!(!grades().contains("\nb,any,"), "{}", grades());
    let said = succeeds(&homework(&root(), &words));
    assert!(said.contains("a, any: 0 of 10, as before"), "{said}");
    assert!(said.contains("b, any: 0 of 10\n"), "{said}");
    assert_eq!(grades().lines().count(), 3, "{}", grades());
}

/// Grades, and interrupts that once the first grade is on the disk.
#[cfg(unix)]
fn interrupt_after_a_grade(words: &[&str], csv: &Path) {
    use std::process::Stdio;
    use std::time::{Duration, Instant};
    /// How long the starter and the first work may take.
    const FIRST_GRADE: Duration = Duration::from_secs(300);
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
    let process = grade.id().to_string();
    let signal = Command::new("kill").args(["-INT", &process]).status();
    assert!(signal.expect("kill").success());
    grade.wait().expect("it ends");
}
