//! Grades a class: the files that each student may change are copied into a
//! project of the teacher's, built there, and examined within limits.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Args;

use super::limits::{Keeper, Kept, Limits};
use super::source::{self, Files};
use super::workshop::Workshop;
use crate::assignment::Assignment;
use crate::project::{Project, copy_files};
use crate::stages::{self, StageOutcome, StageResult};
use crate::student::{find_submission, print, told};

/// A compiler needs more than most servers.
const BUILD_LIMITS: Limits =
    Limits { memory_mib: 4096, processes: 1024, descriptors: 4096 };

/// The user slot of an assignment's own build command, above those of the
/// examinations.
const BUILD_SLOT: u32 = 1000;

/// After the time limit no case begins; the last one may take this long.
const LAST_CASE: Duration = Duration::from_secs(60);

/// The options for grading a class.
#[derive(Args, Clone, Debug)]
pub struct GradeOptions {
    /// Folders of students, such as `class/*`
    #[arg(required = true, value_name = "DIR")]
    submissions: Vec<PathBuf>,

    /// Grade this assignment [default: all that anyone has handed in]
    #[arg(long = "assignment", value_name = "NAME")]
    assignments: Vec<String>,

    /// Folder for grades.csv, and for a report on each student
    #[arg(long, value_name = "DIR", default_value = "grades")]
    to: PathBuf,

    /// Examine N programs at a time [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// Seed for all cuts and orders
    #[arg(long, default_value_t = 1060)]
    seed: u64,

    /// Seed of the dialect in which it was handed out
    #[arg(long, value_name = "SEED")]
    dialect: Option<u64>,

    /// Limit only the time
    #[arg(long)]
    unlimited: bool,
}

/// One student's work on one assignment.
struct Work<'a> {
    student: String,
    assignment: &'a Assignment,
    /// Its folder, if anything was handed in.
    from: Option<PathBuf>,
}

/// The grade for one student's work.
struct Grade<'a> {
    student: String,
    assignment: &'a Assignment,
    results: Vec<StageResult>,
}

impl<'a> Grade<'a> {
    /// Shows the teacher each grade as soon as it is known.
    fn new(work: Work<'a>, results: Vec<StageResult>) -> Self {
        let Work { student, assignment, .. } = work;
        let points = stages::points(&results);
        let points = points.map_or("?".into(), |it| it.to_string());
        let (name, of) = (&assignment.name, assignment.points_max());
        print(&format!("{student}, {name}: {points} of {of}\n")).ok();
        Self { student, assignment, results }
    }
}

/// Grades everything that was handed in, and writes the grades and reports;
/// true if every grade is known.
pub fn grade(
    project: &Project,
    options: &GradeOptions,
) -> Result<bool, String> {
    let assignments = assignments(project, options)?;
    let works = works(&assignments, options)?;
    let workshop = Workshop::new(project, &assignments)?;
    let tool = workshop.folder().join("zen-homework");
    std::env::current_exe()
        .and_then(|own| fs::copy(own, &tool))
        .map_err(|err| format!("this program: {err}"))?;
    let keeper = match options.unlimited {
        true => Keeper::unlimited(),
        false => Keeper::new(&tool).map_err(|why| {
            format!(
                "students' programs cannot be limited here \
                ({why}); --unlimited does without"
            )
        })?,
    };
    let class = Class { workshop, keeper, tool, options };
    let mut grades = class.grade(works)?;
    grades.sort_by(|a, b| {
        let key = |it: &Grade<'_>| (it.student.clone(), it.assignment.number);
        key(a).cmp(&key(b))
    });
    write_all(&grades, options)?;
    print(&table(&grades))?;
    let unknown = |it: &&Grade<'_>| stages::points(&it.results).is_none();
    let unknown = grades.iter().filter(unknown).count();
    if unknown > 0 {
        print(&format!("{unknown} of them could not be graded: try again\n"))?;
    }
    Ok(unknown == 0)
}

fn assignments(
    project: &Project,
    options: &GradeOptions,
) -> Result<Vec<Assignment>, String> {
    if !options.assignments.is_empty() {
        let names = options.assignments.iter();
        let named = names
            .map(|name| project.assignment(name)?.in_dialect(options.dialect));
        return named.collect();
    }
    let mut assignments = project.assignments()?;
    // By the folder's name only: a bare src/ could belong to any assignment.
    assignments.retain(|it| {
        options.submissions.iter().any(|folder| {
            find_submission(it, folder)
                .is_some_and(|found| found.ends_with(&it.name))
        })
    });
    match assignments.is_empty() {
        true => Err("no one has handed in anything: --assignment NAME".into()),
        false => {
            let assignments = assignments.into_iter();
            assignments.map(|it| it.in_dialect(options.dialect)).collect()
        }
    }
}

fn works<'a>(
    assignments: &'a [Assignment],
    options: &GradeOptions,
) -> Result<Vec<Work<'a>>, String> {
    let mut students = BTreeMap::new();
    for folder in &options.submissions {
        let whole = folder.canonicalize();
        let whole = whole.map_err(|e| format!("{}: {e}", folder.display()))?;
        let name = whole.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        if students.insert(name.clone(), whole).is_some() {
            return Err(format!("two students are called {name}"));
        }
    }
    let mut works = Vec::new();
    for (student, folder) in students {
        for assignment in assignments {
            let from = find_submission(assignment, &folder);
            let student = student.clone();
            works.push(Work { student, assignment, from });
        }
    }
    Ok(works)
}

struct Class<'a> {
    workshop: Workshop,
    keeper: Keeper,
    /// This program, at a place where every user may read it.
    tool: PathBuf,
    options: &'a GradeOptions,
}

/// A work that can be examined: its folder, and the program built there.
struct Ready<'a> {
    work: Work<'a>,
    folder: PathBuf,
}

impl<'a> Class<'a> {
    /// Builds one work after another, since a build by Cargo uses the whole
    /// machine, and examines several at a time, since that is mostly waiting.
    fn grade(&self, works: Vec<Work<'a>>) -> Result<Vec<Grade<'a>>, String> {
        let starters = self.starters(&works)?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.options.jobs.unwrap_or(cores).max(1);
        let (to, queue) = crossbeam::channel::bounded::<Ready<'a>>(0);
        let (done, grades) = mpsc::channel();
        thread::scope(|scope| {
            for slot in 0..jobs as u32 {
                let (queue, done) = (queue.clone(), done.clone());
                scope.spawn(move || {
                    for Ready { work, folder } in queue {
                        let results = self.examine(&work, &folder, slot);
                        fs::remove_dir_all(&folder).ok();
                        done.send(results.map(|it| Grade::new(work, it))).ok();
                    }
                });
            }
            drop(queue);
            for (number, work) in works.into_iter().enumerate() {
                let starter = &starters[&work.assignment.name];
                match self.build(&work, starter, number) {
                    Ok(Err(results)) => {
                        done.send(Ok(Grade::new(work, results))).ok();
                    }
                    Ok(Ok(folder)) => _ = to.send(Ready { work, folder }),
                    Err(why) => {
                        done.send(Err(why)).ok();
                        break;
                    }
                }
            }
            drop((to, done));
        });
        grades.into_iter().collect()
    }

    fn starters(
        &self,
        works: &[Work<'_>],
    ) -> Result<BTreeMap<String, Files>, String> {
        let mut starters = BTreeMap::new();
        for Work { assignment, .. } in works {
            let files = source::starter(assignment)?;
            starters.insert(assignment.name.clone(), files);
        }
        Ok(starters)
    }

    /// Copies the files that a student may change into the pristine project,
    /// and builds it. Returns a folder with the program, or the results if the
    /// work cannot be examined.
    fn build(
        &self,
        work: &Work<'_>,
        starter: &Files,
        number: usize,
    ) -> Result<Result<PathBuf, Vec<StageResult>>, String> {
        let assignment = work.assignment;
        let failed = |what: &str, said| {
            Ok(Err(stages::all_failed(assignment, what, said)))
        };
        let Some(from) = &work.from else {
            return failed("nothing was handed in", Vec::new());
        };
        self.workshop.put(&assignment.name, starter)?;
        let here = self.workshop.assignment(&assignment.name)?;
        if let Err(why) = copy_files(assignment, from, &here.folder) {
            return failed(&format!("unusable files: {why}"), Vec::new());
        }
        // Cargo runs no student's code during a build; another command might.
        let slot = (!assignment.is_cargos()).then_some(BUILD_SLOT);
        if let Some(slot) = slot {
            self.keeper.give(&here.folder, slot)?;
            self.keeper.give(&self.workshop.go(), slot)?;
        }
        let limit = |command| self.keeper.within(command, BUILD_LIMITS, slot);
        let program = match self.workshop.build(&here, limit)? {
            (Ok(program), _) => program,
            (Err(what), said) => return failed(&what, said),
        };
        let folder = self.workshop.folder().join(format!("run-{number}"));
        let to = folder.join(&assignment.name);
        if let Err(why) = copy_all(&here.folder, &to) {
            return failed(&format!("unusable files: {why}"), Vec::new());
        }
        if assignment.is_cargos() {
            fs::copy(&program, folder.join("program"))
                .map_err(|err| format!("{}: {err}", program.display()))?;
        }
        Ok(Ok(folder))
    }

    /// Examines a program in a process of its own.
    fn examine(
        &self,
        Work { assignment, .. }: &Work<'_>,
        folder: &Path,
        slot: u32,
    ) -> Result<Vec<StageResult>, String> {
        let file = folder.join("results.json");
        fs::write(&file, "[]").map_err(|err| err.to_string())?;
        self.keeper.give(folder, slot)?;
        let mut command = Command::new(&self.tool);
        command.arg("examine").arg(folder.join(&assignment.name));
        command.arg(folder.join("program")).arg(&file);
        command.arg("--seed").arg(self.options.seed.to_string());
        command.current_dir(folder);
        let limits = Limits {
            memory_mib: assignment.memory_mib,
            processes: assignment.processes,
            descriptors: assignment.descriptors,
        };
        let mut command = self.keeper.within(command, limits, Some(slot));
        let log = fs::File::create(folder.join("examine.log"));
        let log = log.map_err(|err| err.to_string())?;
        let second = log.try_clone().map_err(|err| err.to_string())?;
        command.stdin(std::process::Stdio::null()).stdout(log).stderr(second);
        let time_max = Duration::from_secs(assignment.run_seconds) + LAST_CASE;
        let kept = self.keeper.run(&mut command, limits, time_max)?;
        let text = fs::read(&file).unwrap_or_default();
        let results: Vec<_> = serde_json::from_slice(&text).unwrap_or_default();
        let all = results.len() == assignment.stages.len();
        Ok(match kept {
            Kept::Ended(status) if status.success() && all => results,
            Kept::Ended(status) => {
                let said = fs::read_to_string(folder.join("examine.log"));
                let said = said.unwrap_or_default();
                // The checker could not start a thread beside the program.
                let outcome = match said.contains("failed to spawn thread") {
                    true => StageOutcome::Failed(
                        "it left no room for another thread".into(),
                        Vec::new(),
                    ),
                    false => StageOutcome::Unknown(format!(
                        "the examination ended: {status} {said}"
                    )),
                };
                stages::end_with(assignment, results, outcome)
            }
            Kept::Killed(why) => {
                let outcome = StageOutcome::Failed(why, Vec::new());
                stages::end_with(assignment, results, outcome)
            }
        })
    }
}

/// Copies all files of a folder, with the permissions of what was built there.
/// Links are left out: they might lead anywhere.
fn copy_all(from: &Path, to: &Path) -> Result<(), String> {
    let in_path = |err| format!("{}: {err}", from.display());
    fs::create_dir_all(to).map_err(in_path)?;
    for entry in fs::read_dir(from).map_err(in_path)? {
        let entry = entry.map_err(in_path)?;
        let kind = entry.file_type().map_err(in_path)?;
        let to = to.join(entry.file_name());
        if kind.is_dir() {
            copy_all(&entry.path(), &to)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to).map_err(in_path)?;
        }
    }
    Ok(())
}

/// Examines a program, in a process of its own: writes the results into a file,
/// again after each stage.
pub fn examine(
    folder: &Path,
    program: &Path,
    results: &Path,
    seed: u64,
) -> Result<(), String> {
    let assignment = Assignment::load(folder)?;
    std::env::set_current_dir(assignment.place())
        .map_err(|err| err.to_string())?;
    let mut written = Ok(());
    stages::examine(&assignment, program, seed, &mut |so_far| {
        written =
            serde_json::to_vec(so_far).map_err(|err| err.to_string()).and_then(
                |text| fs::write(results, text).map_err(|err| err.to_string()),
            );
    });
    written
}

fn write_all(
    grades: &[Grade<'_>],
    options: &GradeOptions,
) -> Result<(), String> {
    let write = |path: PathBuf, text: String| {
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|err| format!("{}: {err}", path.display()))
    };
    write(options.to.join("grades.csv"), csv(grades))?;
    for Grade { student, assignment, results } in grades {
        let name = format!("{}.txt", assignment.name);
        let text = told(assignment, results, options.seed);
        write(options.to.join(student).join(name), text)?;
    }
    Ok(())
}

/// The table for a gradebook. An unknown grade has no points.
fn csv(grades: &[Grade<'_>]) -> String {
    let head = "student,assignment,points,points_max,stopped_at\r\n";
    let mut text = String::from(head);
    for Grade { student, assignment, results } in grades {
        let points = stages::points(results);
        let points = points.map_or(String::new(), |it| it.to_string());
        let stopped = results.iter().find(|it| !it.passed());
        let cells = [
            student.clone(),
            assignment.name.clone(),
            points,
            assignment.points_max().to_string(),
            stopped.map_or(String::new(), |it| it.name.clone()),
        ];
        text += &cells.map(|it| cell(&it)).join(",");
        text += "\r\n";
    }
    text
}

/// Quotes as RFC 4180 requires, and lets no spreadsheet see a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@']);
    let text = if formula { format!("'{text}") } else { text.into() };
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// The table for the teacher to read.
fn table(grades: &[Grade<'_>]) -> String {
    let wide = grades.iter().map(|it| it.student.chars().count()).max();
    let wide = wide.unwrap_or(0);
    let mut text = String::from("\n");
    for Grade { student, assignment, results } in grades {
        let points = stages::points(results);
        let points = points.map_or("?".into(), |it| it.to_string());
        let why = results.iter().find_map(|it| match &it.outcome {
            StageOutcome::Failed(why, _) | StageOutcome::Unknown(why) => {
                Some(format!("{}: {why}", it.name))
            }
            _ => None,
        });
        text += &format!(
            "{student:wide$}  {:10}  {points:>3} of {:<3}  {}\n",
            assignment.name,
            assignment.points_max(),
            why.unwrap_or_default()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        assert_eq!(cell("Anna"), "Anna");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
    }
}
