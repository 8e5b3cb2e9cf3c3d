//! Checks for authors: an assignment does what it is meant to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use zen_check::Dialect;
use zen_harness::listing::Listing;
use zen_harness::process;
use zen_harness::workspace::Servers;

use super::markers;
use super::solution::GIT_TIME_MAX;
use super::source::{self, Files};
use super::workshop::Workshop;
use crate::assignment::{Assignment, Stage};
use crate::project::{Built, Project};
use crate::stages::{self, StageOutcome, StageResult};
use crate::start::{self, Start};
use crate::student::print;

/// The seed of every examination here.
const SEED: u64 = 1060;

/// No other files belong beside those that a student may change.
const KNOWN: [&str; 7] = [
    "Cargo.toml",
    "assignment.toml",
    "src",
    "cases",
    "hints",
    "wrong",
    "teacher.md",
];

/// Without this file, a solution uses the contract's own words.
const TOLD: &str = "dialect.txt";

/// Why a solution may hang in a case of its own author.
const SERVES_ONE: &str = "; does a case have two clients at once? A solution \
    that serves one client after another, like the one that `new` writes, \
    answers the second only when the first has left";

/// A shorter line of a solution may occur anywhere by chance.
const TELLING_BYTES_MIN: usize = 24;

/// Checks these assignments, and prints what is wrong with each; true if
/// nothing is.
pub fn verify(
    project: &Project,
    names: &[String],
    with_listings: bool,
    dialect: Option<u64>,
    mutants: bool,
) -> Result<bool, String> {
    let assignments = match names {
        [] => project.assignments()?,
        names => {
            let all = names.iter().map(|name| project.assignment(name));
            all.collect::<Result<_, _>>()?
        }
    };
    let assignments = assignments
        .into_iter()
        .map(|it| it.in_dialect(dialect))
        .collect::<Result<Vec<_>, _>>()?;
    let workshop = Workshop::new(project, &assignments)?;
    let listings = match with_listings {
        true => built_listings(project)?,
        false => Vec::new(),
    };
    let mut all_well = true;
    for assignment in &assignments {
        print(&format!("{}\n", assignment.name))?;
        let mut gate = Gate {
            root: &project.root,
            assignment,
            workshop: &workshop,
            findings: Vec::new(),
            left_out: Vec::new(),
        };
        if mutants {
            gate.try_mutants()?;
        } else {
            gate.try_all(&listings)?;
        }
        for what in &gate.left_out {
            print(&format!("  LEFT OUT: {what}\n"))?;
        }
        for finding in &gate.findings {
            print(&format!("  WRONG: {finding}\n"))?;
        }
        all_well &= gate.findings.is_empty();
    }
    Ok(all_well)
}

pub(super) struct Gate<'a> {
    pub(super) root: &'a Path,
    pub(super) assignment: &'a Assignment,
    workshop: &'a Workshop,
    pub(super) findings: Vec<String>,
    /// What this machine could not check, and why.
    pub(super) left_out: Vec<String>,
}

/// A language in which an assignment has a starter. Its name is empty if there
/// is only one.
struct Language(String);

impl Language {
    /// Its name, to add to a message.
    fn told(&self) -> String {
        match self.0.is_empty() {
            true => String::new(),
            false => format!(", in {}", self.0),
        }
    }
}

impl Gate<'_> {
    fn try_all(&mut self, listings: &[PathBuf]) -> Result<(), String> {
        self.look_at_files()?;
        for language in self.languages()? {
            self.try_starter(&language)?;
            self.try_solution(&language)?;
            self.try_plain_solution(&language)?;
        }
        self.try_listings(listings)?;
        self.try_wrong_ones()
    }

    /// The languages of its starters that this machine can build.
    fn languages(&mut self) -> Result<Vec<Language>, String> {
        let Some(file) = &self.assignment.start else {
            return Ok(vec![Language(String::new())]);
        };
        let path = self.assignment.folder.join(file);
        let in_path = |what| format!("{}: {what}", path.display());
        let text = fs::read_to_string(&path);
        let text = text.map_err(|err| in_path(err.to_string()))?;
        let mut languages = Vec::new();
        for name in start::languages(&text).map_err(in_path)? {
            let chosen = start::with_language(&text, &name);
            let missing = Start::read(&chosen, &path).map_err(in_path)?;
            match missing.missing() {
                None => languages.push(Language(name)),
                Some(program) => self.left_out.push(format!(
                    "the {name} files: {program} is not installed"
                )),
            }
        }
        Ok(languages)
    }

    /// The same files, as if a student had chosen this language.
    fn chosen(&self, mut files: Files, language: &Language) -> Files {
        let start = self.assignment.start.as_deref().map(Path::new);
        for (path, bytes) in &mut files {
            if Some(path.as_path()) == start {
                let text = String::from_utf8_lossy(bytes);
                *bytes = start::with_language(&text, &language.0).into();
            }
        }
        files
    }

    fn look_at_files(&mut self) -> Result<(), String> {
        let it = self.assignment;
        let files = source::files_below(&it.folder)?;
        let starter = source::starter(it)?;
        for (path, bytes) in &files {
            let known = KNOWN.iter().any(|name| path.starts_with(name));
            self.require(
                known || it.may_change(path) || it.names(path),
                || format!("{} does not belong to it", path.display()),
            );
            // A patch may begin in the middle of a solution.
            let Ok(text) = std::str::from_utf8(bytes) else { continue };
            if path.starts_with("wrong") {
                continue;
            }
            self.look_for_leaks(path, text, &starter)?;
        }
        let has_teacher_md = it.folder.join("teacher.md").is_file();
        self.require(has_teacher_md, || "there is no teacher.md".into());
        let has_file = !it.files_in(&it.folder)?.is_empty();
        self.require(has_file, || "there is no file to change".into());
        let mut hints = Vec::new();
        for Stage { name, .. } in &it.stages {
            let steps = 1..=it.hints(name).len();
            self.require(!steps.is_empty(), || {
                format!("there is no hint hints/{name}-1.md")
            });
            hints.extend(steps.map(|it| format!("hints/{name}-{it}.md")));
        }
        for (path, _) in files.iter().filter(|it| it.0.starts_with("hints")) {
            let is_shown = hints.iter().any(|hint| path == Path::new(hint));
            let never = || format!("{} is never shown", path.display());
            self.require(is_shown, never);
        }
        Ok(())
    }

    pub(super) fn require(
        &mut self,
        holds: bool,
        finding: impl FnOnce() -> String,
    ) {
        if !holds {
            self.findings.push(finding());
        }
    }

    fn look_for_leaks(
        &mut self,
        path: &Path,
        text: &str,
        starter: &Files,
    ) -> Result<(), String> {
        let in_path = |what| format!("{}: {what}", path.display());
        let (_, stages) = markers::starter(text).map_err(in_path)?;
        for name in stages {
            let is_one =
                self.assignment.stages.iter().any(|it| it.name == name);
            self.require(is_one, || {
                in_path(format!("there is no stage {name:?}"))
            });
        }
        let telling = markers::solution_lines(text).into_iter();
        for line in telling.filter(|line| line.len() >= TELLING_BYTES_MIN) {
            for (place, bytes) in starter {
                let has_it = String::from_utf8_lossy(bytes).contains(line);
                self.require(!has_it, || {
                    in_path(format!(
                        "a line of the solution is handed out in {}: {line}",
                        place.display()
                    ))
                });
            }
        }
        Ok(())
    }

    /// Builds these files, and examines the program.
    fn examine(&self, files: &Files) -> Result<Examined, String> {
        let (assignment, built, said) = self.build(files)?;
        let program = built
            .map_err(|what| [&[what][..], &said].concat().join("\n    "))?;
        let begun = std::time::Instant::now();
        let results = self.stages(&assignment, &program)?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Examined { said, results, seconds })
    }

    /// Builds these files. Also returns what the compiler printed.
    pub(super) fn build(
        &self,
        files: &Files,
    ) -> Result<(Assignment, Built, Vec<String>), String> {
        self.workshop.put(&self.assignment.name, files)?;
        let assignment = self.workshop.assignment(&self.assignment.name)?;
        // Without limits: the author is trusted.
        let (built, said) = self.workshop.build(&assignment)?;
        Ok((assignment, built, said))
    }

    pub(super) fn stages(
        &self,
        assignment: &Assignment,
        program: &Path,
    ) -> Result<Vec<StageResult>, String> {
        std::env::set_current_dir(assignment.place())
            .map_err(|err| err.to_string())?;
        Ok(stages::examine(assignment, program, SEED, &mut |_| ()))
    }

    /// The same in one language; None, and a finding, if it does not build.
    fn examine_in(
        &mut self,
        language: &Language,
        what: &str,
        files: Files,
    ) -> Option<Examined> {
        let examined = self.examine(&self.chosen(files, language));
        let finding = |why| self.findings.push(format!("{what}: {why}"));
        examined.map_err(finding).ok()
    }

    fn try_starter(&mut self, language: &Language) -> Result<(), String> {
        let starter = source::starter(self.assignment)?;
        let told = language.told();
        let what = format!("the starter{told}");
        let Some(Examined { results, seconds, .. }) =
            self.examine_in(language, &what, starter)
        else {
            return Ok(());
        };
        match failing(&results).filter(|it| it.name == results[0].name) {
            Some(StageResult { name, .. }) => print(&format!(
                "  the starter builds, and fails {name}{told} ({seconds:.1} s)\n"
            ))?,
            None => self.findings.push(format!(
                "the starter does not fail the first stage{told}"
            )),
        }
        Ok(())
    }

    pub(super) fn solution(&self) -> Result<Files, String> {
        let mut files = source::files_below(&self.assignment.folder)?;
        files.retain(|(path, _)| !path.starts_with("wrong"));
        source::speak(self.assignment, &mut files);
        // Its dialect is in a file of its own, which no student has.
        if let Some(seed) = self.assignment.dialect {
            let start = self.assignment.start.as_deref().unwrap_or_default();
            let told = Path::new(start).with_file_name(TOLD);
            files.push((told, Dialect::new(seed).lines().into()));
        }
        Ok(files)
    }

    /// In a dialect, a solution in the contract's own words must fail.
    fn try_plain_solution(
        &mut self,
        language: &Language,
    ) -> Result<(), String> {
        if self.assignment.dialect.is_none() {
            return Ok(());
        }
        let mut solution = self.solution()?;
        solution.retain(|(path, _)| !path.ends_with(TOLD));
        let what = format!(
            "the solution in the contract's own words{}",
            language.told()
        );
        let Some(Examined { results, .. }) =
            self.examine_in(language, &what, solution)
        else {
            return Ok(());
        };
        match (failing(&results), results.iter().find(|it| !it.passed())) {
            (Some(it), _) => {
                let told = language.told();
                let what = "the solution in the contract's own words fails";
                print(&format!("  {what} {}{told}\n", it.name))?;
            }
            (None, Some(unknown)) => {
                let why = told(&unknown.outcome);
                self.findings.push(format!("{what}: {why}"));
            }
            (None, None) => {
                self.findings.push(format!("{what}: passes as well"));
            }
        }
        Ok(())
    }

    fn try_solution(&mut self, language: &Language) -> Result<(), String> {
        let what = format!("the solution{}", language.told());
        let solution = self.solution()?;
        let Some(Examined { said, results, seconds }) =
            self.examine_in(language, &what, solution)
        else {
            return Ok(());
        };
        if !said.is_empty() {
            let said = said.join("\n    ");
            self.findings.push(format!("{what} builds with: {said}"));
        }
        match results.iter().find(|it| !it.passed()) {
            None => {
                let told = language.told();
                print(&format!(
                    "  the solution passes{told} ({seconds:.1} s)\n"
                ))?;
            }
            Some(StageResult { name, outcome, .. }) => {
                let why = told(outcome);
                let hint = match why.contains(stages::HANGS) {
                    true => SERVES_ONE,
                    false => "",
                };
                self.findings
                    .push(format!("{what} does not pass {name}: {why}{hint}"));
            }
        }
        Ok(())
    }

    fn try_listings(&mut self, listings: &[PathBuf]) -> Result<(), String> {
        if self.assignment.start.is_some() && !listings.is_empty() {
            // Where any program is allowed, a listing is too.
            return print("  a listing may be handed in as it is\n");
        }
        for listing in listings {
            let name = listing.file_name().unwrap_or_default();
            let name = name.to_string_lossy();
            let results =
                stages::examine(self.assignment, listing, SEED, &mut |_| ());
            match failing(&results) {
                Some(it) => print(&format!("  {name} fails {}\n", it.name))?,
                None => self.findings.push(format!("{name} passes as well")),
            }
        }
        Ok(())
    }

    fn try_wrong_ones(&mut self) -> Result<(), String> {
        let solution = self.solution()?;
        let mut caught = Vec::new();
        for (name, bytes) in
            source::files_below_if_any(&self.assignment.folder.join("wrong"))?
        {
            let shown = format!("wrong/{}", name.display());
            let wrong = Wrong::read(&name, &bytes);
            let result = wrong.and_then(|wrong| {
                self.try_wrong_one(&wrong, &solution)
                    .map(|tried| (wrong, tried))
            });
            match result {
                Ok((wrong, Tried::Caught)) => {
                    print(&format!("  {shown} fails {}\n", wrong.fails))?;
                    caught.push(wrong.stage);
                }
                Ok((wrong, Tried::NotHere)) => {
                    self.left_out.push(shown);
                    caught.push(wrong.stage);
                }
                Err(what) => self.findings.push(format!("{shown}: {what}")),
            }
        }
        for Stage { name, .. } in &self.assignment.stages {
            self.require(caught.contains(name), || {
                format!("no wrong solution is caught by {name}")
            });
        }
        Ok(())
    }

    fn try_wrong_one(
        &self,
        wrong: &Wrong,
        solution: &Files,
    ) -> Result<Tried, String> {
        let files = self.patched(&wrong.patch, solution)?;
        if let Some(file) = &self.assignment.start
            && let folder = self.workshop.folder().join("wrong")
            && Start::load(&folder.join(file))?.missing().is_some()
        {
            return Ok(Tried::NotHere);
        }
        let results = self.examine(&files)?.results;
        let Some(failing) = failing(&results) else {
            let first = results.iter().find(|it| !it.passed());
            return Err(match first {
                Some(it) => format!("{}: {}", it.name, told(&it.outcome)),
                None => "no stage fails".into(),
            });
        };
        if failing.name != wrong.stage {
            let why = told(&failing.outcome);
            return Err(format!("{} fails, not that: {why}", failing.name));
        }
        match &failing.outcome {
            StageOutcome::Failed(_, cases)
                if cases.iter().any(|it| it.is_called(&wrong.fails)) =>
            {
                Ok(Tried::Caught)
            }
            outcome => {
                let (fails, why) = (&wrong.fails, told(outcome));
                Err(format!("it does not fail {fails}, but: {why}"))
            }
        }
    }

    /// The solution after this patch.
    pub(super) fn patched(
        &self,
        diff: &[u8],
        solution: &Files,
    ) -> Result<Files, String> {
        let patch = self.workshop.folder().join("wrong.patch");
        fs::write(&patch, diff).map_err(|err| err.to_string())?;
        let folder = self.workshop.folder().join("wrong");
        fs::remove_dir_all(&folder).ok();
        super::handout::write(solution, &folder)?;
        let mut git = Command::new("git");
        git.arg("apply").arg(&patch).current_dir(&folder);
        // Otherwise git would look for a repository above the folder.
        git.env("GIT_CEILING_DIRECTORIES", self.workshop.folder());
        let applied = process::run(&mut git, GIT_TIME_MAX);
        let applied = applied.map_err(|err| err.to_string())?;
        if !applied.succeeded() {
            return Err(format!("git apply: {}", applied.errors.join("\n")));
        }
        source::files_below(&folder)
    }
}

struct Examined {
    /// What the compiler printed.
    said: Vec<String>,
    results: Vec<StageResult>,
    seconds: f64,
}

/// The result for a wrong solution that fails as it should.
enum Tried {
    Caught,
    /// This machine cannot build its language.
    NotHere,
}

/// A wrong solution: the stage and the case to catch it, and a patch.
struct Wrong {
    stage: String,
    fails: String,
    patch: Vec<u8>,
}

impl Wrong {
    fn read(name: &Path, bytes: &[u8]) -> Result<Self, String> {
        let name = name.to_string_lossy();
        let name = name.strip_suffix(".patch").ok_or("it is not a .patch")?;
        let (stage, _) =
            name.split_once('-').ok_or("its name is not STAGE-WHAT.patch")?;
        let text = String::from_utf8_lossy(bytes);
        let fails = text.lines().find_map(|line| line.strip_prefix("Fails: "));
        let fails = fails.ok_or("there is no line `Fails: CASE`")?;
        Ok(Self {
            stage: stage.into(),
            fails: fails.trim().into(),
            patch: bytes.to_vec(),
        })
    }
}

pub(super) fn failing(results: &[StageResult]) -> Option<&StageResult> {
    let failed =
        |it: &&StageResult| matches!(it.outcome, StageOutcome::Failed(..));
    results.iter().find(failed)
}

pub(super) fn told(outcome: &StageOutcome) -> String {
    match outcome {
        StageOutcome::Passed => "passed".into(),
        StageOutcome::Failed(what, cases) => {
            let lines = stages::lines(cases).join("\n    ");
            format!("{what}\n    {lines}")
        }
        StageOutcome::NotTried(why) | StageOutcome::Unknown(why) => why.clone(),
    }
}

/// Every built server of this workspace that listens.
fn built_listings(project: &Project) -> Result<Vec<PathBuf>, String> {
    let listens = |it: &Listing| !it.is_inetds();
    let servers = Servers::build(&project.root, "dev", None, listens)?;
    let programs = servers.listings.iter().map(|it| servers.program(it));
    Ok(programs.map(Path::to_path_buf).collect())
}
