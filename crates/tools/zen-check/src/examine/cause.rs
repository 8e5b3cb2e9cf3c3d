//! What is behind most failures of a server, from the first conversation with
//! it and from the differences that the cases have seen. It is told once.

use std::thread;
use std::time::Duration;

use super::meet::{Instead, Met};
use crate::client::{QUIET, difference};
use crate::contract::{self, COMPLEX, IMPLICIT, UGLY};
use crate::heard::Heard;
use crate::outcome::{Because, CaseResult, Cause, Failure, Outcome, failures};
use crate::subject::Subject;
use crate::verdict::Verdict;

const WRONG_WORDS: &str = "an answer has the wrong words";

/// More clauses than these make a list no clearer.
const CLAUSES_MAX: usize = 12;

/// Looks for the causes of these failures; the most general one comes first.
pub(super) fn causes(
    subject: &Subject,
    met: &Met,
    results: &mut [CaseResult],
) -> Vec<Cause> {
    let talk = met.instead.filter(|_| met.ended.is_none()).map(instead);
    // A server that answers no one fails all cases for that.
    let all = match (&met.ended, &talk) {
        (Some(_), _) => Some(Because::Ended),
        (None, talk) => talk.as_ref().and_then(|it| it.explains),
    };
    for result in results.iter_mut() {
        if let (Some(because), Outcome::Failed(failure)) =
            (all, &mut result.outcome)
        {
            failure.because.get_or_insert(because);
        }
    }
    let results = &*results;
    let talks = talk.is_none() && met.ended.is_none();
    let mut causes: Vec<_> = ended(subject, met, results).into_iter().collect();
    causes.extend(talk);
    causes.extend(words(subject, met, results));
    if talks && because(results, None).any(|(it, _)| it.group() == "wire") {
        // What an experiment cannot tell stays untold.
        causes.extend(framing(subject, met).ok().flatten());
    }
    causes.extend(spins(subject, met, results));
    causes.extend(met.prints.map(floods));
    causes.extend(met.slow.map(slow));
    for cause in causes.iter_mut().filter(|cause| cause.explains.is_some()) {
        let list = listed(because(results, cause.explains));
        cause.lines.extend(list);
    }
    causes
}

/// The failures that have this reason.
fn because(
    results: &[CaseResult],
    because: Option<Because>,
) -> impl Iterator<Item = (&CaseResult, &Failure)> {
    failures(results).filter(move |(_, it)| it.because == because)
}

/// The clauses of the cases that fail for one reason.
fn listed<'a>(
    failures: impl Iterator<Item = (&'a CaseResult, &'a Failure)>,
) -> Option<String> {
    let mut clauses: Vec<_> = failures.map(|(it, _)| it.clause).collect();
    let number = clauses.len();
    clauses.dedup();
    let more = match clauses.len().saturating_sub(CLAUSES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    clauses.truncate(CLAUSES_MAX);
    let clauses = clauses.join(", ");
    match number {
        0 => None,
        1 => Some(format!("one case fails because of this: {clauses}")),
        _ => Some(format!(
            "{number} cases fail because of this: {clauses}{more}"
        )),
    }
}

/// Where the book explains a clause, and the command that tries it again.
fn more(subject: &Subject, clause: &str) -> [String; 2] {
    [
        format!("book: {}", contract::page(clause)),
        format!("again: {}", subject.again(clause)),
    ]
}

/// The last line that a server has printed is often the reason why it ended.
fn last_line(log: &[String]) -> Option<String> {
    let last = log.iter().rev().find(|line| !line.trim().is_empty())?;
    Some(format!("the last line that it printed: {last}"))
}

/// It ends at its first client, or in some case.
fn ended(
    subject: &Subject,
    met: &Met,
    results: &[CaseResult],
) -> Option<Cause> {
    let (what, mut lines) = if let Some((ended, log)) = &met.ended {
        let what = format!("it {ended} when its first client asked");
        (what, last_line(log).into_iter().collect::<Vec<_>>())
    } else {
        let mut failures = because(results, Some(Because::Ended));
        let (case, it) = failures.next()?;
        let what =
            format!("it {} in the case {}", it.ended.as_ref()?, case.title());
        let means = it.means.as_ref();
        let means = means.map(|it| format!("it usually means: {it}"));
        (what, last_line(&it.log).into_iter().chain(means).collect())
    };
    let clause = because(results, Some(Because::Ended)).next();
    lines.extend(more(subject, clause.map_or("wire/8", |it| it.0.clause)));
    Some(Cause { what, lines, explains: Some(Because::Ended) })
}

fn instead(instead: Instead) -> Cause {
    let (what, means) = match instead {
        Instead::ClosesAtOnce => (
            "it closes the connection before it has answered",
            "A client may ask as often as it likes: close only when recv() \
            returns no bytes.",
        ),
        Instead::ClosesAfterAnAnswer => (
            "it closes the connection after an answer",
            "A client may ask as often as it likes: close only when recv() \
            returns no bytes.",
        ),
        Instead::WaitsForNewline => (
            "it answers only when a newline has come",
            "A question ends with its `?`, and nothing comes after it.",
        ),
        Instead::WaitsForTheEnd => (
            "it answers only when the client has ended its side",
            "A question ends with its `?`: answer it then, and go on reading.",
        ),
        Instead::SaysNothing => (
            "it does not answer a question",
            "A question ends with its `?`: no newline and no end of file \
            comes after it.",
        ),
    };
    let explains = Some(Because::Talk);
    Cause { what: what.into(), lines: vec![means.into()], explains }
}

/// The answers have other words: which, and how they differ.
fn words(
    subject: &Subject,
    met: &Met,
    results: &[CaseResult],
) -> Option<Cause> {
    let explains = Some(Because::Words);
    let Some(heard) = &met.heard else {
        let (case, failure) = because(results, explains).next()?;
        let mut lines = failure.difference.clone();
        lines.extend(more(subject, case.clause));
        return Some(Cause { what: WRONG_WORDS.into(), lines, explains });
    };
    let right = subject.dialect.answers();
    let pairs = || right.iter().zip(&heard.answers).filter(|(a, b)| a != b);
    let (what, clause) = kind_of_words(heard, &right);
    let mut lines = Vec::new();
    if !heard.greeting.is_empty() {
        let greeting = shown(&heard.greeting);
        lines.push(format!("before any question it sends {greeting}"));
    }
    if let Some((right, came)) = pairs().next() {
        lines.extend(difference(right, came, ""));
        let others = pairs().skip(1).map(|(_, came)| shown(came));
        let others: Vec<_> = others.collect();
        if !others.is_empty() {
            lines.push(format!("it also says {}", others.join(", ")));
        }
    }
    lines.extend(more(subject, clause));
    Some(Cause { what, lines, explains })
}

fn shown(bytes: &[u8]) -> String {
    format!("b\"{}\"", bytes.escape_ascii())
}

/// What the differences have in common, and the clause that it breaks.
fn kind_of_words(
    heard: &Heard,
    right: &[Vec<u8>; 5],
) -> (String, &'static str) {
    let pairs: Vec<_> =
        right.iter().zip(&heard.answers).filter(|(a, b)| a != b).collect();
    let all = |is: fn(&[u8], &[u8]) -> bool| {
        !pairs.is_empty() && pairs.iter().all(|(a, b)| is(a, b))
    };
    let mut kinds = Vec::new();
    if !heard.greeting.is_empty() {
        kinds.push(("it sends a greeting before it is asked", "wire/1"));
    }
    if all(|right, came| came.trim_ascii() == right) {
        let what = match all(|_, came| came.ends_with(b"\n")) {
            true => "it adds a newline to its answers",
            false => "it adds white space to its answers",
        };
        kinds.push((what, "wire/10"));
    } else if all(|right, came| came.eq_ignore_ascii_case(right)) {
        kinds.push((
            "it answers in the wrong capital or small letters",
            "wire/8",
        ));
    } else if !pairs.is_empty() {
        let clause = match heard.answers[..3] == right[..3] {
            true => "wire/9",
            false => "wire/8",
        };
        kinds.push((WRONG_WORDS, clause));
    }
    let what: Vec<_> = kinds.iter().map(|it| it.0).collect();
    (what.join(", and "), kinds.first().map_or("wire/8", |it| it.1))
}

/// What a server takes for a question, if that is not what ends with its mark.
fn framing(subject: &Subject, met: &Met) -> Verdict<Option<Cause>> {
    let server = subject.start(&[])?;
    let right = subject.dialect.answers();
    let words = met.heard.as_ref().map_or(&right, |heard| &heard.answers);
    let patience = met.slow.map_or(Duration::from_secs(1), |time| 8 * time);
    let hear = |pieces: &[&[u8]], expected: &[u8]| -> Verdict<Vec<u8>> {
        let mut client = server.connect()?;
        client.next_words(b"", Duration::from_millis(1));
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                thread::sleep(QUIET);
            }
            client.send(piece)?;
        }
        Ok(client.next_words(expected, patience).0)
    };
    let [ugly, implicit, complex, unknown, _] = words;
    let halves: [&[u8]; 2] = [b"Simple is bet", b"ter than?"];
    let begun = hear(&halves[..1], b"")?;
    if !begun.is_empty() || hear(&halves, complex)? != *complex {
        return Ok(Some(framed(
            subject,
            "it takes what one recv() returns for a question",
            "wire/3",
            halves[0],
            &begun,
        )));
    }
    let two = [UGLY, IMPLICIT].concat();
    let both = [&ugly[..], implicit].concat();
    let came = hear(&[&two], &both)?;
    let what = if came == both {
        return Ok(None);
    } else if came == *ugly {
        "it answers the first question that it receives, and loses the rest"
    } else if came == *unknown || came.is_empty() {
        let cut = [UGLY, &COMPLEX[..3]].concat();
        match hear(&[&cut], ugly)?.is_empty() {
            true => {
                "it takes all that has come for one question, once that ends \
                with `?`"
            }
            false => "it takes all that has come for one question",
        }
    } else {
        "it does not find the end of each question"
    };
    Ok(Some(framed(subject, what, "wire/4", &two, &came)))
}

fn framed(
    subject: &Subject,
    what: &str,
    clause: &str,
    sent: &[u8],
    came: &[u8],
) -> Cause {
    let mut lines = vec![
        format!("sent {}, received {}", shown(sent), shown(came)),
        "Keep what has come in a buffer. Look for the first `?` in it, answer \
        what is before, and keep what is behind. A recv_until() that looks only \
        at the last byte serves only clients that wait for each answer."
            .into(),
    ];
    lines.extend(more(subject, clause));
    Cause { what: what.into(), lines, explains: Some(Because::Talk) }
}

fn spins(
    subject: &Subject,
    met: &Met,
    results: &[CaseResult],
) -> Option<Cause> {
    let explains = Some(Because::Spins);
    let seen = match met.spins {
        Some((used, time)) => format!(
            "with no client, it used {:.2} s of processor time in {:.2} s",
            used.as_secs_f64(),
            time.as_secs_f64()
        ),
        None => because(results, explains).next()?.1.what.clone(),
    };
    let means = "A loop that asks again and again takes a whole core. Wait in \
        a call that blocks, or in poll(), until there is something to do.";
    let again = match met.spins {
        Some(_) => format!("book: {}", contract::page("cost/7")),
        None => more(subject, "crowd/8")[0].clone(),
    };
    Some(Cause {
        what: "it spins: it runs when there is nothing to do".into(),
        lines: vec![seen, means.into(), again],
        explains,
    })
}

fn floods((bytes, time): (u64, Duration)) -> Cause {
    Cause {
        what: "it floods its output".into(),
        lines: vec![
            format!(
                "with no client, it printed {bytes} bytes in {:.2} s",
                time.as_secs_f64()
            ),
            "Printing takes processor time, and blocks when the pipe is full: \
            print what happens, and not that nothing does."
                .into(),
        ],
        explains: None,
    }
}

fn slow(time: Duration) -> Cause {
    Cause {
        what: format!(
            "it is slow: an answer takes {:.1} s",
            time.as_secs_f64()
        ),
        lines: vec![
            "The cases have waited longer for it. If it sleeps before an \
            answer, take that out."
                .into(),
        ],
        explains: None,
    }
}
