//! An examination: which cases of the contract are put to a program, and what
//! comes of them.

mod attempt;
mod busy;
mod cause;
mod meet;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::case::Case;
use crate::cases;
use crate::contract::{self, Level, Profile, START};
use crate::observe;
use crate::outcome::{CaseResult, Failure, Outcome, Report};
use crate::program::{Launch, Program};
use crate::script::OwnCase;
use crate::server::Server;
use crate::subject::Subject;
pub(crate) use busy::Machine;
use meet::Met;

/// Cases that run at the same time. Most of them wait most of the time.
pub const CASES_AT_ONCE: usize = 12;

/// Which cases are put, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Only these: clauses, groups or names; if empty, those of the profile.
    pub only: Vec<String>,
    /// An assignment's own cases, after all others.
    pub own: Vec<OwnCase>,
    /// At most this many at a time.
    pub jobs: usize,
    /// A case that has not begun by then is not put.
    pub time_max: Duration,
    /// Whether to put no further cases after one that failed.
    pub first_failure: bool,
    /// Whether to look at what the server is.
    pub observe: bool,
}

impl Default for Plan {
    /// All cases of the profile, within ten minutes.
    fn default() -> Self {
        Self {
            only: Vec::new(),
            own: Vec::new(),
            jobs: CASES_AT_ONCE,
            time_max: Duration::from_secs(600),
            first_failure: false,
            observe: false,
        }
    }
}

/// What is happening.
#[derive(Debug)]
pub enum Progress<'a> {
    /// This many cases will be put.
    Started(usize),
    /// An answer takes this long, and the run may take as long as this.
    Slow(Duration, Duration),
    /// One of them has been.
    Finished(&'a CaseResult),
}

/// The names by which a case can be called and that call none.
#[must_use]
pub fn unknown(words: &[String]) -> Vec<&String> {
    let known = |word: &&String| cases::all().any(|case| case.is_called(word));
    words.iter().filter(|word| !known(word)).collect()
}

/// The cases of a plan, as `clause`, sentence and level, in the order of the
/// page.
pub fn list(
    profile: Profile,
    only: &[String],
) -> impl Iterator<Item = (&'static str, String, Level)> {
    let chosen = chosen(profile, only).into_iter();
    chosen.map(|case| (case.clause, case.sentence(), case.level))
}

pub(crate) fn chosen(profile: Profile, only: &[String]) -> Vec<&'static Case> {
    let within = |case: &&Case| case.from <= profile;
    if only.is_empty() {
        return cases::all().filter(within).collect();
    }
    // A clause or a group is meant as far as the profile goes, and further only
    // if the profile has none of it.
    let is_meant = |case: &&'static Case| {
        only.iter().filter(|word| case.is_called(word)).any(|word| {
            within(case)
                || !cases::all().any(|it| it.is_called(word) && within(&it))
        })
    };
    cases::all().filter(is_meant).collect()
}

/// Puts the cases of a plan to a program, and watches.
#[must_use]
pub fn examine(
    program: Program,
    name: &str,
    plan: &Plan,
    watch: &(dyn Fn(Progress<'_>) + Sync),
) -> Report {
    let (started, begun) = (SystemTime::now(), Instant::now());
    let program = Arc::new(program);
    let mut cases = chosen(program.profile, &plan.only);
    cases.extend(plan.own.iter().copied().filter(|case| {
        plan.only.is_empty() || plan.only.iter().any(|it| case.is_called(it))
    }));
    watch(Progress::Started(cases.len()));
    // An assignment of its own may speak in another way.
    let talks = cases.iter().any(|case| !case.own);
    let (start, met) = begin(&program, talks);
    if let Some(time) = met.slow {
        let end = begun + plan.time_max;
        program.known.slow.get_or_init(|| (time, end));
        watch(Progress::Slow(time, plan.time_max));
    }
    if let Some(heard) = met.heard.clone() {
        program.known.heard.get_or_init(|| heard);
    }
    let mut results = match start {
        Outcome::Passed => put_all(&program, &cases, plan, begun, watch),
        start => nothing(&program, &cases, start),
    };
    let causes = match talks && results.iter().any(was_put) {
        true => cause::causes(&Subject::new(&program), &met, &mut results),
        false => Vec::new(),
    };
    let observed = plan.observe && results.iter().any(was_put);
    let subject = Subject::new(&program);
    let observed = observed.then(|| observe::describe(&subject)).flatten();
    Report {
        subject: name.to_string(),
        profile: program.profile,
        architecture: program.architecture.map(|one| one.to_string()),
        seed: program.seed,
        started,
        time: begun.elapsed(),
        observed,
        causes,
        results,
    }
}

fn was_put(result: &CaseResult) -> bool {
    matches!(result.outcome, Outcome::Passed | Outcome::Failed(_))
        && result.clause != START
}

/// Starts it once, and talks to it: if that fails, there is nothing to examine.
fn begin(program: &Arc<Program>, talks: bool) -> (Outcome, Met) {
    let subject = Subject::new(program);
    let mut met = Met::default();
    let started = Server::start(&subject, &[]).and_then(|mut server| {
        match talks {
            true => met = meet::meet(&mut server)?,
            false => drop(server.connect()?),
        }
        Ok(())
    });
    let mut outcome = attempt::explained(started, &subject, None);
    let names_no_port = matches!(&program.launch, Launch::Command(words)
        if !words.iter().any(|word| word.contains("{port}")));
    if let (Outcome::Failed(failure), true) = (&mut outcome, names_no_port) {
        let means = "The command contains no {port}, so only the variable \
            ZEN_PORT told the server its port.";
        failure.means = Some(means.into());
    }
    (outcome, met)
}

fn result_of(case: &Case, outcome: Outcome, time: Duration) -> CaseResult {
    CaseResult {
        clause: case.clause,
        sentence: case.sentence(),
        level: case.level,
        points: usize::from(case.level == Level::Must),
        outcome,
        time,
    }
}

/// What came of cases that could not even begin.
fn nothing(
    program: &Program,
    cases: &[&Case],
    start: Outcome,
) -> Vec<CaseResult> {
    let failed = matches!(start, Outcome::Failed(_));
    let sentence = match program.launch {
        Launch::Running(_) => "it can be connected to",
        _ => "it starts, and can be connected to",
    };
    let start = CaseResult {
        clause: START,
        sentence: sentence.into(),
        level: Level::Must,
        points: 1,
        outcome: start,
        time: Duration::ZERO,
    };
    let others = cases.iter().filter(|_| failed).map(|case| {
        let what = "not tried, because there was no server";
        let page = contract::page(case.clause);
        let failure = Failure { page, ..Failure::new(what) };
        result_of(case, Outcome::Failed(Box::new(failure)), Duration::ZERO)
    });
    [start].into_iter().chain(others).collect()
}

/// Puts all cases: first side by side, and then one after another those that
/// need the machine to themselves.
fn put_all(
    program: &Arc<Program>,
    cases: &[&'static Case],
    plan: &Plan,
    begun: Instant,
    watch: &(dyn Fn(Progress<'_>) + Sync),
) -> Vec<CaseResult> {
    let machine = Machine::default();
    let results: Vec<_> = cases.iter().map(|_| OnceLock::new()).collect();
    let one_failed = || {
        let mut known = results.iter().filter_map(OnceLock::get);
        known.any(|it: &CaseResult| {
            it.level == Level::Must && matches!(it.outcome, Outcome::Failed(_))
        })
    };
    let put_one = |index: usize, alone: bool| {
        let (case, case_begun) = (cases[index], Instant::now());
        let outcome = if begun.elapsed() >= plan.time_max {
            Some(Outcome::Error("the time for the run was over".into()))
        } else if plan.first_failure && one_failed() {
            Some(Outcome::Error("not tried: another case failed".into()))
        } else if alone {
            Some(machine.alone(case, program))
        } else {
            machine.shared(case, program)
        };
        if let Some(outcome) = outcome {
            let result = result_of(case, outcome, case_begun.elapsed());
            watch(Progress::Finished(&result));
            results[index].set(result).ok();
        }
    };
    // One server for all cases has time for one at a time.
    let running = matches!(program.launch, Launch::Running(_));
    let jobs = if running { 1 } else { plan.jobs.max(1) };
    // The later a case is on the page, the longer it waits: so begin at the
    // end, unless the time may not be enough for all.
    let from_the_end = program.known.slow.get().is_none();
    let next = AtomicUsize::new(0);
    let put_next = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            match cases.len().checked_sub(index + 1) {
                Some(left) if from_the_end => put_one(left, false),
                Some(_) => put_one(index, false),
                None => break,
            }
        }
    };
    let look_ahead = || observe::look_ahead(&Subject::new(program));
    thread::scope(|scope| {
        if plan.observe && !running {
            thread::Builder::new().spawn_scoped(scope, look_ahead).ok();
        }
        // If not all threads can be started, the others do their work.
        for _ in 1..jobs {
            thread::Builder::new().spawn_scoped(scope, put_next).ok();
        }
        put_next();
    });
    for (index, result) in results.iter().enumerate() {
        if result.get().is_none() {
            put_one(index, true);
        }
    }
    results.into_iter().filter_map(OnceLock::into_inner).collect()
}
