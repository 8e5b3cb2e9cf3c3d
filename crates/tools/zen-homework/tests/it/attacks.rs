//! Submissions that attack the grader, the machine and other students, beside
//! honest ones. Each attack is bounded in itself, should the cage fail.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::root;

/// The line before which the code of an attack is put: it runs when a client
/// has sent the first bytes.
const PLACE: &str = "    let bytes = received.trim_ascii_start();";

/// Their code is in files, since `scripts/class` plays them as well.
pub(crate) const NAMES: &[&str] =
    &["thief", "forger", "bomb", "hog", "vandal", "endless", "shadow"];

/// What the reports on some of them say.
pub(crate) const REASONS: [(&str, &str); 4] = [
    ("bomb", "it had all 1024 processes and threads"),
    ("hog", "it had more than 1024 MiB of memory"),
    ("endless", "constant evaluation is taking a long time"),
    ("shadow", "couldn't read `/etc/shadow`"),
];

pub(crate) fn hand_in(class: &Path, student: &str, text: &str) {
    let folder = class.join(student).join("framing/src");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("framing.rs"), text).expect("a file");
}

/// Whether a process runs with this word in its command line.
pub(crate) fn runs(word: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    processes.map(|it| fs::read(it.path().join("cmdline"))).any(|it| {
        it.is_ok_and(|it| String::from_utf8_lossy(&it).contains(word))
    })
}

/// Hands in the solution with an attack in it.
pub(crate) fn make(
    class: &Path,
    student: &str,
    listener: &TcpListener,
    mark: &str,
) {
    let solution = root().join("crates/homework/framing/src/framing.rs");
    let text = fs::read_to_string(&solution).expect("the solution");
    let quoted = |it: &Path| format!("{it:?}");
    let program = zen_harness::program!("zen-homework");
    let address = listener.local_addr().expect("an address").to_string();
    let file = format!("crates/tools/zen-homework/tests/attacks/{student}");
    let attack = fs::read_to_string(root().join(file + ".txt"));
    let attack = attack.expect("an attack");
    let attack = attack
        .replace("SOLUTION", &quoted(&solution))
        .replace("PROGRAM", &quoted(Path::new(&program)))
        .replace("CLASS", &quoted(&class.join("good")))
        .replace("LISTENER", &format!("{address:?}"))
        .replace("MARK", mark);
    let attacking = text.replacen(PLACE, &format!("{attack}{PLACE}"), 1);
    assert_ne!(attacking, text, "{student}");
    hand_in(class, student, &attacking);
}
