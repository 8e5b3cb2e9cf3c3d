//! The commands for students: check, watch, hint, reset, status.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::{Deserialize, Serialize};

use zen_check::report::{self, Format, Settings};
#[cfg(unix)]
use zen_harness::process;

use crate::assignment::{Assignment, Stage};
use crate::at::At;
use crate::files::{self, FILE_BYTES_MAX};
use crate::project::{KEPT, Project};
use crate::stages::{self, StageOutcome, StageResult, counted};

/// The options of a check.
#[derive(Args, Clone, Debug, Default)]
pub struct CheckOptions {
    /// Seed for all cuts and orders, to repeat a check
    #[arg(long)]
    pub seed: Option<u64>,

    /// Write a report (terminal, json, junit, gradescope, classroom50 or
    /// github) to a file, or to standard output if FILE is `-`; may be given
    /// several times
    #[arg(long = "report", value_name = "FORMAT=FILE", value_parser = report)]
    pub reports: Vec<(String, String)>,

    /// Check the submission in this folder: its files that a student may
    /// change replace those that are here
    #[arg(long, value_name = "DIR")]
    pub submission: Option<PathBuf>,

    /// As root: run the submission as this user, a number that owns nothing
    #[arg(long, value_name = "NUMBER", hide = true)]
    pub run_as: Option<u32>,
}

fn report(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((format, file)) if !file.is_empty() => {
            Ok((format.into(), file.into()))
        }
        _ => Err("expected FORMAT=FILE, such as junit=report.xml".into()),
    }
}

/// What is remembered between commands, for each assignment.
struct Remembered {
    /// None in the author's workspace, whose solution is not a student's work.
    file: Option<PathBuf>,
    of: BTreeMap<String, Progress>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Progress {
    /// The names of the stages that had passed at the last check.
    done: Vec<String>,
    /// How many hints were shown, by stage.
    hints: BTreeMap<String, usize>,
}

impl Remembered {
    /// A file that cannot be read counts as empty.
    fn load(project: &Project) -> Self {
        let file = project.root.join(KEPT).join("progress.json");
        let file = project.is_handout.then_some(file);
        let text = file.as_ref().and_then(|it| fs::read(it).ok());
        let of = text.and_then(|text| serde_json::from_slice(&text).ok());
        Self { file, of: of.unwrap_or_default() }
    }

    fn save(&self) -> Result<(), String> {
        let Some(file) = &self.file else { return Ok(()) };
        let text = serde_json::to_vec_pretty(&self.of);
        fs::write(file, text.at(file)?).at(file)
    }

    fn of(&mut self, assignment: &Assignment) -> &mut Progress {
        self.of.entry(assignment.name.clone()).or_default()
    }
}

/// Builds and examines an assignment, and prints the results; true if all
/// stages pass.
pub fn check(
    project: &Project,
    assignment: &Assignment,
    options: &CheckOptions,
) -> Result<bool, String> {
    let begun = Instant::now();
    let left_out = files::find(&assignment.files, &assignment.folder)
        .map_err(|why| format!("this cannot be handed in: {why}"))?
        .left_out;
    let mut open = Vec::new();
    for (format, file) in &options.reports {
        open.push((format.parse::<Format>()?, writer(file)?));
    }
    let seed = options.seed.unwrap_or_else(zen_check::seed_of_now);
    let results = match take(project, assignment, options)? {
        Some(why) => stages::all_failed(assignment, &why, Vec::new()),
        // A report says so, rather than being empty.
        None => examine(project, assignment, seed, options.run_as)
            .unwrap_or_else(|why| {
                let unknown = StageOutcome::Unknown(why);
                stages::end_with(assignment, Vec::new(), unknown)
            }),
    };
    let mut remembered = Remembered::load(project);
    let done = results.iter().filter(|it| it.passed());
    remembered.of(assignment).done = done.map(|it| it.name.clone()).collect();
    remembered.save()?;
    let time = begun.elapsed();
    let whole = stages::report(assignment, &results, seed, time);
    for (format, to) in &mut open {
        report::write(&whole, *format, to, &Settings::default())
            .map_err(|err| format!("the report {format}: {err}"))?;
    }
    if !options.reports.iter().any(|(_, file)| file == "-") {
        print(&told(assignment, &results, seed))?;
        print(&not_handed_in(&left_out))?;
        if results.iter().all(StageResult::passed) {
            print(&next(project, assignment, remembered)?)?;
        }
    }
    match stages::points(&results) {
        Some(points) => Ok(points == assignment.points_max()),
        None => Err("a stage could not be examined: check again".into()),
    }
}

/// What to do when all stages have passed.
fn next(
    project: &Project,
    assignment: &Assignment,
    mut remembered: Remembered,
) -> Result<String, String> {
    if !project.is_handout {
        return Ok(String::new());
    }
    let all = project.assignments()?;
    let others = all.iter().filter(|it| it.name != assignment.name);
    let mut left = others.filter(|it| {
        let done = &remembered.of(it).done;
        !it.stages.iter().all(|stage| done.contains(&stage.name))
    });
    Ok(match left.next() {
        Some(next) => {
            let Assignment { name, title, .. } = next;
            format!(
                "All done. Next: {name} ({title}): cargo homework check {name}\n"
            )
        }
        None => "All done: hand it in.\n".into(),
    })
}

fn writer(file: &str) -> Result<Box<dyn Write>, String> {
    if file == "-" {
        return Ok(Box::new(io::stdout()));
    }
    Ok(Box::new(File::create(file).at(file)?))
}

/// Replaces the files here with those that were handed in; returns the reason
/// if that is impossible.
fn take(
    project: &Project,
    assignment: &Assignment,
    options: &CheckOptions,
) -> Result<Option<String>, String> {
    let Some(submission) = &options.submission else { return Ok(None) };
    restore(project, assignment)?;
    let to = &assignment.folder;
    if let Some(from) = find_submission(assignment, submission) {
        return Ok(files::copy(&assignment.files, &from, to).err());
    }
    // A platform may deliver files without their folders.
    let mut found = false;
    for file in assignment.files.iter().map(Path::new) {
        let from = submission.join(file.file_name().unwrap_or_default());
        let metadata = fs::symlink_metadata(&from);
        if metadata.is_ok_and(|it| it.is_file() && it.len() <= FILE_BYTES_MAX) {
            files::copy_one(&from, &to.join(file))?;
            found = true;
        }
    }
    let files = assignment.files.join(", ");
    let what = format!("nothing was handed in: expected {files}");
    Ok((!found).then_some(what))
}

/// The folder of an assignment in a submission: a folder named after it, the
/// submission itself, or, as in archives, such a named folder one level deeper.
fn find_submission(assignment: &Assignment, folder: &Path) -> Option<PathBuf> {
    let name = &assignment.name;
    let mut places = vec![folder.join(name), folder.to_path_buf()];
    let inside = fs::read_dir(folder).into_iter().flatten();
    let mut inside: Vec<_> =
        inside.filter_map(|entry| Some(entry.ok()?.path())).collect();
    inside.sort();
    places.extend(inside.into_iter().map(|it| it.join(name)));
    let holds = |place: &PathBuf| {
        let found = files::find(&assignment.files, place);
        found.map_or(true, |found| !found.files.is_empty())
    };
    places.into_iter().find(holds)
}

fn examine(
    project: &Project,
    assignment: &Assignment,
    seed: u64,
    user: Option<u32>,
) -> Result<Vec<StageResult>, String> {
    // Cargo runs no student's code during a build; another command might.
    if user.is_some() && !assignment.is_cargos() {
        run_as(user, &assignment.folder)?;
    }
    let (built, _) = project.build(assignment)?;
    run_as(user, &assignment.folder)?;
    match built {
        Err(what) => Ok(stages::all_failed(assignment, &what, Vec::new())),
        Ok(program) => stages::examine(assignment, &program, seed, &mut |_| ()),
    }
}

/// Starts everything from now on as this user, who owns the folder. So it can
/// neither signal this process nor write what this process writes.
#[cfg(unix)]
fn run_as(user: Option<u32>, folder: &Path) -> Result<(), String> {
    use std::os::unix::process::CommandExt;
    let Some(user) = user else { return Ok(()) };
    files::give(folder, Some(user))?;
    process::start_with(move |command| command.uid(user).gid(user).spawn());
    Ok(())
}

#[cfg(not(unix))]
fn run_as(user: Option<u32>, _: &Path) -> Result<(), String> {
    match user {
        Some(_) => Err("this system has no such users".into()),
        None => Ok(()),
    }
}

/// The results as a student reads them.
pub(crate) fn told(
    assignment: &Assignment,
    results: &[StageResult],
    seed: u64,
) -> String {
    let mut text = format!("{}: {}\n", assignment.name, assignment.title);
    let mut details = String::new();
    for StageResult { name, title, points, outcome } in results {
        let mut why = outcome.why().unwrap_or_default();
        let mark = match outcome {
            StageOutcome::Passed => "done",
            StageOutcome::Failed(_, cases) => {
                for line in stages::lines(cases) {
                    details += &format!("  {line}\n");
                }
                "FAILED"
            }
            StageOutcome::NotTried(_) => {
                why = "";
                "not yet"
            }
            StageOutcome::Unknown(_) => "unknown",
        };
        let points = counted(*points, "point");
        text += &format!("  {mark:8} {name}: {title} ({points})\n");
        if !why.is_empty() {
            let why = why.replace('\n', "\n           ");
            text += &format!("           {why}\n");
        }
    }
    if !details.is_empty() {
        text += &format!("\n{details}");
    }
    let most = assignment.points_max();
    match stages::points(results) {
        Some(points) => {
            text += &format!("\n{points} of {most} points, seed {seed}\n");
            if points < most {
                text += "Stuck? cargo homework hint\n";
            }
        }
        None => match stages::points_so_far(results) {
            0 => text += &format!("\n? of {most} points: no verdict\n"),
            points => {
                text += &format!(
                    "\n{points} of {most} points so far, and no verdict about \
                    the rest: check again\n"
                );
            }
        },
    }
    text
}

/// What a student has in these folders, and no grade will count.
fn not_handed_in(left_out: &[String]) -> String {
    let lines = left_out.iter().map(|it| format!("  {it}\n"));
    match lines.collect::<String>() {
        lines if lines.is_empty() => lines,
        lines => format!(
            "\nYour work is graded without these, so it must not need them:\n\
            {lines}"
        ),
    }
}

/// Shows the next hint for a stage: the named one, or the first that has not
/// passed.
pub fn hint(
    project: &Project,
    assignment: &Assignment,
    stage: Option<&str>,
) -> Result<(), String> {
    let mut remembered = Remembered::load(project);
    let progress = remembered.of(assignment);
    let stage = assignment.stages.iter().find(|it| match stage {
        Some(name) => it.name == name,
        None => !progress.done.contains(&it.name),
    });
    let Some(stage) = stage else {
        return match progress.done.len() == assignment.stages.len() {
            true => print("All stages are done.\n"),
            false => Err("there is no such stage".into()),
        };
    };
    let hints = assignment.hints(&stage.name);
    let shown = progress.hints.entry(stage.name.clone()).or_default();
    *shown = (*shown + 1).min(hints.len());
    let (last, number) = (*shown == hints.len(), *shown);
    remembered.save()?;
    let mut text = format!("{}: {}\n", stage.name, stage.title);
    for (index, hint) in hints.iter().take(number).enumerate() {
        let of = hints.len();
        text += &format!("\nHint {} of {of}:\n{}\n", index + 1, hint.trim());
    }
    text += match (hints.is_empty(), last) {
        (true, _) => "There is no hint for this stage.\n",
        (_, true) => "\nThere are no more hints.\n",
        _ => "\nThe same command shows the next one as well.\n",
    };
    print(&text)
}

/// Puts the starter back, and keeps a copy of the student's files.
pub fn reset(project: &Project, assignment: &Assignment) -> Result<(), String> {
    if !project.is_handout {
        return Err("only a handout can be reset".into());
    }
    let to = format!("{KEPT}/{}", assignment.name);
    let (folder, named) = (&assignment.folder, &assignment.files);
    let (saved, files) = files::keep(named, folder, &project.root, &to)?;
    restore(project, assignment)?;
    let mut remembered = Remembered::load(project);
    remembered.of(assignment).done.clear();
    remembered.save()?;
    print(&format!(
        "The starter is back; your {files} files are kept in {saved}.\n"
    ))
}

/// Replaces the student's files with the starter.
fn restore(project: &Project, assignment: &Assignment) -> Result<(), String> {
    let starter = project.root.join(KEPT).join("starter");
    let starter = starter.join(&assignment.name);
    if !starter.is_dir() {
        return Err(format!("{} does not exist", starter.display()));
    }
    let (folder, named) = (&assignment.folder, &assignment.files);
    files::remove(named, folder)?;
    files::copy(named, &starter, folder).map(|_| ())
}

/// Prints the result of each assignment's last check.
pub fn status(project: &Project) -> Result<(), String> {
    let mut remembered = Remembered::load(project);
    let mut text = String::new();
    for assignment in project.assignments()? {
        let Progress { done, hints } = remembered.of(&assignment).clone();
        let Assignment { name, title, pages, minutes, .. } = &assignment;
        text += &format!("{name}: {title}\n");
        text += &format!("  pages {pages}, about {minutes} minutes\n");
        for stage in &assignment.stages {
            let mark =
                if done.contains(&stage.name) { "done" } else { "not yet" };
            let hints = match hints.get(&stage.name) {
                Some(number) => format!(", {} taken", counted(*number, "hint")),
                None => String::new(),
            };
            let Stage { name, title, points, .. } = stage;
            let points = counted(*points, "point");
            text += &format!("  {mark:8} {name}: {title} ({points}{hints})\n");
        }
    }
    print(&text)
}

/// Prints on standard output. No error if the reader closes it early, as `head`
/// does.
pub fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => {
            Err(err.to_string())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_earned_stands_beside_what_is_unknown() {
        let project = Project::around(&zen_harness::folder!()).unwrap();
        let assignment = project.assignment("framing").unwrap();
        let result = |points, outcome| {
            let (name, title) = (String::new(), String::new());
            StageResult { name, title, points, outcome }
        };
        let unknown = StageOutcome::Unknown("a busy machine".into());
        let results = [result(1, StageOutcome::Passed), result(9, unknown)];
        let text = told(&assignment, &results, 1060);
        assert!(text.contains("done     :  (1 point)\n"), "{text}");
        assert!(text.contains("1 of 10 points so far"), "{text}");
    }
}
