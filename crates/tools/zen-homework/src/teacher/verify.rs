//! Checks for authors: an assignment does what it is meant to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use zen_check::Dialect;
use zen_harness::listing::Listing;
use zen_harness::process;
use zen_harness::workspace::Servers;

use super::solution::GIT_TIME_MAX;
use super::source::{self, Files};
use super::workshop::Workshop;
use crate::assignment::Assignment;
use crate::at::At;
use crate::project::Project;
use crate::stages::{self, StageOutcome, StageResult};
use crate::start::{self, Start};
use crate::student::print;

/// The seed of every examination here.
const SEED: u64 = 1060;

/// Without this file, a solution uses the contract's own words.
const TOLD: &str = "dialect.txt";

/// Why a solution may hang in a case of its own author.
const SERVES_ONE: &str = "; does a case have two clients at once? A solution \
    that serves one client after another, like the one that `new` writes, \
    answers the second only when the first has left";

/// Checks these assignments, and prints what is wrong with each; true if
/// nothing is.
pub fn verify(
    project: &Project,
    names: &[String],
    with_listings: bool,
    dialect: Option<u64>,
    mutants: bool,
) -> Result<bool, String> {
    let mut assignments = match names {
        [] => project.assignments()?,
        names => {
            let all = names.iter().map(|name| project.assignment(name));
            all.collect::<Result<_, _>>()?
        }
    };
    for it in &mut assignments {
        *it = it.clone().in_dialect(dialect)?;
    }
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
    pub(super) workshop: &'a Workshop,
    pub(super) findings: Vec<String>,
    /// What this machine could not check, and why.
    pub(super) left_out: Vec<String>,
}

/// What an examination has come to.
pub(super) struct Examined {
    /// What the compiler printed.
    said: Vec<String>,
    /// Why there is none, if it does not build.
    pub(super) results: Result<Vec<StageResult>, String>,
    seconds: f64,
}

impl Examined {
    /// The stage that fails, or why none does.
    pub(super) fn failing(&self) -> Result<&StageResult, String> {
        let results = self.results.as_ref().map_err(String::clone)?;
        match results.iter().find(|it| !it.passed()) {
            None => Err("passes".into()),
            Some(it) if matches!(it.outcome, StageOutcome::Failed(..)) => {
                Ok(it)
            }
            Some(it) => Err(format!("{}: {}", it.name, told(&it.outcome))),
        }
    }

    pub(super) fn passed(&self) -> bool {
        let results = self.results.as_ref();
        results.is_ok_and(|it| it.iter().all(StageResult::passed))
    }

    /// That a stage fails, or why that is wrong.
    fn fails(&self) -> Result<String, String> {
        self.failing().map(|it| format!("fails {}", it.name))
    }

    /// That it is without a fault, or which it has.
    fn passes(&self) -> Result<String, String> {
        let results = self.results.as_ref().map_err(String::clone)?;
        if !self.said.is_empty() {
            return Err(format!("builds with: {}", self.said.join("\n    ")));
        }
        let Some(it) = results.iter().find(|it| !it.passed()) else {
            return Ok("passes".into());
        };
        let (name, why) = (&it.name, told(&it.outcome));
        let hint = if why.contains(stages::HANGS) { SERVES_ONE } else { "" };
        Err(format!("does not pass {name}: {why}{hint}"))
    }
}

/// What is well in an examination, or what is wrong.
type Judge<'a> = &'a dyn Fn(&Examined) -> Result<String, String>;

impl Gate<'_> {
    fn try_all(&mut self, listings: &[PathBuf]) -> Result<(), String> {
        self.look_at_files()?;
        let it = self.assignment;
        let first = &it.stages[0].name;
        let in_first = |examined: &Examined| {
            let failing = examined.failing()?;
            match failing.name == *first {
                true => examined.fails(),
                false => Err("does not fail the first stage".into()),
            }
        };
        for language in self.languages()? {
            let language = &language;
            let starter = source::starter(it)?;
            self.judge("the starter", starter, language, &in_first)?;
            let mut solution = self.solution()?;
            let what = "the solution";
            self.judge(what, solution.clone(), language, &Examined::passes)?;
            // In a dialect, the contract's own words are wrong.
            if it.dialect.is_some() {
                solution.retain(|(path, _)| !path.ends_with(TOLD));
                let what = "the solution in the contract's own words";
                self.judge(what, solution, language, &Examined::fails)?;
            }
        }
        self.try_listings(listings)?;
        self.try_wrong_ones()
    }

    /// Examines these files in a language, which has no name if there is only
    /// one. Prints what is well, and notes what is wrong.
    fn judge(
        &mut self,
        what: &str,
        files: Files,
        language: &str,
        judge: Judge<'_>,
    ) -> Result<(), String> {
        let examined = self.examine(&self.chosen(files, language), false);
        let what = match language {
            "" => what.into(),
            language => format!("{what}, in {language}"),
        };
        match examined.and_then(|it| Ok((judge(&it)?, it.seconds))) {
            Ok((well, seconds)) => {
                print(&format!("  {what} {well} ({seconds:.1} s)\n"))?;
            }
            Err(why) => self.findings.push(format!("{what}: {why}")),
        }
        Ok(())
    }

    /// The languages of its starters that this machine can build.
    fn languages(&mut self) -> Result<Vec<String>, String> {
        let Some(file) = &self.assignment.start else {
            return Ok(vec![String::new()]);
        };
        let path = self.assignment.folder.join(file);
        let text = fs::read_to_string(&path).at(&path)?;
        let mut languages = Vec::new();
        for name in start::languages(&text).at(&path)? {
            let chosen = start::with_language(&text, &name);
            let missing = Start::read(&chosen, &path).at(&path)?;
            match missing.missing() {
                None => languages.push(name),
                Some(program) => self.left_out.push(format!(
                    "the {name} files: {program} is not installed"
                )),
            }
        }
        Ok(languages)
    }

    /// The same files, as if a student had chosen this language.
    fn chosen(&self, mut files: Files, language: &str) -> Files {
        let start = self.assignment.start.as_deref().map(Path::new);
        for (path, bytes) in &mut files {
            if Some(path.as_path()) == start {
                let text = String::from_utf8_lossy(bytes);
                *bytes = start::with_language(&text, language).into();
            }
        }
        files
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

    /// Builds these files without limits, since the author is trusted, and
    /// examines the program.
    pub(super) fn examine(
        &self,
        files: &Files,
        first_failure: bool,
    ) -> Result<Examined, String> {
        self.workshop.put(&self.assignment.name, files)?;
        let mut assignment = self.workshop.assignment(&self.assignment.name)?;
        assignment.first_failure = first_failure;
        let (built, said) = self.workshop.build(&assignment)?;
        let begun = Instant::now();
        let results = match built {
            Ok(program) => Ok(stages(&assignment, &program)?),
            Err(what) => Err([&[what][..], &said].concat().join("\n    ")),
        };
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Examined { said, results, seconds })
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

    fn try_listings(&mut self, listings: &[PathBuf]) -> Result<(), String> {
        if self.assignment.start.is_some() && !listings.is_empty() {
            // Where any program is allowed, a listing is too.
            return print("  a listing may be handed in as it is\n");
        }
        for listing in listings {
            let name = listing.file_name().unwrap_or_default();
            let name = name.to_string_lossy();
            let results = Ok(stages(self.assignment, listing)?);
            let (said, seconds) = (Vec::new(), 0.0);
            match (Examined { said, results, seconds }).fails() {
                Ok(well) => print(&format!("  {name} {well}\n"))?,
                Err(why) => self.findings.push(format!("{name}: {why}")),
            }
        }
        Ok(())
    }

    /// The solution after this patch.
    pub(super) fn patched(
        &self,
        diff: &[u8],
        solution: &Files,
    ) -> Result<Files, String> {
        let patch = self.workshop.folder().join("wrong.patch");
        fs::write(&patch, diff).at(&patch)?;
        let folder = self.workshop.folder().join("wrong");
        fs::remove_dir_all(&folder).ok();
        super::handout::write(solution, &folder)?;
        let mut git = Command::new("git");
        git.arg("apply").arg(&patch).current_dir(&folder);
        // Otherwise git would look for a repository above the folder.
        git.env("GIT_CEILING_DIRECTORIES", self.workshop.folder());
        process::output_of(&mut git, GIT_TIME_MAX).at("git apply")?;
        source::files_below(&folder)
    }
}

fn stages(
    assignment: &Assignment,
    program: &Path,
) -> Result<Vec<StageResult>, String> {
    stages::examine(assignment, program, SEED, &mut |_| ())
}

/// An outcome with its details.
pub(super) fn told(outcome: &StageOutcome) -> String {
    let why = outcome.why().unwrap_or("passed");
    match outcome {
        StageOutcome::Failed(_, cases) => {
            let lines = stages::lines(cases).join("\n    ");
            format!("{why}\n    {lines}")
        }
        _ => why.into(),
    }
}

/// Every built server of this workspace that listens.
fn built_listings(project: &Project) -> Result<Vec<PathBuf>, String> {
    let listens = |it: &Listing| !it.is_inetds();
    let servers = Servers::build(&project.root, "dev", None, listens)?;
    let programs = servers.listings.iter().map(|it| servers.program(it));
    Ok(programs.map(Path::to_path_buf).collect())
}
