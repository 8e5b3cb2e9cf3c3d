//! The examination of one submission, in a process of its own: what that
//! process does, and what its parent learns from it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use zen_harness::process::{self, Process};

use super::cage::{self, Holder, ROOM};
use super::group::Group;
use super::limits::{Limits, now_and_then};
use super::workshop::{clean, first_lines};
use crate::assignment::Assignment;
use crate::project::Project;
use crate::stages::{self, StageOutcome, StageResult};

/// What the process may take beyond its time, to begin and to end.
const MARGIN: Duration = Duration::from_secs(10);

/// On a busy machine, a build may take this many times its processor time.
pub(crate) const BUSY_FACTOR: u64 = 4;

/// The time is limited by phases.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

/// The beginning of the message that ends the first of them.
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
    build_seconds: Option<u64>,
    #[arg(long)]
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
    /// This machine lacks a program that it needs.
    Impossible(String),
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
    if options.caged {
        furnish(folder)?;
    }
    let mut assignment = Assignment::load(folder)?;
    if let Some(seconds) = options.build_seconds {
        assignment.build_seconds = seconds;
    }
    let holder = match options.caged {
        true => Some(Holder::start(folder, Limits::of(&assignment))?),
        false => None,
    };
    tell(&Message::Began)?;
    if let Some(why) = assignment.lacks() {
        return tell(&Message::Impossible(why));
    }
    let begun = Instant::now();
    let built = match &options.program {
        Some(program) => Ok(program.clone()),
        None => build(&assignment)?,
    };
    let program = match built {
        Ok(program) => program,
        Err(message) => return tell(&message),
    };
    tell(&Message::Built(begun.elapsed().as_secs_f64()))?;
    if options.only_build {
        return match Path::new(ROOM).join("seed").exists() {
            true => Ok(()),
            false => forget_the_program(&assignment),
        };
    }
    std::env::set_current_dir(assignment.place())
        .map_err(|err| err.to_string())?;
    if let Some(holder) = holder {
        let limits = Limits::of(&assignment);
        limits.share().map_err(|err| format!("limits: {err}"))?;
        process::start_with(move |command| holder.spawn(command));
    }
    let mut told = Ok(());
    stages::examine(&assignment, &program, options.seed, &mut |so_far| {
        if let Some(last) = so_far.last() {
            told = tell(&Message::Stage(last.outcome.clone()));
        }
    });
    told
}

/// Puts the submission where it may change, and what the starter was built
/// with where a build expects it.
fn furnish(folder: &Path) -> Result<(), String> {
    let room = Path::new(ROOM);
    let target = room.join("target");
    let run = |words: &[&str], from: &Path, to: &Path| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(from.join(".")).arg(to);
        let ended = process::run(&mut command, COPY_TIME_MAX);
        let ended = ended.map_err(|err| err.to_string())?;
        match ended.succeeded() {
            true => Ok(()),
            false => Err(ended.errors.join("\n")),
        }
    };
    run(&["cp", "-a"], &room.join("work"), folder)?;
    let seed = room.join("seed");
    if !seed.exists() {
        return Ok(());
    }
    // Links are enough for what is only read.
    run(&["cp", "-as"], &seed, &target)?;
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

fn project() -> Project {
    let room = Path::new(ROOM);
    let (root, target) = (room.join("project"), Some(room.join("target")));
    Project { root, is_handout: true, target }
}

/// Builds it in an inner cage.
fn build(assignment: &Assignment) -> Result<Result<PathBuf, Message>, String> {
    let log = Path::new("/tmp/build.log");
    let file = File::create(log).map_err(|err| err.to_string())?;
    let built = project().build(assignment, |command| {
        let target = Path::new(ROOM).join("target");
        let folder = &assignment.folder;
        // The starter is the teacher's.
        let is_students = Path::new(ROOM).join("seed").exists();
        let seconds = match assignment.is_cargos() {
            true => assignment.build_seconds / BUSY_FACTOR,
            false => assignment.build_seconds,
        };
        let limits = is_students.then(|| Limits::of_build(seconds));
        let mut command = cage::build(&command, folder, &target, limits);
        let second = file.try_clone().map_err(|err| err.to_string())?;
        command.stdin(Stdio::null()).stdout(file).stderr(second);
        Ok(command)
    })?;
    Ok(built.map_err(|what| Message::NotBuilt(what, first_lines(log))))
}

/// What stays is only what a student's program is built with.
fn forget_the_program(assignment: &Assignment) -> Result<(), String> {
    match assignment.is_cargos() {
        true => clean(&project(), assignment),
        false => Ok(()),
    }
}

/// What a parent learns from an examination.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    /// The process could begin.
    pub(crate) began: bool,
    /// How many seconds the build took, if there is a program.
    pub(crate) built: Option<f64>,
    /// Why there is none, in a line, and what the compiler printed.
    pub(crate) not_built: Option<(String, Vec<String>)>,
    pub(crate) results: Vec<StageResult>,
    /// Why it did not end by itself with success.
    pub(crate) failed: Option<String>,
    /// It used all that it may use, so others may have been late.
    pub(crate) was_greedy: bool,
    /// It was not built or not examined in its time.
    pub(crate) was_late: bool,
}

impl Examined {
    /// For this reason there is no program.
    pub(crate) fn not_built(what: String, said: Vec<String>) -> Self {
        Self { began: true, not_built: Some((what, said)), ..Self::default() }
    }

    /// What these lines of the process say, and how it has ended.
    fn learn(
        mut self,
        assignment: &Assignment,
        lines: Vec<String>,
        end: StageOutcome,
        is_well: bool,
    ) -> Self {
        let mut outcomes = Vec::new();
        for line in lines {
            match serde_json::from_str(&line) {
                Ok(Message::Began) => self.began = true,
                Ok(Message::Built(seconds)) => self.built = Some(seconds),
                Ok(Message::NotBuilt(what, said)) => {
                    self.not_built = Some((what, said));
                }
                Ok(Message::Impossible(why)) => {
                    let unknown = StageOutcome::Unknown(why.clone());
                    self.results =
                        stages::end_with(assignment, Vec::new(), unknown);
                    self.failed = Some(why);
                    return self;
                }
                Ok(Message::Stage(outcome)) => outcomes.push(outcome),
                Err(_) => {}
            }
        }
        let results = stages::with_outcomes(assignment, outcomes);
        let is_whole = is_well && results.len() == assignment.stages.len();
        self.results = match is_whole {
            true => results,
            false => stages::end_with(assignment, results, end.clone()),
        };
        if let StageOutcome::Failed(why, _) | StageOutcome::Unknown(why) = end {
            self.failed = (!is_well).then_some(why);
        }
        if self.built.is_none() && self.not_built.is_none() && !is_well {
            let why = self.failed.clone().unwrap_or_default();
            self.not_built = self.began.then_some((why, Vec::new()));
        }
        self
    }
}

/// Runs the command of an examination. The points are those of `assignment`,
/// whatever the process says.
pub(crate) fn run(
    command: &mut Command,
    assignment: &Assignment,
    build_seconds: u64,
    group: Option<&Group>,
    are_limited: bool,
) -> Result<Examined, String> {
    if let Some(group) = group {
        group.limit(Limits::of_build(build_seconds));
        group.hold(command);
    }
    let mut process = Process::start(command).map_err(|err| err.to_string())?;
    let (mut killed, mut was_greedy, mut was_late) = (None, false, false);
    let (mut since, mut is_built) = (Instant::now(), false);
    let output = process.output.clone();
    let look = |process| {
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
        } else if are_limited && let Some(what) = limits.reached(process) {
            was_greedy = true;
            killed = Some(format!("killed: {what}"));
        }
        killed.is_none()
    };
    let ended = process.wait_while(FOREVER, now_and_then(look));
    let ended = ended.map_err(|err| err.to_string())?;
    if ended.is_some() {
        process.output.wait_for_end(MARGIN).ok();
    }
    // It has an end of its own for a build.
    was_late |= !is_built && since.elapsed().as_secs() >= build_seconds;
    let is_well = ended.is_some_and(|it| it.success());
    let said = process.last_words();
    let end = match (killed, ended) {
        (Some(why), _) => StageOutcome::Failed(why, Vec::new()),
        (None, status) => {
            let status = status.map_or("it runs".into(), |it| it.to_string());
            let why = format!("the examination ended: {status} {said}");
            StageOutcome::Unknown(why)
        }
    };
    let examined = Examined { was_greedy, was_late, ..Examined::default() };
    Ok(examined.learn(assignment, process.output.lines(), end, is_well))
}
