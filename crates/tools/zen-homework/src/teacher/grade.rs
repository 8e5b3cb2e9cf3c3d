//! Grades a class: finds the works, has them examined, and keeps the grades.

use std::sync::{Mutex, PoisonError};
use std::thread;

use super::cage;
use super::class::{Class, How};
use super::intake::{self, Work};
pub use super::options::GradeOptions;
use super::records::Records;
use super::roster::Roster;
use super::submissions::{self, Submitted};
use crate::assignment::Assignment;
use crate::project::Project;
use crate::stages::{self, StageOutcome, StageResult};
use crate::student::print;

/// Grades everything that was handed in, and writes the grades and reports;
/// true if every grade is known.
pub fn grade(
    project: &Project,
    options: &GradeOptions,
) -> Result<bool, String> {
    cage::keep_descriptors();
    grade_with(project, options, |assignments, works, tell| {
        if works.is_empty() {
            return Ok(());
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let how = How {
            jobs: options.jobs.unwrap_or(cores).max(1),
            seed: options.seed,
            unlimited: options.unlimited,
            tools: &options.tools,
        };
        let class = Class::new(project, assignments, how)?;
        print(&format!("{}\n", class.isolation()))?;
        class.examine(works, tell);
        Ok(())
    })
}

/// What takes each result.
type Tell<'a> = dyn Fn(&Work<'_>, &[StageResult]) + Sync + 'a;

/// Grades what `examine` examines of these works.
fn grade_with(
    project: &Project,
    options: &GradeOptions,
    examine: impl FnOnce(
        &[Assignment],
        Vec<Work<'_>>,
        &Tell<'_>,
    ) -> Result<(), String>,
) -> Result<bool, String> {
    let all = project.assignments()?;
    for name in &options.assignments {
        project.assignment(name)?;
    }
    let mut records = Records::open(options, &all)?;
    let roster = options.roster.as_deref().map(Roster::load).transpose()?;
    let (paths, named) = (&options.submissions, &options.assignments);
    let submitted = submissions::collect(paths, &all, named, roster.as_ref())?;
    for what in &submitted.asked {
        print(&format!("{what}\n"))?;
    }
    if submitted.assignments.is_empty() {
        return tell_all(&submitted).map(|()| false);
    }
    let is_clear = submitted.asked.is_empty();
    let variants = intake::variants(all, &submitted, options.dialect)?;
    let assignments = variants.iter().map(|it| it.assignment.clone());
    let mut assignments: Vec<_> = assignments.collect();
    assignments.dedup_by(|a, b| a.name == b.name);
    let intake = intake::take(submitted, &variants, options)?;
    let is_clear = is_clear && !intake.dialects_differ;
    for (work, why) in intake.not_found {
        let why = StageOutcome::Unknown(why);
        let none = stages::end_with(work.assignment, vec![], why);
        records.record(&work, &none)?;
    }
    let mut works = Vec::new();
    for work in intake.works {
        if !records.has(&work)? {
            works.push(work);
        }
    }
    let written = Mutex::new((records, Ok(())));
    examine(&assignments, works, &|work, results| {
        let mut written =
            written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(why) = written.0.record(work, results) {
            written.1 = Err(why);
        }
    })?;
    let written = written.into_inner();
    let (records, written) = written.unwrap_or_else(PoisonError::into_inner);
    written?;
    Ok(records.end(&assignments, roster.as_ref())? && is_clear)
}

/// Says what there is, if no assignment can be recognized in it.
fn tell_all(submitted: &Submitted) -> Result<(), String> {
    for (student, works) in &submitted.students {
        let why = works.values().find_map(|it| it.as_ref().err());
        let there = why.and_then(|it| it.split_once('\n'));
        let there = there.map_or("nothing", |(_, there)| there);
        print(&format!("{}: ?\n{there}\n", student.name))?;
    }
    print("No work was recognized: name the assignment, --assignment NAME\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::{GradeOptions, grade_with};
    use crate::project::Project;
    use crate::stages::{self, StageOutcome};
    use crate::teacher::gradebook::Gradebook;
    use crate::teacher::source;
    use crate::teacher::summary::table;
    use crate::teacher::table::cell;
    use crate::teacher::workshop::Temporary;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: GradeOptions,
    }

    /// A class in a folder.
    struct Class(Temporary);

    impl Class {
        fn new(files: &[(&str, &str)]) -> Self {
            let class = Self(Temporary::new().unwrap());
            files.iter().for_each(|(path, text)| class.add(path, text));
            class
        }

        fn add(&self, path: &str, text: &str) {
            let path = self.0.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn options(&self, words: &[&str]) -> GradeOptions {
            let place = |it: &&str| match it.strip_prefix("./") {
                Some(path) => self.0.0.join(path).into_os_string(),
                None => it.into(),
            };
            let mut words: Vec<_> = words.iter().map(place).collect();
            words.insert(0, "grade".into());
            words.extend(["--to".into(), self.0.0.join("to").into()]);
            Line::parse_from(words).options
        }
    }

    /// What is to be examined: student, assignment, dialect and its row.
    fn works(
        options: &GradeOptions,
        results: impl Fn(&str) -> Option<StageOutcome>,
    ) -> Result<(Vec<String>, bool), String> {
        let folder = zen_harness::folder!();
        let project = Project::around(&folder).unwrap();
        let mut names = Vec::new();
        let is_clear = grade_with(&project, options, |_, works, tell| {
            for work in works {
                let student = cell(&work.row, "student").to_string();
                names.push(match work.assignment.dialect {
                    Some(it) => format!("{student} {it}"),
                    None => student.clone(),
                });
                if let Some(outcome) = results(&student) {
                    let all =
                        stages::end_with(work.assignment, vec![], outcome);
                    tell(&work, &all);
                }
            }
            Ok(())
        })?;
        Ok((names, is_clear))
    }

    fn failed(_: &str) -> Option<StageOutcome> {
        Some(StageOutcome::Failed("it is empty".into(), Vec::new()))
    }

    #[test]
    fn a_second_run_grades_what_is_new_or_was_not_done() {
        let class = Class::new(&[
            ("class/ada/framing.rs", "// ada"),
            ("class/bob/framing.rs", "// bob"),
            ("class/cleo/framing.rs", "// cleo"),
        ]);
        let options =
            class.options(&["./class/ada", "./class/bob", "./class/cleo"]);
        // As if it were interrupted before cleo's work is done.
        let (first, _) = works(&options, |student| match student {
            "cleo" => None,
            _ => failed(student),
        })
        .unwrap();
        assert_eq!(first, ["ada", "bob", "cleo"]);
        class.add("class/bob/framing.rs", "// bob again");
        let (second, is_clear) = works(&options, failed).unwrap();
        assert_eq!(
            (second, is_clear),
            (vec!["bob".into(), "cleo".into()], true)
        );
        let (third, _) = works(&options, failed).unwrap();
        assert_eq!(third, Vec::<String>::new());
        // Points of the teacher's stay while the files are the same.
        let file = options.to.join("grades.csv");
        let text = fs::read_to_string(&file).unwrap();
        let edited = text.replace("ada,framing,0,", "ada,framing,7.5,");
        assert_ne!(edited, text);
        fs::write(&file, &edited).unwrap();
        let (fourth, _) = works(&options, failed).unwrap();
        assert_eq!(fourth, Vec::<String>::new());
        assert_eq!(fs::read_to_string(&file).unwrap(), edited);
        // Another seed is another examination, and all may be wanted again.
        for more in [&["--seed", "5"][..], &["--again"]] {
            let words = [&["./class/ada", "./class/bob"][..], more].concat();
            let (again, _) = works(&class.options(&words), failed).unwrap();
            assert_eq!(again, ["ada", "bob"]);
        }
    }

    #[test]
    fn what_is_not_found_is_no_zero_and_the_roster_knows_who_is_missing() {
        let class = Class::new(&[
            ("class/ada/framing.rs", "// ada"),
            ("class/bob/report.pdf", ""),
            ("roster.csv", "name,email\nada,\nbob,\nCleo,cleo@example.org\n"),
        ]);
        let words = ["./class/ada", "./class/bob", "--roster", "./roster.csv"];
        let options = class.options(&words);
        let (found, is_clear) = works(&options, failed).unwrap();
        assert_eq!((found, is_clear), (vec!["ada".to_string()], false));
        let text = fs::read_to_string(options.to.join("grades.csv")).unwrap();
        assert!(text.contains("\r\nada,framing,0,10,whole,"), "{text}");
        assert!(text.contains("\r\nbob,framing,?,10,,?,?,?,"), "{text}");
        assert!(text.contains("\r\nCleo,framing,?,10,,"), "{text}");
        assert!(text.contains("cleo@example.org"), "{text}");
        let report = fs::read_to_string(options.to.join("bob/framing.txt"));
        assert!(report.unwrap().contains("report.pdf"));
    }

    #[test]
    fn what_no_one_can_recognize_is_no_zero_either() {
        let class = Class::new(&[("c/ada/main.rs", "// of which assignment?")]);
        let (found, is_clear) =
            works(&class.options(&["./c/ada"]), failed).unwrap();
        assert_eq!((found, is_clear), (Vec::new(), false));
    }

    #[test]
    fn it_is_known_by_how_much_a_work_is_late() {
        let class = Class::new(&[
            ("submitted/ada/framing/timestamp.txt", "2026-10-06 01:30:01 UTC"),
            ("submitted/ada/framing/framing.rs", "// ada"),
        ]);
        let words = ["./submitted/ada", "--due", "2026-10-05T00:00:00Z"];
        let options = class.options(&words);
        works(&options, failed).unwrap();
        let text = fs::read_to_string(options.to.join("grades.csv")).unwrap();
        let cells = ",2026-10-06T01:30:01Z,platform,1531,";
        assert!(text.contains(cells), "{text}");
        // It may become due later, without another examination.
        let words = ["./submitted/ada", "--due", "2026-10-06T00:00:00Z"];
        let options = class.options(&words);
        let (again, _) = works(&options, failed).unwrap();
        assert_eq!(again, Vec::<String>::new());
        let text = fs::read_to_string(options.to.join("grades.csv")).unwrap();
        assert!(text.contains(",platform,91,"), "{text}");
    }

    #[test]
    fn a_starter_and_equal_works_are_named() {
        let folder = zen_harness::folder!();
        let project = Project::around(&folder).unwrap();
        let framing = project.assignment("framing").unwrap();
        let starter = source::starter(&framing).unwrap();
        let file = starter.iter().find(|it| it.0.ends_with("framing.rs"));
        let starter = String::from_utf8_lossy(&file.unwrap().1).into_owned();
        let class = Class::new(&[
            ("c/ada/framing.rs", "// the same"),
            ("c/bob/framing.rs", "// the same"),
            ("c/cleo/framing.rs", "// another"),
            ("c/dora/framing.rs", &starter),
            ("c/emil/framing.rs", &starter),
        ]);
        let words = ["ada", "bob", "cleo", "dora", "emil"];
        let words = words.map(|it| format!("./c/{it}"));
        let words = words.each_ref().map(|it| &**it);
        let options = class.options(&words);
        works(&options, failed).unwrap();
        let report = |name: &str| {
            let file = options.to.join(name).join("framing.txt");
            fs::read_to_string(file).unwrap()
        };
        for name in ["dora", "emil"] {
            let report = report(name);
            assert!(report.contains("\nunchanged starter\n"), "{report}");
        }
        // A student reads no other one's name.
        assert!(!report("ada").contains("bob"), "{}", report("ada"));
        let book = Gradebook::open(&options.to, &[framing]).unwrap();
        let table = table(&book.rows.iter().collect::<Vec<_>>());
        assert_eq!(table.matches("unchanged starter\n").count(), 2, "{table}");
        for what in ["the same files as ada\n", "the same files as bob\n"] {
            assert_eq!(table.matches(what).count(), 1, "{table}");
        }
    }

    #[test]
    fn each_student_may_have_a_dialect_and_another_one_is_named() {
        let handout = |seed: u64| format!("dialect = {seed}\nnumber = 10\n");
        let class = Class::new(&[
            ("c/ada/any/assignment.toml", &handout(7)),
            ("c/ada/any/server/start.toml", "# ada"),
            ("c/bob/any/assignment.toml", &handout(7)),
            ("c/bob/any/server/start.toml", "# bob"),
            ("roster.csv", "name,dialect\nada,7\nbob,8\n"),
        ]);
        let words = ["./c/ada", "./c/bob", "--roster", "./roster.csv"];
        let (found, is_clear) = works(&class.options(&words), failed).unwrap();
        assert_eq!(found, ["ada 7", "bob 8"]);
        assert!(!is_clear);
        let text = fs::read_to_string(class.0.0.join("to/grades.csv")).unwrap();
        let what = "the handout is in dialect 7, and is graded in dialect 8";
        assert_eq!(text.matches(what).count(), 1, "{text}");
        // With one for all, it is evident if the option was forgotten.
        let why = works(&class.options(&words[..2]), failed).unwrap_err();
        assert!(why.ends_with("--dialect SEED"), "{why}");
        let words = ["./c/ada", "./c/bob", "--dialect", "7"];
        let (found, is_clear) = works(&class.options(&words), failed).unwrap();
        // Ada's is graded already, in this dialect.
        assert_eq!((found, is_clear), (vec!["bob 7".to_string()], true));
    }
}
