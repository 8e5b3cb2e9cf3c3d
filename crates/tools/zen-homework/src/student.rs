//! The commands for students: check, watch, hint, reset, status.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use serde::{Deserialize, Serialize};

use zen_check::report::{self, Format, Settings};

use crate::assignment::{Assignment, Stage};
use crate::project::{KEPT, Project, copy_files, remove_files};
use crate::stages::{self, StageOutcome, StageResult, counted};

/// How often `watch` looks for a changed file.
const WATCH_EVERY: Duration = Duration::from_millis(300);

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
#[derive(Debug, Default, Deserialize, Serialize)]
struct Remembered(BTreeMap<String, Progress>);

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Progress {
    /// The names of the stages that had passed at the last check.
    done: Vec<String>,
    /// How many hints were shown, by stage.
    hints: BTreeMap<String, usize>,
}

impl Remembered {
    /// None in the author's workspace, whose solution is not a student's work.
    fn file(project: &Project) -> Option<PathBuf> {
        let folder = project.root.join(KEPT);
        project.is_handout.then(|| folder.join("progress.json"))
    }

    /// A file that cannot be read counts as empty.
    fn load(project: &Project) -> Self {
        let text = Self::file(project).and_then(|it| fs::read(it).ok());
        text.and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    fn save(&self, project: &Project) -> Result<(), String> {
        let Some(file) = Self::file(project) else { return Ok(()) };
        let text = serde_json::to_vec_pretty(self);
        let text = text.map_err(|err| err.to_string())?;
        fs::write(file, text).map_err(|err| err.to_string())
    }

    fn of(&mut self, assignment: &Assignment) -> &mut Progress {
        self.0.entry(assignment.name.clone()).or_default()
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
    let mut open = Vec::new();
    for (format, file) in &options.reports {
        open.push((format.parse::<Format>()?, writer(file)?));
    }
    let seed = options.seed.unwrap_or_else(zen_check::seed_of_now);
    let results = match take(project, assignment, options)? {
        Some(why) => stages::all_failed(assignment, &why, Vec::new()),
        None => examine(project, assignment, seed)?,
    };
    let mut remembered = Remembered::load(project);
    let done = results.iter().filter(|it| it.passed());
    remembered.of(assignment).done = done.map(|it| it.name.clone()).collect();
    remembered.save(project)?;
    let time = begun.elapsed();
    let whole = stages::report(assignment, &results, seed, time);
    for (format, to) in &mut open {
        report::write(&whole, *format, to, &Settings::default())
            .map_err(|err| format!("the report {format}: {err}"))?;
    }
    if !options.reports.iter().any(|(_, file)| file == "-") {
        print(&told(assignment, &results, seed))?;
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
    let opened = File::create(file).map_err(|err| format!("{file}: {err}"))?;
    Ok(Box::new(opened))
}

/// Replaces the files here with those that were handed in; returns the reason
/// if that is impossible.
fn take(
    project: &Project,
    assignment: &Assignment,
    options: &CheckOptions,
) -> Result<Option<String>, String> {
    let Some(submission) = &options.submission else { return Ok(None) };
    let Some(from) = find_submission(assignment, submission) else {
        return Ok(Some("nothing was handed in".into()));
    };
    restore(project, assignment)?;
    Ok(copy_files(assignment, &from, &assignment.folder).err())
}

/// The folder of an assignment in a submission: a folder named after it, the
/// submission itself, or, as in archives, such a named folder one level deeper.
#[must_use]
pub fn find_submission(
    assignment: &Assignment,
    folder: &Path,
) -> Option<PathBuf> {
    let name = &assignment.name;
    let mut places = vec![folder.join(name), folder.to_path_buf()];
    let inside = fs::read_dir(folder).into_iter().flatten();
    let mut inside: Vec<_> =
        inside.filter_map(|entry| Some(entry.ok()?.path())).collect();
    inside.sort();
    places.extend(inside.into_iter().map(|it| it.join(name)));
    let holds = |place: &PathBuf| {
        let files = assignment.files_in(place);
        files.is_err() || files.is_ok_and(|files| !files.is_empty())
    };
    places.into_iter().find(holds)
}

fn examine(
    project: &Project,
    assignment: &Assignment,
    seed: u64,
) -> Result<Vec<StageResult>, String> {
    match project.build(assignment, Ok)? {
        Err(what) => Ok(stages::all_failed(assignment, &what, Vec::new())),
        Ok(program) => {
            // The assignment's own commands run in that folder.
            std::env::set_current_dir(assignment.place())
                .map_err(|err| err.to_string())?;
            Ok(stages::examine(assignment, &program, seed, &mut |_| ()))
        }
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
        let (mark, why) = match outcome {
            StageOutcome::Passed => ("done", ""),
            StageOutcome::Failed(what, cases) => {
                for line in stages::lines(cases) {
                    details += &format!("  {line}\n");
                }
                ("FAILED", what.as_str())
            }
            StageOutcome::NotTried(_) => ("not yet", ""),
            StageOutcome::Unknown(why) => ("unknown", why.as_str()),
        };
        let points = counted(*points, "point");
        text += &format!("  {mark:8} {name}: {title} ({points})\n");
        if !why.is_empty() {
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
        None => {
            let points = stages::points_so_far(results);
            text += &format!(
                "\n{points} of {most} points so far, and no verdict about the \
                rest: check again\n"
            );
        }
    }
    text
}

/// Checks again whenever a file has changed, until it is interrupted.
pub fn watch(
    project: &Project,
    assignment: &Assignment,
    options: &CheckOptions,
) -> Result<(), String> {
    let mut seen = None;
    loop {
        let now = changed(assignment)?;
        if seen.as_ref() != Some(&now) {
            seen = Some(now);
            if report::is_for_a_terminal() {
                print("\x1b[2J\x1b[H")?;
            }
            // Keep watching even if a check cannot run.
            if let Err(message) = check(project, assignment, options) {
                print(&format!("{message}\n"))?;
            }
            print("Waiting for a change; Ctrl-C ends this.\n")?;
        }
        thread::sleep(WATCH_EVERY);
    }
}

/// When each file was last changed.
fn changed(
    assignment: &Assignment,
) -> Result<Vec<(PathBuf, Option<SystemTime>)>, String> {
    let files = assignment.files_in(&assignment.folder)?.into_iter();
    let with_time = |file: PathBuf| {
        let metadata = fs::metadata(assignment.folder.join(&file));
        let time = metadata.and_then(|it| it.modified()).ok();
        (file, time)
    };
    Ok(files.map(with_time).collect())
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
    remembered.save(project)?;
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
    let kept = project.root.join(KEPT);
    let saved = (1..)
        .map(|number| kept.join(format!("{}-{number}", assignment.name)))
        .find(|folder| !folder.exists())
        .unwrap_or(kept);
    let files = copy_files(assignment, &assignment.folder, &saved)?;
    restore(project, assignment)?;
    let mut remembered = Remembered::load(project);
    remembered.of(assignment).done.clear();
    remembered.save(project)?;
    let saved = saved.strip_prefix(&project.root).unwrap_or(&saved);
    let saved = saved.display();
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
    remove_files(assignment, &assignment.folder)?;
    copy_files(assignment, &starter, &assignment.folder).map(|_| ())
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
        assert!(text.contains("done      :  (1 point)\n"), "{text}");
        assert!(text.contains("1 of 10 points so far"), "{text}");
    }
}
