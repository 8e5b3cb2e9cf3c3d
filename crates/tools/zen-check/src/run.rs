//! Puts cases to a program, and says what came of them.

use std::mem;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::cases::{self, Case, Run};
use crate::hints;
use crate::observe;
use crate::process;
use crate::program::{Launch, Program};
use crate::report::{
    CaseResult, Failure, Level, Outcome, Profile, Report, START,
};
use crate::server::Server;
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict};

/// Cases that run at the same time. Most of them wait most of the time.
pub const CASES_AT_ONCE: usize = 8;

/// No case needs a third of this, even on a busy machine.
const CASE_TIME_MAX: Duration = Duration::from_secs(40);

/// A case that was itself without a processor for so long cannot tell a server
/// that does not answer from one that has none either.
const STARVED: Duration = Duration::from_secs(2);

/// Which cases are put, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Only these: clauses, groups or names; if empty, those of the profile.
    pub only: Vec<String>,
    /// At the most so many at a time.
    pub jobs: usize,
    /// A case that has not begun by then is not put.
    pub time_max: Duration,
    /// Whether to look at what the server is.
    pub observe: bool,
}

/// What is happening.
#[derive(Debug)]
pub enum Progress<'a> {
    /// So many cases will be put.
    Started(usize),
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
    let within = |case: &&Case| case.profile() <= profile;
    if only.is_empty() {
        return cases::all().filter(within).collect();
    }
    // A clause or a group is meant as far as the profile goes, and further only
    // if the profile has none of it.
    let mut chosen = Vec::new();
    for case in cases::all() {
        let called = only.iter().filter(|word| case.is_called(word));
        let meant = |word: &String| {
            let mut others = cases::all().filter(|one| one.is_called(word));
            within(&case) || !others.any(|one| within(&one))
        };
        chosen.extend(called.into_iter().any(meant).then_some(case));
    }
    chosen
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
    cases.extend(program.own_cases.iter().filter(|case| {
        plan.only.is_empty() || plan.only.iter().any(|it| case.is_called(it))
    }));
    watch(Progress::Started(cases.len()));
    let results = match begin(&program) {
        Ok(()) => put_all(&program, &cases, plan, begun, watch),
        Err(fault) => nothing(&program, &cases, fault),
    };
    let subject = Subject::new(&program);
    let observed = plan.observe && results.iter().any(was_put);
    let observed = observed.then(|| observe::describe(&subject)).flatten();
    Report {
        subject: name.to_string(),
        profile: program.profile,
        architecture: program.architecture.map(|one| one.to_string()),
        seed: program.seed,
        started,
        time: begun.elapsed(),
        observed,
        results,
    }
}

fn was_put(result: &CaseResult) -> bool {
    matches!(result.outcome, Outcome::Passed | Outcome::Failed(_))
        && result.clause != START
}

/// Starts it once: if that fails, there is nothing to examine.
fn begin(program: &Arc<Program>) -> Result<(), Outcome> {
    let subject = Subject::new(program);
    let connects = Server::start(&subject, &[]).and_then(|server| {
        server.connect()?;
        Ok(())
    });
    let Err(fault) = connects else { return Ok(()) };
    let mut outcome = outcome(Err(fault), &subject, None);
    if let (Outcome::Failed(failure), Launch::Command(words)) =
        (&mut outcome, &program.launch)
    {
        if !words.iter().any(|word| word.contains("{port}")) {
            failure.means = Some(
                "There is no {port} in the command, so the server was told \
                its port in the variable ZEN_PORT only."
                    .into(),
            );
        }
    }
    Err(outcome)
}

/// What came of cases that could not even begin.
fn nothing(
    program: &Program,
    cases: &[&Case],
    start: Outcome,
) -> Vec<CaseResult> {
    let failed = matches!(start, Outcome::Failed(_));
    let result = |clause, sentence, level, outcome| CaseResult {
        clause,
        sentence,
        level,
        points: usize::from(level == Level::Must),
        outcome,
        time: Duration::ZERO,
    };
    let sentence = match program.launch {
        Launch::Running(_) => "it can be connected to",
        _ => "it starts, and can be connected to",
    };
    let mut results = vec![result(START, sentence.into(), Level::Must, start)];
    for case in cases.iter().filter(|_| failed) {
        let failure = Failure {
            what: "not tried, because there was no server".into(),
            page: page(case.clause),
            ..Failure::default()
        };
        let outcome = Outcome::Failed(Box::new(failure));
        results.push(result(case.clause, case.sentence(), case.level, outcome));
    }
    results
}

fn put_all(
    program: &Arc<Program>,
    cases: &[&'static Case],
    plan: &Plan,
    begun: Instant,
    watch: &(dyn Fn(Progress<'_>) + Sync),
) -> Vec<CaseResult> {
    let results: Vec<Mutex<Option<CaseResult>>> =
        cases.iter().map(|_| Mutex::new(None)).collect();
    let late = Mutex::new(Vec::new());
    let put_one = |index: usize, again: bool| {
        let case = cases[index];
        let in_time = begun.elapsed() < plan.time_max;
        let case_begun = Instant::now();
        let outcome = match (in_time, again) {
            (false, _) => {
                Outcome::Error("the time for the run was over".into())
            }
            (_, true) => put_alone(case, program),
            _ => match put(case, program) {
                // It may have been the machine's bad moment.
                Outcome::Error(_) => put(case, program),
                outcome => outcome,
            },
        };
        if late_by(&outcome).is_some() && !again {
            late.lock().unwrap_or_else(PoisonError::into_inner).push(index);
            return;
        }
        let result = CaseResult {
            clause: case.clause,
            sentence: case.sentence(),
            level: case.level,
            points: usize::from(case.level == Level::Must),
            outcome,
            time: case_begun.elapsed(),
        };
        watch(Progress::Finished(&result));
        if let Ok(mut slot) = results[index].lock() {
            *slot = Some(result);
        }
    };
    // One server for all cases has time for one at a time.
    let running = matches!(program.launch, Launch::Running(_));
    let jobs = if running { 1 } else { plan.jobs };
    for (alone, jobs) in [(false, jobs), (true, 1)] {
        let these = (0..cases.len()).filter(|&at| cases[at].alone == alone);
        let queue = Mutex::new(these);
        let next = || queue.lock().ok().and_then(|mut queue| queue.next());
        thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| {
                    while let Some(index) = next() {
                        put_one(index, alone);
                    }
                });
            }
        });
    }
    let late = late.lock().map(|mut late| mem::take(&mut *late));
    late.unwrap_or_default().into_iter().for_each(|index| put_one(index, true));
    let results = results.into_iter();
    results.filter_map(|slot| slot.into_inner().ok().flatten()).collect()
}

/// Puts one case to a program while no other runs here. Others may use the
/// machine all the same: what is late three times is late, unless each time the
/// server and this program have waited for a processor as long as it was late.
pub(crate) fn put_alone(
    case: &'static Case,
    program: &Arc<Program>,
) -> Outcome {
    let mut known = None;
    let mut waited = Duration::ZERO;
    for _ in 0..3 {
        let (outcome, time) = put_once(case, program);
        let Some(late_by) = late_by(&outcome) else { return outcome };
        waited = waited.max(time);
        if time < late_by {
            known = Some(outcome);
        }
    }
    known.unwrap_or_else(|| {
        Outcome::Error(format!(
            "this machine is too busy to tell: server and checker waited \
            {waited:.1?} for a processor"
        ))
    })
}

/// By how much a case was late, if it failed by that: a busy machine stretches
/// time. Then it is put again when nothing else runs, before it counts.
pub(crate) fn late_by(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Outcome::Failed(failure) if !failure.certain => failure.late_by,
        _ => None,
    }
}

/// Puts one case to a program.
pub(crate) fn put(case: &'static Case, program: &Arc<Program>) -> Outcome {
    put_once(case, program).0
}

/// The same, and says how long it has waited for a processor.
fn put_once(
    case: &'static Case,
    program: &Arc<Program>,
) -> (Outcome, Duration) {
    let subject = Arc::new(Subject::new(program));
    if let Some(reason) = case.why_not(&subject) {
        return (Outcome::Skipped(reason), Duration::ZERO);
    }
    let verdict = within_its_time(case, &subject);
    let mut outcome = outcome(verdict, &subject, Some(case));
    if let Outcome::Failed(failure) = &mut outcome
        && subject.case_waited() >= STARVED
    {
        failure.late_by.get_or_insert(STARVED);
    }
    (outcome, subject.waited())
}

/// Runs a case in a thread of its own, so that one that hangs is a failure
/// with a message. Its servers are killed, which ends most waiting; a thread
/// that waits for something else is left behind.
fn within_its_time(case: &'static Case, subject: &Arc<Subject>) -> Verdict {
    let (sender, receiver) = mpsc::channel();
    let its_subject = Arc::clone(subject);
    let thread =
        thread::Builder::new().name(case.name.into()).spawn(move || {
            let verdict = case.run.put(&its_subject);
            let verdict = verdict.and_then(|()| its_subject.was_quiet());
            its_subject.case_has_waited(process::own_turns().delay);
            sender.send(verdict).ok();
        })?;
    match receiver.recv_timeout(CASE_TIME_MAX) {
        Ok(verdict) => verdict,
        Err(RecvTimeoutError::Timeout) => {
            subject.kill_all();
            let seconds = CASE_TIME_MAX.as_secs();
            let what = format!(
                "so much goes so slowly that the case has no end in \
                {seconds} s"
            );
            Err(Fault::late(CASE_TIME_MAX / 2, what))
        }
        Err(RecvTimeoutError::Disconnected) => {
            thread.join().ok();
            Err(Fault::Checker("the case itself panicked".into()))
        }
    }
}

/// Adds to a failure what a reader needs.
fn outcome(
    verdict: Verdict,
    subject: &Subject,
    case: Option<&Case>,
) -> Outcome {
    let mut failure = match verdict {
        Ok(()) => return Outcome::Passed,
        Err(Fault::Skipped(reason)) => return Outcome::Skipped(reason),
        Err(Fault::Checker(message)) => return Outcome::Error(message),
        Err(Fault::Server(failure)) => failure,
    };
    failure.log = subject.log();
    // Whom an idle time-out drops too early may have been late himself, on a
    // busy machine.
    let ends = ["received the end of file", "received a reset"];
    let is_end = |line: &String| ends.iter().any(|end| line.contains(end));
    if failure.ending == Some(false)
        && failure.transcript.iter().any(is_end)
        && case.is_some_and(|case| case.group() == "option")
    {
        failure.late_by.get_or_insert(Duration::from_millis(700));
    }
    failure.transcript = subject.transcript(failure.transcript);
    let clause = case.map_or(START, |case| case.clause);
    // The book knows nothing of somebody else's case.
    if !case.is_some_and(|case| matches!(case.run, Run::Script(_))) {
        failure.page = page(clause);
    }
    let usual = hints::means(clause).map(str::to_owned);
    let told = hints::means_of_log(&failure.log).map(str::to_owned);
    failure.means = match (told, failure.means.take(), usual) {
        (Some(told), ..) => Some(told),
        (_, Some(seen), Some(usual)) => Some(format!("{usual} {seen}")),
        (_, seen, usual) => seen.or(usual),
    };
    failure.means = failure.means.map(|means| subject.dialect.told(means));
    if let Some(ended) =
        subject.ended().filter(|ended| !failure.what.contains(ended.as_str()))
    {
        failure.what = format!("{}; by then the server {ended}", failure.what);
    }
    if let Some(case) = case {
        failure.again =
            subject.again(&format!("{}::{}", case.clause, case.name));
    }
    Outcome::Failed(failure)
}

/// Where the book explains a clause.
fn page(clause: &str) -> String {
    match clause {
        START => "check.html".into(),
        clause => format!("contract.html#{}", clause.replace('/', "-")),
    }
}
