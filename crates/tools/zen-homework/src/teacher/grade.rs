//! Grades a class: the files that each student may change are copied into a
//! project of the teacher's, built there, and examined within limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::handout::write;
pub use super::intake::GradeOptions;
use super::intake::{Intake, Work};
use super::limits::{Keeper, Kept, Limits};
use super::workshop::Workshop;
use crate::assignment::Assignment;
use crate::project::Project;
use crate::stages::{self, StageOutcome, StageResult};

/// A compiler needs more than most servers.
const BUILD_LIMITS: Limits =
    Limits { memory_mib: 4096, processes: 1024, descriptors: 4096 };

/// The user slot of an assignment's own build command, above those of the
/// examinations.
const BUILD_SLOT: u32 = 1000;

/// After the time limit no case begins; the last one may take this long.
const LAST_CASE: Duration = Duration::from_secs(60);

/// Grades everything that was handed in, and writes the grades and reports;
/// true if every grade is known.
pub fn grade(
    project: &Project,
    options: &GradeOptions,
) -> Result<bool, String> {
    let (intake, class) = Intake::new(project, options)?;
    let works = intake.works(class)?;
    if !works.is_empty() {
        let workshop = Workshop::new(project, &intake.assignments())?;
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
        let class = Class { workshop, keeper, tool, options, intake: &intake };
        class.grade(works)?;
    }
    intake.end()
}

struct Class<'a> {
    workshop: Workshop,
    keeper: Keeper,
    /// This program, at a place where every user may read it.
    tool: PathBuf,
    options: &'a GradeOptions,
    intake: &'a Intake<'a>,
}

/// A work that can be examined: its folder, and the program built there.
struct Ready<'a> {
    work: Work<'a>,
    folder: PathBuf,
}

impl<'a> Class<'a> {
    /// Builds one work after another, since a build by Cargo uses the whole
    /// machine, and examines several at a time, since that is mostly waiting.
    fn grade(&self, works: Vec<Work<'a>>) -> Result<(), String> {
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
                        let finished = results
                            .and_then(|it| self.intake.finish(work, &it));
                        done.send(finished).ok();
                    }
                });
            }
            drop(queue);
            for (number, work) in works.into_iter().enumerate() {
                match self.build(&work, number) {
                    Ok(Err(results)) => {
                        done.send(self.intake.finish(work, &results)).ok();
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

    /// Copies the files that a student may change into the pristine project,
    /// and builds it. Returns a folder with the program, or the results if the
    /// work cannot be examined.
    fn build(
        &self,
        work: &Work<'_>,
        number: usize,
    ) -> Result<Result<PathBuf, Vec<StageResult>>, String> {
        let assignment = work.assignment;
        let failed = |what: &str, said| {
            Ok(Err(stages::all_failed(assignment, what, said)))
        };
        self.workshop.put(&assignment.name, work.starter)?;
        let here = self.workshop.assignment(&assignment.name)?;
        if let Err(why) = write(&work.files, &here.folder) {
            let unknown = StageOutcome::Unknown(why);
            return Ok(Err(stages::end_with(assignment, vec![], unknown)));
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
