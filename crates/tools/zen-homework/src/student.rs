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
#[cfg(unix)]
use zen_harness::process;

use crate::assignment::{Assignment, FILE_BYTES_MAX, Stage};
#[cfg(unix)]
use crate::project::give;
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
    assignment
        .files_in(&assignment.folder)
        .map_err(|why| format!("this cannot be handed in: {why}"))?;
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
    remembered.save(project)?;
    let time = begun.elapsed();
    let whole = stages::report(assignment, &results, seed, time);
    for (format, to) in &mut open {
        report::write(&whole, *format, to, &Settings::default())
            .map_err(|err| format!("the report {format}: {err}"))?;
    }
    if !options.reports.iter().any(|(_, file)| file == "-") {
        print(&told(assignment, &results, seed))?;
        print(&not_handed_in(assignment))?;
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
    restore(project, assignment)?;
    let to = &assignment.folder;
    if let Some(from) = find_submission(assignment, submission) {
        return Ok(copy_files(assignment, &from, to).err());
    }
    let lone = lone_files(assignment, submission);
    for (from, file) in &lone {
        let copied = fs::read(from).and_then(|it| fs::write(to.join(file), it));
        copied.map_err(|err| format!("{}: {err}", from.display()))?;
    }
    let files = assignment.files.join(", ");
    let what = format!("nothing was handed in: expected {files}");
    Ok(lone.is_empty().then_some(what))
}

/// Files that were handed in without their folders, and where they belong.
fn lone_files<'a>(
    assignment: &'a Assignment,
    submission: &Path,
) -> Vec<(PathBuf, &'a Path)> {
    let files = assignment.files.iter().map(Path::new);
    let lone = files.filter_map(|file| {
        let from = submission.join(file.file_name()?);
        let metadata = fs::symlink_metadata(&from).ok()?;
        let is_one = metadata.is_file() && metadata.len() <= FILE_BYTES_MAX;
        is_one.then_some((from, file))
    });
    lone.collect()
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
        let files = assignment.files_in(place);
        files.is_err() || files.is_ok_and(|files| !files.is_empty())
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
    let built = project.build(assignment, Ok)?;
    run_as(user, &assignment.folder)?;
    match built {
        Err(what) => Ok(stages::all_failed(assignment, &what, Vec::new())),
        Ok(program) => {
            // The assignment's own commands run in that folder.
            std::env::set_current_dir(assignment.place())
                .map_err(|err| err.to_string())?;
            Ok(stages::examine(assignment, &program, seed, &mut |_| ()))
        }
    }
}

/// Starts everything from now on as this user, who owns the folder. So it can
/// neither signal this process nor write what this process writes.
#[cfg(unix)]
fn run_as(user: Option<u32>, folder: &Path) -> Result<(), String> {
    use std::os::unix::process::CommandExt;
    let Some(user) = user else { return Ok(()) };
    give(folder, Some(user))?;
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
fn not_handed_in(assignment: &Assignment) -> String {
    let files = assignment.handed_in(&assignment.folder).unwrap_or_default();
    let lines = files.left_out.iter().map(|it| format!("  {it}\n"));
    match lines.collect::<String>() {
        lines if lines.is_empty() => lines,
        lines => format!(
            "\nYour work is graded without these, so it must not need them:\n\
            {lines}"
        ),
    }
}

/// Checks again whenever a file has changed, until it is interrupted.
pub fn watch(
    project: &Project,
    assignment: &Assignment,
    options: &CheckOptions,
) -> Result<(), String> {
    let folder = &assignment.folder;
    let look = || Ok(times(folder, assignment.files_in(folder)?));
    until_done(look, || check(project, assignment, options).map(|_| false))
}

/// Checks whenever a student has saved a file, until `check` returns true.
pub(crate) fn until_done(
    look: impl Fn() -> Result<Times, String>,
    check: impl Fn() -> Result<bool, String>,
) -> Result<(), String> {
    let mut watched = Watched::default();
    loop {
        if watched.is_saved(&look()?) {
            if report::is_for_a_terminal() {
                print("\x1b[2J\x1b[H")?;
            }
            match check() {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // Keep watching even if a check cannot run.
                Err(message) => print(&format!("{message}\n"))?,
            }
            watched.checked(&look()?);
            print("Waiting for a change; Ctrl-C ends this.\n")?;
        }
        thread::sleep(WATCH_EVERY);
    }
}

/// When each file was last changed.
pub(crate) type Times = BTreeMap<PathBuf, Option<SystemTime>>;

/// Tells the files that a student saves from those that a build or a server
/// writes during a check.
#[derive(Default)]
struct Watched {
    /// The times at the last look; none before the first.
    seen: Option<Times>,
    /// Files that changed during the last check. Either the student saved them
    /// then, or the program writes them in each check.
    during: Vec<PathBuf>,
}

impl Watched {
    /// Whether a student has saved a file since the last look.
    fn is_saved(&mut self, now: &Times) -> bool {
        self.seen.replace(now.clone()).as_ref() != Some(now)
    }

    /// Takes note of what a check has changed. A file that is new is the
    /// program's, and so is one that the check before has changed as well.
    fn checked(&mut self, now: &Times) {
        let seen = self.seen.get_or_insert_default();
        let changed = now.iter().filter(|(file, time)| {
            seen.get(*file).is_some_and(|before| before != *time)
        });
        let changed: Vec<_> = changed.map(|(file, _)| file.clone()).collect();
        let mut known = now.clone();
        for file in changed.iter().filter(|it| !self.during.contains(it)) {
            // Keep the old time, so that the next look finds it saved.
            known.insert(file.clone(), seen[file]);
        }
        *seen = known;
        self.during = changed;
    }
}

/// When each of these files in a folder was changed, without those that editors
/// and interpreters write beside them.
pub(crate) fn times(folder: &Path, mut files: Vec<PathBuf>) -> Times {
    let beside = |part: &str| {
        let ends = ["~", ".swp", ".swo", ".tmp", ".log", ".pyc", ".o"];
        part.starts_with(['.', '#', '~'])
            || part == "__pycache__"
            // Vim tries with this name whether it may write there.
            || part == "4913"
            || ends.iter().any(|end| part.ends_with(end))
    };
    files.retain(|it| !it.iter().any(|part| beside(&part.to_string_lossy())));
    let with_time = |file: PathBuf| {
        let metadata = fs::metadata(folder.join(&file));
        let time = metadata.and_then(|it| it.modified()).ok();
        (file, time)
    };
    files.into_iter().map(with_time).collect()
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

    fn times(files: &[(&str, u64)]) -> Times {
        let time = |at| SystemTime::UNIX_EPOCH + Duration::from_secs(at);
        let entry =
            |&(file, at): &(&str, u64)| (PathBuf::from(file), Some(time(at)));
        files.iter().map(entry).collect()
    }

    #[test]
    fn watch_fires_on_what_a_student_saves_and_not_on_what_a_check_writes() {
        let mut watched = Watched::default();
        assert!(watched.is_saved(&times(&[("main.py", 1)])), "the first look");
        // The server makes a file.
        watched.checked(&times(&[("main.py", 1), ("data", 2)]));
        assert!(!watched.is_saved(&times(&[("main.py", 1), ("data", 2)])));
        assert!(watched.is_saved(&times(&[("main.py", 3), ("data", 2)])));
        // It changes again: this might be a student, but only once.
        let now = times(&[("main.py", 3), ("data", 4)]);
        watched.checked(&now);
        assert!(watched.is_saved(&now));
        let now = times(&[("main.py", 3), ("data", 5)]);
        watched.checked(&now);
        assert!(!watched.is_saved(&now), "it loops");
        // What is saved during a check is not lost.
        assert!(watched.is_saved(&times(&[("main.py", 6), ("data", 5)])));
        let now = times(&[("main.py", 7), ("data", 8)]);
        watched.checked(&now);
        assert!(watched.is_saved(&now));
        // Nor is what a student deletes.
        watched.checked(&now);
        assert!(watched.is_saved(&times(&[("main.py", 7)])));
    }

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
