//! The steps of a student, and the grades of a class of five.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{folder, homework, root, succeeds};

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

fn expect_grades(folder: &Path) {
    let students = ["broken", "endless", "good", "own tests", "starter"];
    let places = students.map(|it| folder.join("students").join(it));
    let places = places.map(|it| it.to_string_lossy().into_owned());
    let to = folder.join("grades").to_string_lossy().into_owned();
    let mut words = vec!["grade", "--to", &to];
    // Where limits are unavailable, the rest is the same.
    let limits = ["--net", "--user", "--map-root-user", "--pid", "--fork"];
    let tried = Command::new("unshare").args(limits).arg("true").output();
    if !tried.is_ok_and(|output| output.status.success()) {
        words.push("--unlimited");
    }
    words.extend(places.iter().map(String::as_str));
    let said = succeeds(&homework(&root(), &words));
    assert!(said.contains("it does not build"), "{said}");
    assert!(said.contains("it hangs, and was killed"), "{said}");
    let csv = fs::read_to_string(folder.join("grades/grades.csv"));
    let csv = csv.expect("the grades");
    let expected = "student,assignment,points,points_max,stopped_at\r\n\
        broken,framing,0,10,whole\r\n\
        endless,framing,0,10,whole\r\n\
        good,framing,10,10,\r\n\
        own tests,framing,0,10,whole\r\n\
        starter,framing,0,10,whole\r\n";
    assert_eq!(csv, expected);
    let report = folder.join("grades/broken/framing.txt");
    let report = fs::read_to_string(report).expect("a report");
    assert!(report.contains("error: "), "no compiler speaks in {report}");
}
