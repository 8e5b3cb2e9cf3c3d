//! Builds and examines all works of a class, several at a time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::cage::{self, Cage, Job, ROOM, hint, is_public};
use super::examination::{self, BUSY_FACTOR, Examined};
use super::group::{self, Group};
use super::handout::write;
use super::intake::Work;
use super::source::{self, Files};
use super::workshop::{Workshop, vendor};
use crate::assignment::Assignment;
use crate::at::At;
use crate::files::give;
use crate::project::Project;
use crate::stages::{self, StageOutcome, StageResult};
use crate::student::print;

/// A student's build by Cargo may use this many times as much processor time as
/// the starter's build takes, and at least this many seconds.
const BUILD_FACTOR: f64 = 5.0;
const BUILD_SECONDS_MIN: u64 = 10;

/// How a class is examined.
#[derive(Clone, Debug)]
pub(crate) struct How<'a> {
    pub(crate) jobs: usize,
    pub(crate) seed: u64,
    pub(crate) unlimited: bool,
    /// Folders that a cage can see beside those of the system.
    pub(crate) tools: &'a [PathBuf],
}

/// An assignment as it was handed out.
struct Starter {
    files: Files,
    /// Seconds for a build.
    build_seconds: u64,
}

pub(crate) struct Class<'a> {
    workshop: Workshop,
    /// None if only the time is limited.
    cage: Option<Cage>,
    /// Where control groups can be made.
    groups: Option<PathBuf>,
    tool: PathBuf,
    how: How<'a>,
    starters: BTreeMap<String, Starter>,
    /// Without a cage, all builds are in the same folder.
    builder: Mutex<()>,
    /// From when to when a submission used all that it may use.
    greedy: Mutex<Vec<(Instant, Instant)>>,
}

/// How far an examination goes.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// The starter is built, and what it needs is kept for later builds.
    Kept,
    Built,
    Examined,
}

/// What a work has got, and when.
struct Done {
    results: Vec<StageResult>,
    times: (Instant, Instant),
    /// Another work may be the reason: it was late or was killed.
    is_open: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Class<'a> {
    /// Prepares the examinations of these assignments. Before the first grade,
    /// each starter is built in the way of a student's work.
    pub(crate) fn new(
        project: &Project,
        assignments: &[Assignment],
        how: How<'a>,
    ) -> Result<Self, String> {
        let workshop = Workshop::new(project, assignments)?;
        require_executables(workshop.folder())?;
        let own = std::env::current_exe();
        let own = own.at("this program")?;
        let mut class = Self {
            cage: None,
            groups: group::home(),
            tool: own,
            how,
            starters: BTreeMap::new(),
            builder: Mutex::new(()),
            greedy: Mutex::new(Vec::new()),
            workshop,
        };
        for assignment in assignments {
            let files = source::starter(assignment)?;
            let build_seconds = assignment.build_seconds;
            let starter = Starter { files, build_seconds };
            class.starters.insert(assignment.name.clone(), starter);
        }
        if !class.how.unlimited {
            class.make_cage(&project.root, assignments)?;
        }
        for assignment in assignments {
            let name = &assignment.name;
            print(&format!("Building the starter of {name}, once.\n"))?;
            class.try_starter(assignment)?;
        }
        Ok(class)
    }

    /// The isolation in a line.
    pub(crate) fn isolation(&self) -> String {
        match &self.cage {
            Some(cage) => cage.told(self.groups.is_some()),
            None => "Nothing keeps the submissions from your files, from each \
                other or from their grades: only the time is limited."
                .into(),
        }
    }

    fn make_cage(
        &mut self,
        root: &Path,
        assignments: &[Assignment],
    ) -> Result<(), String> {
        let tools = self.how.tools.iter().map(|it| required_folder(it));
        let tools = tools.collect::<Result<Vec<_>, _>>()?;
        let folder = self.workshop.folder();
        let seed = folder.join("seed");
        fs::create_dir(&seed).at(&seed)?;
        let cargo = assignments.iter().any(Assignment::is_cargos);
        if !is_public(&self.tool) {
            let copy = folder.join("zen-homework");
            fs::copy(&self.tool, &copy).at("this program")?;
            self.tool = copy;
        }
        let rust = cage::rust(root);
        // Without Cargo, Rust is one language among others.
        let rust = if cargo { rust? } else { rust.unwrap_or_default() };
        let tools = rust.into_iter().chain(tools);
        let cage = Cage::new(folder, &self.tool, tools.collect());
        let cage = cage.map_err(without_a_cage)?;
        if cargo {
            let (project, to) = (folder.join("project"), folder.join("vendor"));
            vendor(&project, &to, &format!("{ROOM}/vendor"))?;
        }
        give(folder, cage.user)?;
        self.cage = Some(cage);
        Ok(())
    }

    /// Builds the starter once for all, and once more as a student's work.
    fn try_starter(&mut self, assignment: &Assignment) -> Result<(), String> {
        let name = &assignment.name;
        if self.cage.is_some() {
            let kept = self.run(assignment, None, "seed-work", Until::Kept);
            require_built(assignment, &kept.map_err(without_a_cage)?)?;
        }
        let seconds = self.starter_builds(assignment, "starter")?;
        let has_limit = assignment.is_cargos() && self.cage.is_some();
        let starter = self.starters.get_mut(name).filter(|_| has_limit);
        if let Some(starter) = starter {
            let seconds = (seconds * BUILD_FACTOR).ceil() as u64;
            let seconds = seconds.max(BUILD_SECONDS_MIN) * BUSY_FACTOR;
            starter.build_seconds = seconds.min(assignment.build_seconds);
        }
        Ok(())
    }

    /// Builds the starter as if a student had handed it in. Returns the time
    /// that this took.
    fn starter_builds(
        &self,
        assignment: &Assignment,
        folder: &str,
    ) -> Result<f64, String> {
        let examined = self.run(assignment, None, folder, Until::Built)?;
        require_built(assignment, &examined)?;
        Ok(examined.built.unwrap_or_default())
    }

    /// Examines these works, and calls `tell` with each result.
    pub(crate) fn examine(
        &self,
        works: Vec<Work<'a>>,
        tell: impl Fn(&Work<'a>, &[StageResult]) + Sync,
    ) {
        let queue = Mutex::new(works.into_iter().enumerate());
        let all = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..self.how.jobs {
                scope.spawn(|| {
                    loop {
                        let next = lock(&queue).next();
                        let Some((number, work)) = next else { break };
                        let done = self.examine_one(&work, number);
                        tell(&work, &done.results);
                        lock(&all).push((number, work, done));
                    }
                });
            }
        });
        let all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (number, work, done) in all {
            if self.may_have_been_late(&done) {
                tell(&work, &self.examine_one(&work, number).results);
            }
        }
    }

    /// It was late or was killed, and another submission used all that it may
    /// use at the same time.
    fn may_have_been_late(&self, done: &Done) -> bool {
        let (begun, ended) = done.times;
        let greedy = lock(&self.greedy);
        let mut others = greedy.iter().filter(|it| **it != done.times);
        done.is_open && others.any(|(from, to)| *from < ended && begun < *to)
    }

    fn examine_one(&self, work: &Work<'_>, number: usize) -> Done {
        let begun = Instant::now();
        let examined = self.results(work, number);
        let times = (begun, Instant::now());
        let (results, is_open) = match examined {
            Ok(examined) => {
                if examined.was_greedy {
                    lock(&self.greedy).push(times);
                }
                let is_open = is_open(&examined);
                (examined.results, is_open)
            }
            // The other grades are not lost because of this one.
            Err(why) => {
                let unknown = StageOutcome::Unknown(why);
                (stages::end_with(work.assignment, Vec::new(), unknown), true)
            }
        };
        Done { results, times, is_open }
    }

    /// What the examination of a work comes to, whether it builds or not.
    fn results(
        &self,
        work: &Work<'_>,
        number: usize,
    ) -> Result<Examined, String> {
        let assignment = work.assignment;
        let folder = format!("run-{number}");
        let until = Until::Examined;
        let mut examined = self.run(assignment, Some(work), &folder, until)?;
        if let Some((what, said)) = examined.not_built.take() {
            // It may be the machine's fault: then the starter fails as well.
            self.starter_builds(assignment, &folder)?;
            examined.results = stages::all_failed(assignment, &what, said);
        }
        Ok(examined)
    }

    /// Builds a work or the starter, and examines it, in a temporary folder
    /// with this name.
    fn run(
        &self,
        assignment: &Assignment,
        work: Option<&Work<'_>>,
        name: &str,
        until: Until,
    ) -> Result<Examined, String> {
        let folder = self.workshop.folder().join(name);
        let examined = match &self.cage {
            Some(cage) => {
                self.put(assignment, work, &folder)?;
                self.run_in(cage, assignment, &folder, until)
            }
            None => self.run_here(assignment, work, &folder, until),
        };
        fs::remove_dir_all(folder).ok();
        examined
    }

    /// Writes the starter into an empty folder, and a student's files over it.
    fn put(
        &self,
        assignment: &Assignment,
        work: Option<&Work<'_>>,
        folder: &Path,
    ) -> Result<(), String> {
        fs::remove_dir_all(folder).ok();
        // What a student has got may be in a dialect of its own.
        let starter = &self.starters[&assignment.name].files;
        write(work.map_or(starter, |work| work.starter), folder)?;
        work.map_or(Ok(()), |work| write(&work.files, folder))
    }

    fn run_in(
        &self,
        cage: &Cage,
        assignment: &Assignment,
        work: &Path,
        until: Until,
    ) -> Result<Examined, String> {
        give(work, cage.user)?;
        let keeps = until == Until::Kept;
        let job = Job { assignment: &assignment.name, work, keeps };
        let mut words = vec!["--seed".into(), self.how.seed.to_string()];
        words.extend(
            (until != Until::Examined).then(|| "--only-build".to_string()),
        );
        let mut command = cage.examine(job, &words);
        let seconds = self.starters[&assignment.name].build_seconds;
        let groups = self.groups.as_deref().filter(|_| !keeps);
        let group = groups.and_then(|home| {
            let name = work.file_name()?.to_string_lossy();
            Group::new(home, &name).ok()
        });
        let group = group.as_ref();
        examination::run(&mut command, assignment, seconds, group, !keeps)
    }

    /// Builds it in the project of the workshop, which others must not use
    /// meanwhile, and examines it in `folder`.
    fn run_here(
        &self,
        assignment: &Assignment,
        work: Option<&Work<'_>>,
        folder: &Path,
        until: Until,
    ) -> Result<Examined, String> {
        let name = &assignment.name;
        let builder = lock(&self.builder);
        let place = self.workshop.folder().join("project").join(name);
        self.put(assignment, work, &place)?;
        let here = self.workshop.assignment(name)?;
        let (built, said) = self.workshop.build(&here)?;
        let (built, not_built) = match built {
            Ok(program) => (Some(program), None),
            Err(what) => (None, Some((what, said))),
        };
        let Some(mut program) = built.filter(|_| until == Until::Examined)
        else {
            return match here.lacks() {
                Some(why) => Err(why),
                None => Ok(Examined { not_built, ..Examined::default() }),
            };
        };
        let to = folder.join(name);
        copy_all(&place, &to)?;
        if assignment.is_cargos() {
            let copy = folder.join("program");
            fs::copy(&program, &copy).at(&program)?;
            program = copy;
        }
        drop(builder);
        let mut command = Command::new(&self.tool);
        command.arg("examine").arg(to).arg("--program").arg(program);
        command.args(["--seed", &self.how.seed.to_string()]);
        command.current_dir(folder);
        examination::run(&mut command, assignment, 0, None, false)
    }
}

/// Whether another work may be the reason for a result. What has reached a limit
/// of its own, and a wrong answer, stay as they are.
fn is_open(examined: &Examined) -> bool {
    let is_starved = |it: &StageResult| match &it.outcome {
        StageOutcome::Failed(_, cases) => cases.iter().any(|it| it.starved),
        StageOutcome::Unknown(_) => true,
        StageOutcome::Passed | StageOutcome::NotTried(_) => false,
    };
    let is_starved = examined.results.iter().any(is_starved);
    !examined.was_greedy && (examined.was_late || is_starved)
}

/// Fails if a build could not run what it has built for itself.
#[cfg(unix)]
fn require_executables(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let trial = folder.join("trial");
    let made = fs::write(&trial, "#!/bin/sh\n").and_then(|()| {
        fs::set_permissions(&trial, fs::Permissions::from_mode(0o700))
    });
    made.and_then(|()| Command::new(&trial).status()).map_err(|err| {
        let folder = folder.display();
        format!("no program runs in {folder}, so set TMPDIR: {err}")
    })?;
    fs::remove_file(&trial).at(trial)
}

#[cfg(not(unix))]
fn require_executables(_: &Path) -> Result<(), String> {
    Ok(())
}

/// A folder of `--tools`, as the cage needs its path.
fn required_folder(folder: &Path) -> Result<PathBuf, String> {
    let whole = folder.canonicalize().map_err(|err| err.to_string());
    let whole = whole.and_then(|it| match it.is_dir() {
        true => Ok(it),
        false => Err("it is no folder".into()),
    });
    whole.map_err(|why| {
        format!(
            "--tools {}: {why}: give the folder in which the language is \
            installed here, or leave --tools out if it is below /usr",
            folder.display()
        )
    })
}

fn without_a_cage(why: String) -> String {
    format!(
        "submissions cannot be kept apart here: {why}{}; --unlimited does \
        without, in a machine that you throw away",
        hint()
    )
}

fn require_built(
    assignment: &Assignment,
    examined: &Examined,
) -> Result<(), String> {
    let failed = examined.failed.clone().map(|why| (why, Vec::new()));
    match examined.not_built.clone().or(failed) {
        Some((what, said)) => {
            let (name, said) = (&assignment.name, said.join("\n"));
            Err(format!("the starter of {name}: {what}\n{said}"))
        }
        None => Ok(()),
    }
}

/// Copies all files of a folder, with the permissions of what was built there.
/// Links are left out: they might lead anywhere.
fn copy_all(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).at(from)?;
    for entry in fs::read_dir(from).at(from)? {
        let entry = entry.at(from)?;
        let kind = entry.file_type().at(from)?;
        let to = to.join(entry.file_name());
        if kind.is_dir() {
            copy_all(&entry.path(), &to)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to).at(from)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Examined, is_open};
    use crate::project::Project;
    use crate::stages::{FailedCase, StageOutcome, end_with};

    #[test]
    fn only_what_takes_time_can_be_a_neighbours_fault() {
        let project = Project::around(&zen_harness::folder!()).unwrap();
        let framing = project.assignment("framing").unwrap();
        let ended = |outcome| Examined {
            results: end_with(&framing, Vec::new(), outcome),
            ..Examined::default()
        };
        // The words do not matter, only what the checker knows.
        let failed = |starved| {
            let case = FailedCase {
                clause: "wire/1".into(),
                sentence: "it answers".into(),
                lines: vec!["came nothing for 8 s".into()],
                starved,
            };
            let what = "1 of 2 cases fail".into();
            ended(StageOutcome::Failed(what, vec![case]))
        };
        assert!(is_open(&failed(true)));
        assert!(!is_open(&failed(false)));
        assert!(is_open(&ended(StageOutcome::Unknown("?".into()))));
        let killed = || {
            let what = "killed after 300 s".into();
            ended(StageOutcome::Failed(what, Vec::new()))
        };
        assert!(is_open(&Examined { was_late: true, ..killed() }));
        let greedy = Examined { was_greedy: true, ..failed(true) };
        assert!(!is_open(&greedy));
    }

    #[cfg(unix)]
    #[test]
    fn the_checker_knows_whether_something_killed_the_server() {
        use zen_check::report::{Outcome, Profile};
        for (script, starved) in [("kill -9 $$", true), ("exit 3", false)] {
            let command = ["sh", "-c", script].map(str::to_owned).to_vec();
            let program =
                zen_check::Program::command(command, Profile::Wire, None);
            let plan = zen_check::Plan {
                only: vec!["wire/1".into()],
                ..zen_check::Plan::default()
            };
            let report = zen_check::examine(program, "a", &plan, &|_| {});
            let failures =
                report.results.iter().filter_map(|it| match &it.outcome {
                    Outcome::Failed(failure) => Some(failure.starved),
                    _ => None,
                });
            let failures: Vec<_> = failures.collect();
            assert!(failures.contains(&true) == starved, "{failures:?}");
            assert!(!failures.is_empty(), "{script}");
        }
    }
}
