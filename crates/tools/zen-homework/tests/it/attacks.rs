//! Submissions that attack the grader, the machine and other students, beside
//! honest ones. Each attack is bounded in itself, should the cage fail.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::{folder, root};

/// The line before which the code of an attack is put: it runs when a client
/// has sent the first bytes.
const PLACE: &str = "    let bytes = received.trim_ascii_start();";

/// If it can see anything of the teacher's, it goes on as the solution, so its
/// points tell whether it could.
const THIEF: &str = r#"
    use std::fs;
    let readable = [SOLUTION, PROGRAM, "/etc/shadow", "/proc/self/fd/9"]
        .iter()
        .any(|it| fs::File::open(it).is_ok());
    let writable = [CLASS, "/", "/usr", "/homework", "/homework/target",
        "/homework/project", "/homework/seed", "/dev"]
        .iter()
        .any(|it| fs::write(format!("{it}/stolen"), "").is_ok());
    let told = std::env::vars().any(|(_, value)| value.contains("a token"));
    let seen = fs::read_dir("/proc").unwrap().flatten().any(|it| {
        let words = fs::read_to_string(it.path().join("cmdline"));
        words.is_ok_and(|it| it.contains("examine"))
    });
    let linked = std::net::TcpStream::connect(LISTENER).is_ok();
    if !(readable || writable || told || seen || linked) {
        std::process::exit(3);
    }
"#;

/// It writes passed stages to whatever it can open, and signals what it can.
const FORGER: &str = r#"
    use std::{fs, io::Write};
    let lines = "{\"Built\":0.1}\n".to_string()
        + &"{\"Stage\":\"Passed\"}\n".repeat(9);
    print!("{lines}");
    eprint!("{lines}");
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let open = fs::read_dir(process.path().join("fd")).into_iter();
        for one in open.flatten().flatten() {
            let file = fs::OpenOptions::new().write(true).open(one.path());
            _ = file.map(|mut it| it.write_all(lines.as_bytes()));
        }
    }
    let kill = ["-c", "kill -9 -1; kill -9 1; kill -9 $PPID"];
    _ = std::process::Command::new("sh").args(kill).status();
"#;

/// For half a minute, each process starts two more.
const BOMB: &str = r#"
    let bomb = "end=$(($(date +%s) + 30))
        b() { [ \"$(date +%s)\" -lt $end ] || exit; b | b & b; }; b";
    _ = std::process::Command::new("sh").args(["-c", bomb]).status();
"#;

/// It takes 3 GiB of memory, and no more.
const HOG: &str = "
    let all: Vec<_> = (0..192).map(|_| vec![1_u8; 1 << 24]).collect();
    assert!(all.len() > bytes_of(received));
    fn bytes_of(received: &[u8]) -> usize { received.len() * 0 }
";

/// It fills every place that takes a file, and leaves a process behind. It goes
/// on as the solution if 1 GiB was taken.
const VANDAL: &str = r#"
    use std::{fs::File, io::Write, path::Path};
    if !Path::new("/tmp/full-0").exists() {
        let mut daemon = std::process::Command::new("setsid");
        _ = daemon.args(["sh", "-c", "sleep 300 & sleep MARK"]).spawn();
        let bytes = vec![1; 1 << 23];
        let mut written = 0;
        for place in ["/tmp", "/dev/shm", ".", "/run", "/var/tmp"] {
            for number in 0..8 {
                let file = File::create(format!("{place}/full-{number}"));
                let Ok(mut file) = file else { break };
                for _ in 0..16 {
                    written += file.write(&bytes).unwrap_or(0);
                }
            }
        }
        if written >= 1 << 30 {
            std::fs::write("/tmp/all", "").unwrap();
        }
    }
    if !Path::new("/tmp/all").exists() {
        std::process::exit(3);
    }
"#;

/// It can count for centuries.
const ENDLESS: &str = "
    #[allow(long_running_const_eval)]
    const SUM: u64 = {
        let mut number = 0_u64;
        while number < u64::MAX { number += 1; }
        number
    };
    assert!(SUM > 0);
";

const SHADOW: &str = r#"
    assert!(!include_bytes!("/etc/shadow").is_empty());
"#;

pub(crate) fn cages_stand() -> bool {
    let mut bwrap = Command::new("bwrap");
    bwrap.args(["--unshare-all", "--ro-bind", "/", "/", "true"]);
    bwrap.output().is_ok_and(|it| it.status.success())
}

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
    for (student, attack) in [
        ("thief", THIEF),
        ("forger", FORGER),
        ("bomb", BOMB),
        ("hog", HOG),
        ("vandal", VANDAL),
        ("endless", ENDLESS),
        ("shadow", SHADOW),
    ] {
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
    let others =
        ["thief", "forger", "bomb", "hog", "vandal", "endless", "shadow"];
    for (student, points) in honest.into_iter().chain(others.map(|it| (it, 0)))
    {
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
