//! The results of an assignment, stage by stage.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use zen_check::report::{
    self, CaseResult, Failure, Level, Outcome, Profile, Report,
};
use zen_check::{Plan, Program};

use crate::assignment::{Assignment, Stage};

/// A stage and its result.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StageResult {
    pub name: String,
    pub title: String,
    pub points: usize,
    pub outcome: StageOutcome,
}

/// The result of a stage.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum StageOutcome {
    /// All its cases pass.
    Passed,
    /// The reason in a line, and the cases that fail, each with the lines that
    /// `zen-check` prints about it.
    Failed(String, Vec<FailedCase>),
    /// An earlier stage has to pass first.
    NotTried(String),
    /// The checker or its machine failed, for this reason.
    Unknown(String),
}

impl StageOutcome {
    /// The reason in a line, if it has not passed.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed(why, _) | Self::NotTried(why) | Self::Unknown(why) => {
                Some(why)
            }
        }
    }
}

/// A case that failed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FailedCase {
    pub clause: String,
    pub sentence: String,
    /// What was done to the server, and what it did.
    pub lines: Vec<String>,
    /// Another program of this machine may be the reason.
    pub starved: bool,
}

impl FailedCase {
    /// Whether a name in a stage means this case: a clause, a group, or a case.
    #[must_use]
    pub fn is_called(&self, word: &str) -> bool {
        let Self { clause, sentence, .. } = self;
        let group = clause.split('/').next().unwrap_or_default();
        let name = sentence.replace(' ', "_");
        [clause.as_str(), group, &name].contains(&word)
            || word.split_once("::") == Some((clause, &name))
    }
}

impl StageResult {
    fn new(stage: &Stage, outcome: StageOutcome) -> Self {
        let Stage { name, title, points, .. } = stage.clone();
        Self { name, title, points, outcome }
    }

    #[must_use]
    pub fn passed(&self) -> bool {
        self.outcome == StageOutcome::Passed
    }
}

/// The group of the contract that first checks whether there is any answer, and
/// its case that asks for no more.
const ANSWERS: (&str, &str) = ("wire", "wire/8::knows_three_aphorisms");

/// Runs the stages against a program, one after another, until one fails.
/// `tell` is called with each outcome.
pub fn examine(
    assignment: &Assignment,
    program: &Path,
    seed: u64,
    tell: &mut dyn FnMut(&StageOutcome),
) -> Result<Vec<StageResult>, String> {
    // The assignment's own commands run in that folder.
    std::env::set_current_dir(assignment.place())
        .map_err(|err| err.to_string())?;
    let run = |stage: &Stage, plan: &Plan| match assignment.program(program) {
        Ok(mut program) => {
            program.seed = seed;
            run_cases(program, stage, plan)
        }
        Err(message) => StageOutcome::Unknown(message),
    };
    let begun = Instant::now();
    let time_max = Duration::from_secs(assignment.run_seconds);
    let mut outcomes = Vec::new();
    for stage in &assignment.stages {
        let plan = Plan {
            only: stage.cases.clone(),
            own: assignment.own_cases.clone(),
            time_max: time_max.saturating_sub(begun.elapsed()),
            first_failure: assignment.first_failure,
            ..Plan::default()
        };
        let outcome = run_stage(stage, plan, run);
        tell(&outcome);
        outcomes.push(outcome);
        if outcomes.last() != Some(&StageOutcome::Passed) {
            break;
        }
    }
    Ok(end_with(assignment, outcomes, StageOutcome::Passed))
}

fn run_stage(
    stage: &Stage,
    plan: Plan,
    run: impl Fn(&Stage, &Plan) -> StageOutcome,
) -> StageOutcome {
    let run = |plan: &Plan| run(stage, plan);
    // If a program hangs, each case would only report that again, after its
    // full timeout.
    if stage.cases.iter().any(|case| case == ANSWERS.0) {
        let first = Plan { only: vec![ANSWERS.1.into()], ..plan.clone() };
        match run(&first) {
            StageOutcome::Failed(what, cases) if what.starts_with(HANGS) => {
                return StageOutcome::Failed(what, cases);
            }
            _ => {}
        }
    }
    let outcome = run(&plan);
    let StageOutcome::Failed(what, cases) = &outcome else { return outcome };
    if what.starts_with(HANGS) {
        return outcome;
    }
    // A case that failed only because the machine was busy passes alone.
    let name = |case: &FailedCase| {
        let name = case.sentence.replace(' ', "_");
        format!("{}::{name}", case.clause)
    };
    let only = cases.iter().map(name).collect();
    match run(&Plan { only, jobs: 1, first_failure: true, ..plan }) {
        StageOutcome::Failed(..) => outcome,
        again => again,
    }
}

/// The result of a stage after the first that fails.
fn not_tried(first: &StageResult) -> StageOutcome {
    let why = format!("not tried: the stage {} comes first", first.name);
    match first.outcome {
        StageOutcome::Unknown(_) => StageOutcome::Unknown(why),
        _ => StageOutcome::NotTried(why),
    }
}

fn run_cases(program: Program, stage: &Stage, plan: &Plan) -> StageOutcome {
    let report = zen_check::examine(program, &stage.name, plan, &|_| {});
    let report = report::clean(&report);
    let mut failed = Vec::new();
    let (mut passed, mut unknown) = (0, None);
    for result in report.results.iter().filter(|it| it.level == Level::Must) {
        match &result.outcome {
            Outcome::Passed => passed += 1,
            Outcome::Failed(failure) => failed.push((result, failure.clone())),
            Outcome::Error(why) => unknown = Some(why.clone()),
            // The stage tests this option, so a server without it fails.
            Outcome::Skipped(why) if why.starts_with("it takes neither") => {
                let what = why.clone();
                let failure = Failure { what, ..Failure::default() };
                failed.push((result, Box::new(failure)));
            }
            Outcome::Skipped(_) => {}
        }
    }
    let tried = passed + failed.len();
    match (failed.is_empty(), unknown) {
        (false, _) => {
            let causes = report.causes.iter();
            let causes = causes.filter(|it| it.explains.is_some());
            let causes = causes.map(|it| format!(": {}", it.what));
            let causes: String = causes.collect();
            let what = in_a_line(&failed, tried) + &causes;
            let failed = failed.into_iter().map(|(result, mut failure)| {
                failure.again =
                    format!("cargo homework check --seed {}", report.seed);
                FailedCase {
                    clause: result.clause.to_string(),
                    sentence: result.sentence.clone(),
                    lines: failure.lines(),
                    starved: failure.starved || failure.late_by.is_some(),
                }
            });
            StageOutcome::Failed(what, failed.collect())
        }
        (true, Some(why)) => StageOutcome::Unknown(why),
        (true, None) if passed == 0 => {
            StageOutcome::Unknown("none of its cases could run".into())
        }
        (true, None) => StageOutcome::Passed,
    }
}

pub(crate) const HANGS: &str = "it hangs, and was killed";

/// The reason why a stage fails, in a line.
fn in_a_line(failed: &[(&CaseResult, Box<Failure>)], tried: usize) -> String {
    let silent = |what: &str| {
        ["nothing for", "nothing listens at"]
            .iter()
            .any(|words| what.contains(words))
    };
    let (number, first) = (failed.len(), &failed[0].1.what);
    // If a server never started, all other cases only report the same.
    if failed[0].0.clause == "start" {
        return match silent(first) {
            true => format!("{HANGS}: {first}"),
            false => first.clone(),
        };
    }
    match failed.iter().all(|(_, failure)| silent(&failure.what)) {
        true => format!("{HANGS}: {first}"),
        false => format!("{number} of {tried} cases fail"),
    }
}

/// The results of an assignment that fails as a whole, for instance because it
/// does not build: `what` in a line, and the details.
#[must_use]
pub fn all_failed(
    assignment: &Assignment,
    what: &str,
    lines: Vec<String>,
) -> Vec<StageResult> {
    let failed = FailedCase {
        clause: "build".into(),
        sentence: "it must build".into(),
        lines,
        starved: false,
    };
    let first = StageOutcome::Failed(what.into(), vec![failed]);
    end_with(assignment, Vec::new(), first)
}

/// The results with these outcomes, in the order of the stages. The next stage
/// has the outcome `then`. What follows one that has not passed was not tried.
#[must_use]
pub fn end_with(
    assignment: &Assignment,
    outcomes: Vec<StageOutcome>,
    then: StageOutcome,
) -> Vec<StageResult> {
    let mut outcomes = outcomes.into_iter();
    let mut results: Vec<StageResult> = Vec::new();
    for stage in &assignment.stages {
        let outcome = match results.iter().find(|it| !it.passed()) {
            Some(first) => not_tried(first),
            None => outcomes.next().unwrap_or_else(|| then.clone()),
        };
        results.push(StageResult::new(stage, outcome));
    }
    results
}

/// Points, or None if a result is unknown.
#[must_use]
pub fn points(results: &[StageResult]) -> Option<usize> {
    let unknown =
        |it: &StageResult| matches!(it.outcome, StageOutcome::Unknown(_));
    (!results.iter().any(unknown)).then(|| points_so_far(results))
}

/// Points of the stages that have passed.
#[must_use]
pub fn points_so_far(results: &[StageResult]) -> usize {
    let passed = results.iter().filter(|it| it.passed());
    passed.map(|it| it.points).sum()
}

/// A number with its noun: one point, or several.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The results as a report of `zen-check`, to use its formats: each stage
/// becomes a case.
#[must_use]
pub fn report(
    assignment: &Assignment,
    results: &[StageResult],
    seed: u64,
    time: Duration,
) -> Report {
    let failed = |what: &str, difference| {
        let what = what.into();
        let failure = Failure { what, difference, ..Failure::default() };
        Outcome::Failed(Box::new(failure))
    };
    let result = |result: &StageResult| CaseResult {
        clause: result.name.clone().leak(),
        sentence: result.title.clone(),
        level: Level::Must,
        points: result.points,
        outcome: match &result.outcome {
            StageOutcome::Passed => Outcome::Passed,
            StageOutcome::Failed(what, cases) => failed(what, lines(cases)),
            StageOutcome::NotTried(why) => failed(why, Vec::new()),
            StageOutcome::Unknown(why) => Outcome::Error(why.clone()),
        },
        time: Duration::ZERO,
    };
    Report {
        subject: format!("{}: {}", assignment.name, assignment.title),
        profile: Profile::Server,
        architecture: None,
        seed,
        started: SystemTime::now() - time,
        time,
        observed: None,
        causes: Vec::new(),
        results: results.iter().map(result).collect(),
    }
}

/// This many cases are shown in full, and only the names of the others.
const IN_FULL_MAX: usize = 3;

/// The details of the cases that fail.
#[must_use]
pub fn lines(cases: &[FailedCase]) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let FailedCase { clause, sentence, .. } = case;
        lines.push(format!("{clause}: {sentence}"));
        let shown = match index {
            0..IN_FULL_MAX => case.lines.len(),
            _ => 1,
        };
        let told = case.lines.iter().take(shown);
        lines.extend(told.map(|line| format!("  {line}")));
    }
    lines
}
