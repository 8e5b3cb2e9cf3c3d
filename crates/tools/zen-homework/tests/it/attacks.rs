//! Submissions that attack the grader, the machine and other students, beside
//! honest ones. Each attack is bounded in itself, should the cage fail.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::{cages_stand, folder, root};

/// The line before which the code of an attack is put: it runs when a client
/// has sent the first bytes.
const PLACE: &str = "    let bytes = received.trim_ascii_start();";

/// Their code is in files, since `scripts/class` plays them as well.
const ATTACKERS: [&str; 7] =
    ["thief", "forger", "bomb", "hog", "vandal", "endless", "shadow"];

pub(crate) fn hand_in(class: &Path, student: &str, text: &str) {
    let folder = class.join(student).join("framing/src");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("framing.rs"), text).expect("a file");
}

/// Whether a process runs with this word in its command line.
fn runs(word: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    processes.map(|it| fs::read(it.path().join("cmdline"))).any(|it| {
        it.is_ok_and(|it| String::from_utf8_lossy(&it).contains(word))
    })
}

/// A class of attackers and of two honest students.
fn make(class: &Path, solution: &Path, listener: &TcpListener, mark: &str) {
    let text = fs::read_to_string(solution).expect("the solution");
    let quoted = |it: &Path| format!("{it:?}");
    let program = zen_harness::program!("zen-homework");
    let address = listener.local_addr().expect("an address").to_string();
    for student in ATTACKERS {
        let file = format!("crates/tools/zen-homework/tests/attacks/{student}");
        let attack = fs::read_to_string(root().join(file + ".txt"));
        let attack = attack.expect("an attack");
        let attack = attack
            .replace("SOLUTION", &quoted(solution))
            .replace("PROGRAM", &quoted(Path::new(&program)))
            .replace("CLASS", &quoted(&class.join("good")))
            .replace("LISTENER", &format!("{address:?}"))
            .replace("MARK", mark);
        let attacking = text.replacen(PLACE, &format!("{attack}{PLACE}"), 1);
        assert_ne!(attacking, text, "{student}");
        hand_in(class, student, &attacking);
    }
    hand_in(class, "good", &text);
    // The last stage expects another refusal.
    let partial = text.replace("Err(BAD_NETSTRING)", "Err(TOO_LONG)");
    hand_in(class, "partial", &partial);
}

#[test]
fn no_attack_changes_a_grade_or_stays() {
    if !cages_stand() {
        println!("skipped: bubblewrap is missing, or not allowed here");
        return;
    }
    let folder = folder("attacks");
    let class = folder.join("class");
    let temporary = folder.join("temporary");
    fs::create_dir_all(&temporary).unwrap();
    let solution = root().join("crates/homework/framing/src/framing.rs");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mark = format!("7{}", std::process::id());
    make(&class, &solution, &listener, &mark);
    let to = folder.join("grades");
    let mut grade = Command::new("sh");
    // A descriptor and a token of the teacher's.
    grade.args(["-c", "exec \"$@\" 9<\"$0\""]).arg(&solution);
    grade.arg(zen_harness::program!("zen-homework"));
    grade.arg("--root").arg(root()).arg("grade").arg("--to").arg(&to);
    for student in fs::read_dir(&class).unwrap() {
        grade.arg(student.unwrap().path());
    }
    grade.env("TEACHERS_TOKEN", "a token").env("TMPDIR", &temporary);
    let output = grade.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let csv = fs::read_to_string(to.join("grades.csv")).expect("grades");
    let honest = [("good", 10), ("partial", 8)];
    let attackers = ATTACKERS.map(|it| (it, 0));
    for (student, points) in honest.into_iter().chain(attackers) {
        let line = format!("{student},framing,{points},10,");
        assert!(csv.contains(&line), "no {line} in:\n{csv}");
    }
    for (student, why) in [
        ("bomb", "it had all 1024 processes and threads"),
        ("hog", "it had more than 1024 MiB of memory"),
        ("endless", "constant evaluation is taking a long time"),
        ("shadow", "couldn't read `/etc/shadow`"),
    ] {
        let report = to.join(student).join("framing.txt");
        let report = fs::read_to_string(report).expect("a report");
        assert!(report.contains(why), "{student}: {report}");
    }
    assert!(!runs(&mark), "a process stays");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    assert!(!class.join("good/stolen").exists());
}
