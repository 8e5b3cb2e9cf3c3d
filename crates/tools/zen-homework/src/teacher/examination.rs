//! The examination of one submission, in a process of its own: what that
//! process does, and what its parent learns from it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use zen_harness::process::{self, Process};

use super::cage::{self, ROOM};
use super::group::Group;
use super::limits::Limits;
use super::workshop::clean;
use crate::assignment::Assignment;
use crate::project::Project;
use crate::stages::{self, StageOutcome, StageResult};

/// What the process may take beyond its time, to begin and to end.
const MARGIN: Duration = Duration::from_secs(10);

/// On a busy machine, a build may take this many times its processor time.
pub(crate) const BUSY_FACTOR: u64 = 4;

/// The time is limited by phases.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

/// How often to count what a program uses. In between, the kernel's limits
/// apply.
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// The beginning of the message that ends the first phase.
const BUILT: &str = "{\"Built\"";

/// How long it may take to copy what was built before.
const COPY_TIME_MAX: Duration = Duration::from_secs(60);

/// The options of the process.
#[derive(Args, Clone, Debug)]
pub struct Examination {
    /// The folder of the assignment
    folder: PathBuf,
    /// The program, if it is built already
    #[arg(long)]
    program: Option<PathBuf>,
    /// In a cage, the student's programs run in another one
    #[arg(long)]
    caged: bool,
    /// Build it and no more
    #[arg(long)]
    only_build: bool,
    #[arg(long)]
    build_seconds: u64,
    #[arg(long, default_value_t)]
    seed: u64,
}

/// What the process reports, each in a line of JSON. None has points.
#[derive(Debug, Deserialize, Serialize)]
enum Message {
    Began,
    /// It is built, after this many seconds.
    Built(f64),
    /// The reason in a line, and what the compiler printed.
    NotBuilt(String, Vec<String>),
    /// The result of the next stage.
    Stage(StageOutcome),
}

fn tell(message: &Message) -> Result<(), String> {
    let text = serde_json::to_string(message).map_err(|it| it.to_string())?;
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|err| err.to_string())
}

/// Builds and examines a submission, and reports on standard output.
pub fn examine(options: &Examination) -> Result<(), String> {
    let folder = &options.folder;
    let room = Path::new(ROOM);
    let target = room.join("target");
    if options.caged {
        furnish(folder)?;
    }
    let mut assignment = Assignment::load(folder)?;
    assignment.build_seconds = options.build_seconds;
    // What is built for later jobs is the teacher's.
    let is_students = room.join("seed").exists();
    if options.caged {
        let seconds = match assignment.is_cargos() {
            true => options.build_seconds / BUSY_FACTOR,
            false => options.build_seconds,
        };
        let limits = is_students.then(|| Limits::of_build(seconds));
        cage::enter(&[folder, &target], limits)?;
    }
    tell(&Message::Began)?;
    if let Some(why) = assignment.lacks() {
        return tell(&Message::Stage(StageOutcome::Unknown(why)));
    }
    let begun = Instant::now();
    let (root, target) = (room.join("project"), Some(target));
    let project = Project { root, is_handout: true, target };
    let program = match &options.program {
        Some(program) => program.clone(),
        None => match project.build(&assignment)? {
            (Ok(program), _) => program,
            (Err(what), said) => return tell(&Message::NotBuilt(what, said)),
        },
    };
    tell(&Message::Built(begun.elapsed().as_secs_f64()))?;
    if options.only_build {
        // What stays is only what a student's program is built with.
        return match assignment.is_cargos() && !is_students {
            true => clean(&project, &assignment),
            false => Ok(()),
        };
    }
    if options.caged {
        let limits = Limits::of(&assignment);
        cage::enter(&[folder], Some(limits))?;
        limits.share().map_err(|err| format!("limits: {err}"))?;
    }
    let mut told = Ok(());
    stages::examine(&assignment, &program, options.seed, &mut |outcome| {
        told = tell(&Message::Stage(outcome.clone()));
    })?;
    told
}

/// Puts the submission where it may change, and what the starter was built
/// with where a build expects it.
fn furnish(folder: &Path) -> Result<(), String> {
    let room = Path::new(ROOM);
    let target = room.join("target");
    let copy = |options: &str, from: &Path, to: &Path| {
        let mut command = Command::new("cp");
        command.arg(options).arg(from.join(".")).arg(to);
        process::output_of(&mut command, COPY_TIME_MAX)
    };
    copy("-a", &room.join("work"), folder)?;
    let seed = room.join("seed");
    if !seed.exists() {
        return Ok(());
    }
    // Links are enough for what is only read.
    copy("-as", &seed, &target)?;
    // But Cargo writes to its locks, whose names begin with a point.
    for place in [target.clone(), target.join("debug")] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.')
                && entry.file_type().is_ok_and(|it| it.is_symlink())
            {
                fs::remove_file(entry.path()).map_err(|it| it.to_string())?;
            }
        }
    }
    Ok(())
}

/// What a parent learns from an examination.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    /// How many seconds the build took, if there is a program.
    pub(crate) built: Option<f64>,
    /// Why there is none, in a line, and what the compiler printed.
    pub(crate) not_built: Option<(String, Vec<String>)>,
    pub(crate) results: Vec<StageResult>,
    /// Why it did not come to its end.
    pub(crate) failed: Option<String>,
    /// It used all that it may use, so others may have been late.
    pub(crate) was_greedy: bool,
    /// It was not built or not examined in its time.
    pub(crate) was_late: bool,
}

/// Runs the command of an examination, which is an error if it cannot begin.
/// The points are those of `assignment`, whatever the process says.
pub(crate) fn run(
    command: &mut Command,
    assignment: &Assignment,
    build_seconds: u64,
    group: Option<&Group>,
    are_limited: bool,
) -> Result<Examined, String> {
    command.args(["--build-seconds", &build_seconds.to_string()]);
    if let Some(group) = group {
        group.limit(Limits::of_build(build_seconds));
        group.hold(command);
    }
    let mut process = Process::start(command).map_err(|err| err.to_string())?;
    let (mut killed, mut was_greedy, mut was_late) = (None, false, false);
    let (mut since, mut is_built) = (Instant::now(), false);
    let mut counted = Instant::now();
    let output = process.output.clone();
    let ended = process.wait_while(FOREVER, |process| {
        if counted.elapsed() < COUNT_EVERY {
            return true;
        }
        counted = Instant::now();
        if !is_built && output.count(BUILT) > 0 {
            (since, is_built) = (Instant::now(), true);
            if let Some(group) = group {
                group.limit(Limits::of(assignment));
            }
        }
        let (limits, seconds) = match is_built {
            false => (Limits::of_build(build_seconds), build_seconds),
            true => (Limits::of(assignment), assignment.run_seconds),
        };
        if since.elapsed() > Duration::from_secs(seconds) + MARGIN {
            was_late = true;
            killed = Some(format!("killed after {seconds} s"));
        } else if are_limited {
            killed = limits.reached(process).map(|it| format!("killed: {it}"));
            was_greedy = killed.is_some();
        }
        killed.is_none()
    });
    let ended = ended.map_err(|err| err.to_string())?;
    if ended.is_some() {
        output.wait_for_end(MARGIN).ok();
    }
    // It has an end of its own for a build.
    was_late |= !is_built && since.elapsed().as_secs() >= build_seconds;
    let said = process.last_words();
    let end = match (killed, ended) {
        (Some(why), _) => StageOutcome::Failed(why, Vec::new()),
        (None, status) => {
            let status = status.map_or("it runs".into(), |it| it.to_string());
            let why = format!("the examination ended: {status} {said}");
            StageOutcome::Unknown(why)
        }
    };
    let is_well = ended.is_some_and(|it| it.success());
    let examined = Examined { was_greedy, was_late, ..Examined::default() };
    examined.learn(assignment, &output.lines(), end, is_well)
}

impl Examined {
    /// What these lines of the process say, and how it has ended.
    fn learn(
        mut self,
        assignment: &Assignment,
        lines: &[String],
        end: StageOutcome,
        is_well: bool,
    ) -> Result<Self, String> {
        let (mut began, mut outcomes) = (false, Vec::new());
        for line in lines {
            match serde_json::from_str(line) {
                Ok(Message::Began) => began = true,
                Ok(Message::Built(seconds)) => self.built = Some(seconds),
                Ok(Message::NotBuilt(what, said)) => {
                    self.not_built = Some((what, said));
                }
                Ok(Message::Stage(outcome)) => outcomes.push(outcome),
                Err(_) => {}
            }
        }
        let last = if is_well { outcomes.first() } else { Some(&end) };
        self.failed = last.and_then(StageOutcome::why).map(str::to_owned);
        let why = self.failed.clone().unwrap_or_default();
        if !began {
            return Err(why);
        }
        if self.built.is_none() && self.not_built.is_none() && !is_well {
            self.not_built = Some((why, Vec::new()));
        }
        self.results = stages::end_with(assignment, outcomes, end);
        Ok(self)
    }
}
