//! The exercises of the book whose answers can be checked.
//!
//! `book/solutions/PAGE/N.toml` names the files that a student edits, and the
//! claims that hold when the exercise is done. Before the first edit the files
//! are copied to `.exercises`, and `--undo` puts them back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Deserialize;
use zen_harness::process::{Ended, Process};
use zen_harness::workspace;

use crate::at::At;
use crate::files;
use crate::project::Project;
use crate::student::print;
use crate::watch::{times, until_done};

/// Where files are kept while an exercise is in progress, and afterwards.
const KEPT: &str = ".exercises";

/// How long a claim's command may take, building included.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(600);
const SERVER_TIME_MAX: Duration = Duration::from_secs(10);

/// The lines that are shown of a command that does something else.
const LINES_MAX: usize = 30;

#[derive(Args, Clone, Debug)]
pub struct Which {
    /// The page, as in its address: poll, threaded, client
    page: String,

    /// The number of the exercise on that page
    number: u32,

    /// Check once, and exit with status 1 if it is not done
    #[arg(long)]
    once: bool,

    /// Put the files back as they were before the exercise, and keep yours
    #[arg(long, conflicts_with = "once")]
    undo: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exercise {
    /// What a student edits: files, and folders with all that is in them.
    #[serde(default)]
    files: Vec<PathBuf>,
    /// All of these hold when it is done.
    claim: Vec<Claim>,
}

/// A command, and what it does once the exercise is done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    /// `cargo ...`, or a program of the workspace, such as `{zen-client}`.
    run: String,
    /// A server and its options, without its port: `PORT` in `run` is that.
    server: Option<String>,
    /// It ends with this exit status: 0, or with `fails` 101.
    status: Option<i32>,
    /// It takes at least this long.
    #[serde(default)]
    seconds_min: f64,
    /// The tests that fail, by a part of their names. No other fails.
    #[serde(default)]
    fails: Vec<String>,
    /// What is in its output.
    #[serde(default)]
    prints: Vec<String>,
    /// What is not.
    #[serde(default)]
    prints_not: Vec<String>,
    /// What is in the output of the server, which is stopped afterwards.
    #[serde(default)]
    logs: Vec<String>,
}

/// Checks an exercise whenever one of its files has changed, until it is done;
/// true if it is.
pub fn exercise(project: &Project, which: &Which) -> Result<bool, String> {
    let Which { page, number, once, undo } = which;
    let root = &project.root;
    let file = format!("book/solutions/{page}/{number}.toml");
    let text = fs::read_to_string(root.join(&file))
        .map_err(|_| format!("exercise {number} of {page} is not checked"))?;
    let exercise: Exercise = toml::from_str(&text).at(&file)?;
    let kept = root.join(KEPT).join(format!("{page}-{number}"));
    if *undo {
        return exercise.undo(root, &kept).map(|()| true);
    }
    if *once {
        return exercise.is_done(root);
    }
    exercise.keep(root, &kept)?;
    let look = || times(&exercise.files, root);
    until_done(look, || exercise.is_done(root))?;
    print(&format!(
        "Done. This puts the files back, and keeps yours:\n    \
        cargo homework exercise {page} {number} --undo\n"
    ))?;
    Ok(true)
}

impl Exercise {
    fn is_done(&self, root: &Path) -> Result<bool, String> {
        for claim in &self.claim {
            if let Err(why) = claim.check(root) {
                print(&format!("not yet  {}\n{why}\n", claim.name()))?;
                return Ok(false);
            }
            print(&format!("holds    {}\n", claim.name()))?;
        }
        Ok(true)
    }

    /// Keeps the files as they are, unless they have been kept already.
    fn keep(&self, root: &Path, kept: &Path) -> Result<(), String> {
        let before = kept.join("before");
        if before.is_dir() {
            return Ok(());
        }
        let others = fs::read_dir(root.join(KEPT)).into_iter().flatten();
        for other in others.filter_map(Result::ok) {
            let before = other.path().join("before");
            if !files::find(&self.files, &before)?.files.is_empty() {
                let name = other.file_name().to_string_lossy().into_owned();
                let (page, number) = name.rsplit_once('-').unwrap_or_default();
                return Err(format!(
                    "another exercise has changed these files; put them back \
                    first: cargo homework exercise {page} {number} --undo"
                ));
            }
        }
        // Only a whole copy gets the name.
        let part = kept.join("part");
        fs::remove_dir_all(&part).ok();
        files::copy(&self.files, root, &part)?;
        fs::rename(part, before).at(kept)
    }

    fn undo(&self, root: &Path, kept: &Path) -> Result<(), String> {
        let before = kept.join("before");
        if !before.is_dir() {
            return Err("there is nothing to put back".into());
        }
        let to = format!("{}/mine", kept.display());
        let (mine, _) = files::keep(&self.files, root, root, &to)?;
        files::remove(&self.files, root)?;
        files::copy(&self.files, &before, root)?;
        // From here on there is nothing to put back, even after Ctrl-C.
        let part = kept.join("part");
        fs::rename(before, &part)
            .and_then(|()| fs::remove_dir_all(part))
            .at(kept)?;
        let mine = Path::new(&mine);
        let mine = mine.strip_prefix(root).unwrap_or(mine).display();
        print(&format!("The files are back; yours are kept in {mine}.\n"))
    }
}

impl Claim {
    /// With what a student has to know to try it, or to believe that it holds
    /// though a test fails.
    fn name(&self) -> String {
        let mut name = self.run.clone();
        if let Some(status) = self.status {
            name += &format!(", which ends with exit status {status}");
        }
        if !self.fails.is_empty() {
            name += &format!(", where this fails: {}", self.fails.join(", "));
        }
        if let Some(server) = &self.server {
            name += &format!(", while this runs: {server}");
        }
        name
    }

    /// The reason if it does not hold.
    fn check(&self, root: &Path) -> Result<(), String> {
        let (ended, log, seconds) = self.run(root)?;
        let printed = [&ended.output[..], &ended.errors].concat();
        let failed = printed.iter().filter(|line| {
            line.starts_with("test ") && line.ends_with("... FAILED")
        });
        let failed: Vec<_> = failed.map(|line| line.as_str()).collect();
        let mut wrong = Vec::new();
        let expected =
            self.status.unwrap_or(if self.fails.is_empty() { 0 } else { 101 });
        let status = ended.status.and_then(|it| it.code());
        if status != Some(expected) {
            let status = status.map_or("none".into(), |it| it.to_string());
            wrong.push(format!("exit status {status}, not {expected}"));
        }
        if seconds < self.seconds_min {
            let least = self.seconds_min;
            wrong.push(format!("it took {seconds:.1} s, not {least} s"));
        }
        let of_test =
            |name: &&String| failed.iter().any(|it| it.contains(*name));
        for name in self.fails.iter().filter(|name| !of_test(name)) {
            wrong.push(format!("this test does not fail: {name}"));
        }
        let is_expected = |it: &str| self.fails.iter().any(|n| it.contains(n));
        for line in failed.iter().filter(|line| !is_expected(line)) {
            wrong.push((*line).into());
        }
        let has = |lines: &[String], text: &String| {
            lines.iter().any(|line| line.contains(text))
        };
        for (said, lines, texts, wanted) in [
            ("not printed", &printed, &self.prints, true),
            ("printed", &printed, &self.prints_not, false),
            ("not in the server's log", &log, &self.logs, true),
        ] {
            let texts = texts.iter().filter(|it| has(lines, it) != wanted);
            wrong.extend(texts.map(|text| format!("{said}: {text}")));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let of_interest = [&printed[..], &log].concat();
        let skipped = of_interest.len().saturating_sub(LINES_MAX);
        let lines = of_interest.iter().skip(skipped);
        let lines = lines.map(|line| format!("  | {line}"));
        wrong.iter_mut().for_each(|line| line.insert_str(0, "  "));
        Err(wrong.into_iter().chain(lines).collect::<Vec<_>>().join("\n"))
    }

    /// Runs the command, and returns the server's log and the time as well.
    fn run(&self, root: &Path) -> Result<(Ended, Vec<String>, f64), String> {
        let text = |err: std::io::Error| format!("  {err}");
        let mut server = match &self.server {
            None => None,
            Some(words) => {
                let mut command = command(root, &format!("{words} --port 0"))?;
                let mut server = Process::start(&mut command).map_err(text)?;
                let address = server.address(SERVER_TIME_MAX).map_err(text)?;
                Some((server, address.port().to_string()))
            }
        };
        let port = server.as_ref().map_or("", |(_, port)| port);
        let mut command = command(root, &self.run.replace("PORT", port))?;
        let begun = Instant::now();
        let process = Process::start(&mut command).map_err(text)?;
        let ended = process.finish(COMMAND_TIME_MAX).map_err(text)?;
        let seconds = begun.elapsed().as_secs_f64();
        let mut log = Vec::new();
        if let Some((server, _)) = &mut server {
            server.stop(SERVER_TIME_MAX).map_err(text)?;
            let all = server.output.wait_for_end(SERVER_TIME_MAX);
            all.map_err(|err| text(err.into()))?;
            log = [server.output.lines(), server.errors.lines()].concat();
        }
        Ok((ended, log, seconds))
    }
}

/// Programs of the workspace are written `{zen-poll}`, and built first.
fn command(root: &Path, line: &str) -> Result<Command, String> {
    let mut words = shlex::split(line).unwrap_or_default();
    for word in &mut words {
        let name = word.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        if let Some(name) = name.filter(|it| it.starts_with("zen-")) {
            let name = name.to_owned();
            let built = workspace::build(root, &[&name], "dev", None)?;
            *word = built[&name].to_string_lossy().into_owned();
        }
    }
    let (program, words) = words.split_first().ok_or("  no command")?;
    let mut command = match program.as_str() {
        "cargo" => workspace::cargo(root),
        program => Command::new(program),
    };
    command.args(words).current_dir(root);
    Ok(command)
}
