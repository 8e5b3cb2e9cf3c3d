//! Each layout that is known, with made-up students.

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{Submitted, collect};
use crate::assignment::Assignment;
use crate::project::Project;
use crate::teacher::roster::Roster;
use crate::teacher::workshop::Temporary;

/// A work on framing, which is no starter.
const ADA: &str = "// by Ada\n";
const BOB: &str = "// by Bob\n";
const PLACE: &str = "framing/src/framing.rs";

/// Reading them takes longer than each test.
static ASSIGNMENTS: LazyLock<Vec<Assignment>> = LazyLock::new(|| {
    let folder = zen_harness::folder!();
    Project::around(&folder).and_then(|it| it.assignments()).unwrap()
});

/// A folder with what was delivered.
struct Delivered(Temporary);

impl Delivered {
    fn new(files: &[(&str, &str)]) -> Self {
        let delivered = Self(Temporary::new().unwrap());
        for (path, text) in files {
            delivered.add(path, text.as_bytes());
        }
        delivered
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.0.join(path)
    }

    fn add(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Makes a file that old.
    fn age(&self, path: &str, seconds: u64) {
        let file = File::options().write(true).open(self.path(path)).unwrap();
        let time = SystemTime::now() - Duration::from_secs(seconds);
        file.set_modified(time).unwrap();
    }

    /// All in it, as a shell's `*` gives it.
    fn each(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        entries.map(|it| it.unwrap().path()).collect()
    }

    fn all(&self) -> Submitted {
        find(&self.each(""), &[])
    }
}

fn find(paths: &[PathBuf], named: &[&str]) -> Submitted {
    let named: Vec<_> = named.iter().map(|it| (*it).to_string()).collect();
    collect(paths, &ASSIGNMENTS, &named, None).unwrap()
}

/// Each student with the first file that was found, or why none was.
fn shown(submitted: &Submitted) -> Vec<(&str, String)> {
    let works = submitted.students.iter().flat_map(|(student, works)| {
        works.values().map(|work| (&*student.name, work))
    });
    let text = works.map(|(name, work)| match work {
        Ok(found) => {
            (name, String::from_utf8_lossy(&found.files[0].1).into_owned())
        }
        Err(why) => (name, format!("? {why}")),
    });
    text.collect()
}

#[track_caller]
fn expect(submitted: &Submitted, expected: &[(&str, &str)]) {
    let found = shown(submitted);
    let found: Vec<_> = found.iter().map(|(a, b)| (*a, &**b)).collect();
    assert_eq!(found, expected, "{:?}", submitted.asked);
    assert_eq!(submitted.asked, Vec::<String>::new());
}

/// What the teacher is told of the only work.
fn remarks(submitted: &Submitted) -> String {
    let (_, works) = &submitted.students[0];
    works.values().next().unwrap().as_ref().unwrap().remarks.join("\n")
}

fn reason(submitted: &Submitted) -> String {
    let (_, works) = &submitted.students[0];
    works.values().next().unwrap().as_ref().unwrap_err().clone()
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        // Packing takes long without optimization.
        let method = match bytes.len() {
            1..1024 => zip::CompressionMethod::Deflated,
            _ => zip::CompressionMethod::Stored,
        };
        let options = SimpleFileOptions::default().compression_method(method);
        match path.strip_suffix("@") {
            // A link, whose contents are its target.
            Some(path) => {
                let to = String::from_utf8_lossy(bytes);
                zip.add_symlink(path, to, options).unwrap();
            }
            None => {
                zip.start_file(*path, options).unwrap();
                zip.write_all(bytes).unwrap();
            }
        }
    }
    zip.finish().unwrap().into_inner()
}

const BOTH: [(&str, &str); 2] = [("Ada Example", ADA), ("Bob Example", BOB)];

#[test]
fn folders_with_the_students_names_hold_a_handout_at_any_depth() {
    let delivered = Delivered::new(&[
        ("Ada Example/handout/framing/src/framing.rs", ADA),
        ("Ada Example/handout/.homework/starter/framing/src/framing.rs", "no"),
        ("Ada Example/handout/tools/zen-homework/src/main.rs", "no"),
        ("Bob Example/a/b/c/framing/src/framing.rs", BOB),
        ("Bob Example/a/__MACOSX/framing/src/._framing.rs", "no"),
        ("Bob Example/.DS_Store", "no"),
    ]);
    expect(&delivered.all(), &BOTH);
    // The assignment's folder may be all that there is.
    let paths = ["Ada Example/handout/framing", "Bob Example/a/b/c/framing"];
    let found = find(&paths.map(|it| delivered.path(it)), &[]);
    expect(&found, &[("c", BOB), ("handout", ADA)]);
}

#[test]
fn moodle_delivers_folders_or_files_with_a_participants_number() {
    let delivered = Delivered::new(&[
        ("Ada Example_11_assignsubmission_file_/framing.rs", ADA),
        ("Ada Example_11_assignsubmission_onlinetext_/onlinetext.html", "Hi"),
        ("Bob Example_12_assignsubmission_file/hand in/framing.rs", BOB),
    ]);
    let found = delivered.all();
    expect(&found, &BOTH);
    let ids = found.students.iter().map(|(it, _)| (&*it.platform, &*it.id));
    assert_eq!(ids.collect::<Vec<_>>(), [("moodle", "11"), ("moodle", "12")]);
    // The whole download, unpacked.
    expect(&find(&[delivered.path("")], &[]), &BOTH);
    let flat = Delivered::new(&[
        ("Ada Example_11_assignsubmission_file_framing.rs", ADA),
        ("Bob Example_12_assignsubmission_file_framing (2).rs", BOB),
    ]);
    expect(&flat.all(), &BOTH);
}

#[test]
fn canvas_delivers_files_and_marks_what_is_late_or_handed_in_again() {
    let delivered = Delivered::new(&[
        ("exampleada_LATE_101_9001_framing.rs", ADA),
        ("examplebob_102_9002_framing.rs", ADA),
        ("examplebob_102_9007_framing-1.rs", BOB),
        ("examplecleo_103_text.html", "Where do I hand it in?"),
        ("LATE_anon_x7Rq2_9009_framing-2.rs", ADA),
    ]);
    // Its number is that of the file which came last, not the time.
    delivered.age("examplebob_102_9007_framing-1.rs", 1000);
    let found = delivered.all();
    let works = shown(&found);
    let names: Vec<_> = works.iter().map(|it| it.0).collect();
    assert_eq!(names, ["exampleada", "examplebob", "examplecleo", "x7Rq2"]);
    let texts: Vec<_> = works.iter().map(|it| &*it.1).collect();
    assert_eq!([texts[0], texts[1], texts[3]], [ADA, BOB, ADA]);
    assert!(texts[2].starts_with("? not found: src/framing.rs"));
    assert!(texts[2].contains("\n  text.html"), "{}", texts[2]);
    let late = found.students.iter().map(|(it, _)| it.is_late);
    assert_eq!(late.collect::<Vec<_>>(), [true, false, false, true]);
}

#[test]
fn d2l_delivers_a_folder_for_each_time() {
    let delivered = Delivered::new(&[
        ("index.html", "A table"),
        ("21-77 - Ada Example - Oct 5, 2026 845 AM/framing.rs", BOB),
        ("21-77 - Ada Example - Oct 5, 2026 1145 AM/framing.rs", ADA),
        ("22-77 - Bob Example - 6 October, 2026 2359/framing.zip", ""),
    ]);
    delivered.add(
        "22-77 - Bob Example - 6 October, 2026 2359/framing.zip",
        &zipped(&[("src/framing.rs", BOB.as_bytes())]),
    );
    let found = delivered.all();
    expect(&found, &BOTH);
    let ada = found.students[0].1["framing"].as_ref().unwrap();
    assert!(ada.remarks[0].contains("845 AM"), "{:?}", ada.remarks);
    assert_eq!(ada.time_of, "platform");
    let flat = Delivered::new(&[
        ("21-77 - Ada Example - Oct 5, 2026 845 AM - framing.rs", ADA),
        ("22-77 - Bob Example - Oct 5, 2026 845 AM - framing.rs", BOB),
    ]);
    expect(&flat.all(), &BOTH);
}

#[test]
fn blackboard_delivers_all_attempts_beside_their_receipts() {
    let attempt = "Framing_ada_attempt_2026-10-05";
    let file = |time: &str| format!("{attempt}-{time}_framing.rs");
    let delivered = Delivered::new(&[
        (&format!("{attempt}-08-00-00.txt"), "Name: Ada"),
        (&file("08-00-00"), BOB),
        (&file("09-00-00"), ADA),
    ]);
    delivered.age(&file("09-00-00"), 1000);
    expect(&delivered.all(), &[("ada", ADA)]);
}

const METADATA: &str = "\
---
submission_31:
  :submitters:
  - :name: Ada Example
    :sid: 7
    :email: ada@example.org
  - :name: Bob Example
    :email: bob@example.org
  :created_at: 2026-10-05 08:00:00.5 Z
  :score: 0.0
submission_32:
  :submitters:
  - :name: Cleo Example
    :sid: '9'
    :email: cleo@example.org
  :created_at: 2026-10-05 09:00:00.000000000 Z
";

#[test]
fn gradescopes_names_are_in_a_file_beside_the_folders() {
    let delivered = Delivered::new(&[
        ("export/submission_metadata.yml", METADATA),
        ("export/submission_31/framing/src/framing.rs", ADA),
        ("export/submission_32/framing.rs", BOB),
    ]);
    let class =
        [("Ada Example", ADA), ("Bob Example", ADA), ("Cleo Example", BOB)];
    let found = find(&delivered.each("export"), &[]);
    expect(&found, &class);
    let students = found.students.iter().map(|(it, _)| (&*it.id, &*it.email));
    let people = [
        ("7", "ada@example.org"),
        ("bob@example.org", "bob@example.org"),
        ("9", "cleo@example.org"),
    ];
    assert_eq!(students.collect::<Vec<_>>(), people);
    let time = found.students[0].1["framing"].as_ref().unwrap().time.unwrap();
    assert_eq!(time.timestamp_millis(), 1_791_187_200_500);
    // The whole export as a folder, and in a zip.
    expect(&find(&[delivered.path("export")], &[]), &class);
    let path = |it: &str| format!("export/{it}");
    let files = [
        (path("submission_metadata.yml"), METADATA),
        (path("submission_31/framing/src/framing.rs"), ADA),
        (path("submission_32/framing.rs"), BOB),
    ];
    let files = files.each_ref().map(|(path, it)| (&**path, it.as_bytes()));
    delivered.add("class.zip", &zipped(&files));
    expect(&find(&[delivered.path("class.zip")], &[]), &class);
    // Without the file, it is not clear whose they are.
    fs::remove_file(delivered.path("export/submission_metadata.yml")).unwrap();
    let found = find(&delivered.each("export"), &[]);
    expect(&found, &[("submission_31", ADA), ("submission_32", BOB)]);
}

#[test]
fn clones_of_repositories_have_the_users_name_and_the_commits_time() {
    let delivered = Delivered::new(&[
        ("framing-submissions/framing-ada/src/framing.rs", ADA),
        ("framing-submissions/cs1-framing-bob/framing/src/framing.rs", BOB),
    ]);
    let clone = delivered.path("framing-submissions/framing-ada");
    let git = |words: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
        git.env("GIT_COMMITTER_DATE", "2026-10-05T08:00:00Z");
        git.args(words).current_dir(&clone);
        assert!(git.output().unwrap().status.success(), "{words:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=framing"]);
    // Its settings could run any command, so no Git may even read them.
    delivered.add(
        "framing-submissions/framing-ada/.git/config",
        b"[core no setting\n",
    );
    let both = [("ada", ADA), ("bob", BOB)];
    let found = find(&[delivered.path("framing-submissions")], &[]);
    expect(&found, &both);
    let found = find(&delivered.each("framing-submissions"), &[]);
    expect(&found, &both);
    let [ada, bob] =
        [0, 1].map(|it| found.students[it].1["framing"].as_ref().unwrap());
    assert_eq!(ada.time.unwrap().timestamp(), 1_791_187_200);
    assert_eq!((ada.time_of, bob.time_of), ("commit", "file"));
}

#[test]
fn nbgrader_has_a_folder_for_each_student_and_assignment() {
    let delivered = Delivered::new(&[
        ("submitted/ada/framing/framing.rs", ADA),
        ("submitted/ada/framing/timestamp.txt", "2026-10-05 08:00:00.5 UTC"),
        ("submitted/bob/framing/src/framing.rs", BOB),
        ("submitted/bob/busy/src/main.rs", "// busy\n"),
    ]);
    let found = find(&[delivered.path("submitted")], &[]);
    let texts = shown(&found);
    assert!(texts[0].1.starts_with("? not found: src/"), "{texts:?}");
    assert_eq!(texts[1], ("ada", ADA.to_string()));
    assert_eq!(texts[2], ("bob", "// busy\n".to_string()));
    assert_eq!(texts[3], ("bob", BOB.to_string()));
    let ada = found.students[0].1["framing"].as_ref().unwrap();
    assert_eq!(ada.time.unwrap().timestamp_millis(), 1_791_187_200_500);
    // On another platform, a student could have written such a file.
    let from = delivered.path("submitted");
    fs::rename(from, delivered.path("class")).unwrap();
    let found = find(&[delivered.path("class/ada")], &["framing"]);
    let ada = found.students[0].1["framing"].as_ref().unwrap();
    assert_eq!(ada.time_of, "file");
}

#[test]
fn sakai_and_ilias_add_a_login_and_a_time() {
    let delivered = Delivered::new(&[
        ("Example, Ada(ada1)/Submission attachment(s)/framing.rs", ADA),
        ("Example_Bob_bob1_7/20261005093000_framing.rs", BOB),
        ("Example_Bob_bob1_7/20261005083000_framing.rs", ADA),
    ]);
    delivered.age("Example_Bob_bob1_7/20261005093000_framing.rs", 100);
    let found = delivered.all();
    expect(&found, &[("Example, Ada", ADA), ("Example_Bob_bob1_7", BOB)]);
    assert_eq!(found.students[0].0.id, "ada1");
}

#[test]
fn the_folders_around_name_the_students_of_assignments_folders() {
    let delivered = Delivered::new(&[
        ("Ada Example/framing/src/framing.rs", ADA),
        ("Bob Example/framing/framing.rs", BOB),
    ]);
    let paths = ["Ada Example/framing", "Bob Example/framing"];
    expect(&find(&paths.map(|it| delivered.path(it)), &[]), &BOTH);
}

#[test]
fn zips_are_opened_also_in_each_other() {
    let framing = zipped(&[(PLACE, ADA.as_bytes())]);
    let delivered = Delivered::new(&[]);
    delivered.add(
        "Ada Example.zip",
        &zipped(&[
            ("handout/framing (1).zip", &framing),
            ("__MACOSX/handout/framing/src/._framing.rs", b"no"),
            ("handout/.DS_Store", b"no"),
        ]),
    );
    // The same student, whose zip the teacher has unpacked.
    delivered.add("Bob Example.zip", &zipped(&[(PLACE, BOB.as_bytes())]));
    delivered.add("Bob Example/framing/src/framing.rs", BOB.as_bytes());
    expect(&delivered.all(), &BOTH);
    // A platform's zip of students' zips.
    let name = "Ada Example_11_assignsubmission_file_/x.zip";
    delivered.add("class.zip", &zipped(&[(name, &framing)]));
    expect(&find(&[delivered.path("class.zip")], &[]), &BOTH[..1]);
}

#[test]
fn a_name_in_a_zip_leads_nowhere_else_and_a_link_is_not_followed() {
    let delivered = Delivered::new(&[]);
    delivered.add(
        "ada.zip",
        &zipped(&[
            ("../framing/src/framing.rs", b"out"),
            ("/framing/src/framing.rs", b"root"),
            ("framing/src/framing.rs@", b"/etc/passwd"),
        ]),
    );
    let found = find(&[delivered.path("ada.zip")], &["framing"]);
    let why = reason(&found);
    assert!(why.starts_with("not found: src/framing.rs"), "{why}");
    assert!(why.contains("src/framing.rs: a link, not followed"), "{why}");
    assert!(why.contains("../framing/src/framing.rs: neither"), "{why}");
}

#[test]
fn what_is_too_large_in_a_zip_is_not_read() {
    let delivered = Delivered::new(&[]);
    let zeros = vec![0; 2 * 1024 * 1024];
    delivered.add("ada.zip", &zipped(&[(PLACE, &zeros)]));
    let found = find(&[delivered.path("ada.zip")], &["framing"]);
    assert!(reason(&found).contains("more than 1 MiB"), "{}", reason(&found));
    // A zip within a zip has a limit as well, and so has their depth.
    let zeros = vec![0; 33 * 1024 * 1024];
    let mut deep = zipped(&[(PLACE, ADA.as_bytes())]);
    for _ in 0..4 {
        deep = zipped(&[("deep.zip", &deep)]);
    }
    let files: [(&str, &[u8]); 2] = [("a.zip", &zeros), ("b.zip", &deep)];
    delivered.add("ada.zip", &zipped(&files));
    let found = find(&[delivered.path("ada.zip")], &["framing"]);
    let why = reason(&found);
    assert!(why.contains("a: a.zip: more than 32 MiB"), "{why}");
    assert!(why.contains("too many zips in each other"), "{why}");
}

#[test]
fn a_student_with_too_many_files_is_asked_about() {
    let names: Vec<_> = (0..20_001).map(|it| format!("{it}")).collect();
    let files = names.iter().map(|it| (&**it, &b""[..]));
    let delivered = Delivered::new(&[]);
    delivered.add("ada.zip", &zipped(&files.collect::<Vec<_>>()));
    let found = find(&[delivered.path("ada.zip")], &["framing"]);
    assert_eq!(reason(&found), "more than 20000 files");
}

#[test]
fn renamed_files_are_taken_for_what_they_are() {
    for name in [
        "framing (1).rs",
        "Framing.rs",
        "FRAMING.RS",
        "framing-2.rs",
        "framing - Copy.rs",
        "framing.rs.txt",
        "ada_framing.rs",
        "framing_ada.rs",
        "framing-main/src/framing.rs",
        "framing-main/framing/SRC/framing.rs",
        "framing (1)/src/framing.rs",
        "Framing/src/Framing.rs",
    ] {
        let delivered = Delivered::new(&[(&format!("ada/{name}"), ADA)]);
        let found = find(&[delivered.path("ada")], &[]);
        assert_eq!(shown(&found), [("ada", ADA.to_string())], "{name}");
    }
    for name in ["notes.rs", "framing2.rs", "framing.py", "myframing.rs"] {
        let delivered = Delivered::new(&[(&format!("ada/{name}"), ADA)]);
        let why = reason(&find(&[delivered.path("ada")], &["framing"]));
        assert!(why.contains(&format!("\n  {name}")), "{why}");
    }
}

#[test]
fn of_two_copies_the_newest_is_taken_and_named() {
    let delivered = Delivered::new(&[
        ("ada/framing/src/framing.rs", BOB),
        ("ada/framing.rs", ADA),
    ]);
    delivered.age("ada/framing/src/framing.rs", 100);
    let found = find(&[delivered.path("ada")], &[]);
    expect(&found, &[("ada", ADA)]);
    let said = remarks(&found);
    assert!(said.contains("the newest, framing.rs, was taken"), "{said}");
    delivered.age("ada/framing.rs", 200);
    let found = find(&[delivered.path("ada")], &[]);
    expect(&found, &[("ada", BOB)]);
    // Without a difference in time, a copy's number decides, or else no one.
    delivered.age("ada/framing.rs", 100);
    let why = reason(&find(&[delivered.path("ada")], &["framing"]));
    assert!(why.starts_with("two copies, and nothing says"), "{why}");
    delivered.add("ada/framing (2).rs", b"// third\n");
    delivered.age("ada/framing (2).rs", 100);
    expect(&find(&[delivered.path("ada")], &[]), &[("ada", "// third\n")]);
}

#[test]
fn an_untouched_starter_is_no_second_copy() {
    let framing = ASSIGNMENTS.iter().find(|it| it.name == "framing").unwrap();
    let starter = super::source::starter(framing).unwrap();
    let file = starter.iter().find(|(path, _)| path.ends_with("framing.rs"));
    let delivered = Delivered::new(&[("ada/framing.rs", ADA)]);
    delivered.age("ada/framing.rs", 1000);
    delivered.add("ada/handout/framing/src/framing.rs", &file.unwrap().1);
    let found = find(&[delivered.path("ada")], &[]);
    expect(&found, &[("ada", ADA)]);
    assert!(!remarks(&found).contains("newest"), "{}", remarks(&found));
}

#[test]
fn a_class_that_is_given_as_one_student_is_asked_about() {
    // The same text, as of students who have copied.
    let delivered = Delivered::new(&[
        ("class/ada/framing/src/framing.rs", ADA),
        ("class/bob/framing/src/framing.rs", ADA),
    ]);
    let why = reason(&find(&[delivered.path("class")], &["framing"]));
    assert!(why.starts_with("is this one student, or several?"), "{why}");
    assert!(why.contains("ada, bob"), "{why}");
    // Versions of one student's work have other names.
    let delivered = Delivered::new(&[
        ("ada/old/framing/src/framing.rs", BOB),
        ("ada/framing-final/src/framing.rs", ADA),
    ]);
    delivered.age("ada/old/framing/src/framing.rs", 100);
    expect(&find(&[delivered.path("ada")], &[]), &[("ada", ADA)]);
}

#[test]
fn no_student_hands_in_a_class_with_works_of_others() {
    let forged = "submission_1:\n  :submitters:\n  - :name: Bob Example\n";
    let moodle = "eve/Bob Example_12_assignsubmission_file_/framing.rs";
    for files in [
        &[
            ("eve/submission_metadata.yml", forged),
            ("eve/submission_1/framing.rs", ADA),
        ][..],
        &[(moodle, ADA)],
        &[("eve/ada_1_2_framing.rs", ADA)],
    ] {
        let delivered = Delivered::new(files);
        delivered.add("Bob Example/framing.rs", BOB.as_bytes());
        let found = delivered.all();
        let students = found.students.iter();
        let students: Vec<_> = students.map(|it| &*it.0.name).collect();
        assert_eq!(students, ["Bob Example", "eve"]);
        assert_eq!(shown(&found)[0].1, BOB);
    }
}

#[cfg(unix)]
#[test]
fn stray_files_links_and_other_archives_are_named_and_not_graded() {
    let delivered = Delivered::new(&[
        ("notes.txt", ""),
        ("framing.rs", ADA),
        ("cleo.tar.gz", ""),
        ("ada/framing/src/framing.rs", ADA),
    ]);
    let link = |to: &str| {
        std::os::unix::fs::symlink(delivered.path("ada"), delivered.path(to))
    };
    link("bob").unwrap();
    let found = delivered.all();
    assert_eq!(shown(&found), [("ada", ADA.to_string())]);
    let asked = found.asked.join("\n");
    for what in [
        "notes.txt: a file whose name does not say whose",
        "framing.rs: a file whose name does not say whose",
        "cleo.tar.gz: an archive that is not opened",
        "bob: a link, which is not followed",
    ] {
        assert!(asked.contains(what), "{what}: {asked}");
    }
}

#[test]
fn nothing_that_is_found_says_what_is_there() {
    let delivered = Delivered::new(&[
        ("ada/report.pdf", ""),
        ("ada/work.7z", ""),
        ("ada/target/debug/framing.rs", ""),
    ]);
    let why = reason(&find(&[delivered.path("ada")], &["framing"]));
    for what in [
        "not found: src/framing.rs",
        "\n  report.pdf",
        "\n  work.7z: only zips are opened",
        "\n  target: built or installed",
    ] {
        assert!(why.contains(what), "{what}: {why}");
    }
    fs::create_dir(delivered.path("bob")).unwrap();
    let why = reason(&find(&[delivered.path("bob")], &["framing"]));
    assert!(why.ends_with("nothing at all"), "{why}");
}

#[test]
fn what_is_built_or_installed_beside_the_source_is_left_out() {
    let delivered = Delivered::new(&[
        ("ada/any/server/start.toml", "language = \"python\"\n"),
        ("ada/any/server/server.py", ADA),
        ("ada/any/server/env/pyvenv.cfg", ""),
        ("ada/any/server/node_modules/x/index.js", ""),
        ("ada/any/server/target/debug/x", ""),
        ("ada/any/assignment.toml", "dialect = 2014\nnumber = 10\n"),
    ]);
    delivered.add("ada/any/server/core", &vec![0; 2 * 1024 * 1024]);
    let found = find(&[delivered.path("ada")], &[]);
    let work = found.students[0].1["any"].as_ref().unwrap();
    let files = work.files.iter().map(|(path, _)| path.to_str().unwrap());
    let files: Vec<_> = files.collect();
    assert_eq!(files, ["server/server.py", "server/start.toml"]);
    let said = work.remarks.join("\n");
    for what in ["env: a virtual", "node_modules: ", "target: ", "core: more"] {
        assert!(said.contains(what), "{what}: {said}");
    }
    assert_eq!(work.dialect, Some(Some(2014)));
}

#[test]
fn files_without_their_folder_are_put_where_they_belong() {
    let delivered = Delivered::new(&[
        ("ada_1_11_main.rs", ADA),
        ("ada_1_12_door-1.rs", BOB),
        ("ada_1_13_pool.rs", "// own\n"),
    ]);
    let found = delivered.all();
    let work = found.students[0].1["busy"].as_ref().unwrap();
    let files = work.files.iter().map(|(path, _)| path.to_str().unwrap());
    let files: Vec<_> = files.collect();
    assert_eq!(files, ["src/door.rs", "src/main.rs", "src/pool.rs"]);
    // Without `door.rs`, it may be any assignment.
    fs::remove_file(delivered.path("ada_1_12_door-1.rs")).unwrap();
    assert!(delivered.all().assignments.is_empty());
    let found = find(&delivered.each(""), &["busy"]);
    assert_eq!(found.students[0].1["busy"].as_ref().unwrap().files.len(), 2);
}

#[test]
fn one_assignment_is_not_taken_for_another() {
    let delivered = Delivered::new(&[
        ("ada/busy/src/main.rs", ADA),
        ("ada/deadlines/Cargo.toml", "[package]\nname = \"deadlines\"\n"),
        ("ada/deadlines/src/main.rs", BOB),
        ("ada/any/server/src/server.rs", "// restart has one\n"),
    ]);
    let found = find(&[delivered.path("ada")], &[]);
    let names: Vec<_> = found.assignments.iter().map(|it| &**it).collect();
    assert_eq!(names, ["any", "busy", "deadlines"]);
    let why = reason(&find(&[delivered.path("ada")], &["fairness"]));
    assert!(why.contains("\n  busy/src/main.rs"), "{why}");
    // Something else of the student's is no second copy.
    delivered.add("ada/mine/src/main.rs", b"// mine");
    expect(&find(&[delivered.path("ada")], &["busy"]), &[("ada", ADA)]);
    // Of two files that it asks for, one may be elsewhere, or missing.
    let found = find(&[delivered.path("ada")], &["deadlines"]);
    let said = remarks(&found);
    assert!(said.contains("src/deadlines.rs is missing"), "{said}");
}

#[test]
fn any_name_is_a_students_name() {
    let names = ["=1+1", "-x", "a,b", "Müller, José"];
    let delivered = Delivered::new(&[]);
    for name in names {
        delivered.add(&format!("{name}/framing.rs"), ADA.as_bytes());
    }
    let found = delivered.all();
    let expected = ["-x", "=1+1", "Müller, José", "a,b"];
    expect(&found, &expected.map(|name| (name, ADA)));
    // Decomposed, as macOS writes it, it is the same student.
    let path = "Mu\u{308}ller, Jose\u{301}/framing.rs";
    delivered.add(path, ADA.as_bytes());
    let named = ["framing".to_string()];
    let paths = delivered.each("");
    let why = collect(&paths, &ASSIGNMENTS, &named, None).err().unwrap();
    assert_eq!(why, "two students are called Müller, José");
}

#[test]
fn no_name_gives_orders_to_a_terminal() {
    let delivered = Delivered::new(&[]);
    let name = "framing.rs\u{1b}[2J";
    delivered.add("ada.zip", &zipped(&[(name, b"")]));
    let why = reason(&find(&[delivered.path("ada.zip")], &["framing"]));
    assert!(why.contains("framing.rs\u{fffd}[2J"), "{why:?}");
}

#[test]
fn a_byte_order_mark_is_removed_and_crlf_stays() {
    let delivered = Delivered::new(&[("ada/framing.rs", "\u{feff}// a\r\n")]);
    expect(&find(&[delivered.path("ada")], &[]), &[("ada", "// a\r\n")]);
}

#[test]
fn a_roster_says_who_is_meant() {
    let delivered = Delivered::new(&[
        ("müllerjosé_101_9001_framing.rs", ADA),
        ("exampleada_102_9002_framing.rs", BOB),
        ("exampleada_103_9003_framing.rs", ADA),
        ("stranger_104_9004_framing.rs", ADA),
    ]);
    delivered.add(
        "roster.csv",
        "name;canvas;group\n\"Müller, José\";;1\nAda Example;102;1\n\
        Ada Example;103;2\nCleo Example;105;2\n"
            .as_bytes(),
    );
    let roster = Roster::load(&delivered.path("roster.csv")).unwrap();
    let mut paths = delivered.each("");
    paths.retain(|it| !it.ends_with("roster.csv"));
    let found = collect(&paths, &ASSIGNMENTS, &[], Some(&roster)).unwrap();
    let names: Vec<_> = found.students.iter().map(|it| &*it.0.name).collect();
    let expected = [
        "Ada Example (102)",
        "Ada Example (103)",
        "Müller, José",
        "stranger",
        "Cleo Example",
    ];
    assert_eq!(names, expected);
    let cleo = found.students[4].1["framing"].as_ref().unwrap_err();
    assert_eq!(cleo, "nothing was handed in");
    let asked = "stranger: not in the roster; graded all the same";
    assert_eq!(found.asked, [asked]);
}
