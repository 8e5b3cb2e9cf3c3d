//! What is behind most failures of a server, from the first conversation with
//! it and from the differences that the cases have seen. It is told once.

use std::thread;
use std::time::Duration;

use super::meet::Met;
use crate::client::{self, QUIET, difference};
use crate::contract::{self, COMPLEX, IMPLICIT, UGLY};
use crate::heard::Heard;
use crate::outcome::{
    Because, CaseResult, Cause, Failure, Outcome, failures, in_short, last_line,
};
use crate::subject::Subject;
use crate::verdict::Verdict;

const WRONG_WORDS: &str = "an answer has the wrong words";

/// Looks for the causes of these failures; the most general one comes first.
pub(super) fn causes(
    subject: &Subject,
    met: &Met,
    results: &mut [CaseResult],
) -> Vec<Cause> {
    let talk = met.instead.filter(|_| met.ended.is_none());
    // A server that answers no one fails all cases for that.
    let all = match met.ended {
        Some(_) => Some(Because::Ended),
        None => talk.map(|_| Because::Talk),
    };
    for result in results.iter_mut() {
        if let (Some(because), Outcome::Failed(failure)) =
            (all, &mut result.outcome)
        {
            failure.because.get_or_insert(because);
        }
    }
    let results = &*results;
    let mut causes = Vec::new();
    causes.extend(ended(subject, met, results));
    causes.extend(talk.map(|(what, means)| {
        cause(Some(Because::Talk), what, vec![means.into()])
    }));
    causes.extend(words(subject, met, results));
    let is_framed = |(it, _): (&CaseResult, _)| it.group() == "wire";
    if all.is_none() && because(results, None).any(is_framed) {
        // What an experiment cannot tell stays untold.
        causes.extend(framing(subject, met).ok().flatten());
    }
    causes.extend(spins(met, results));
    causes.extend(met.prints.map(|(bytes, time)| {
        let time = time.as_secs_f64();
        let lines = vec![
            format!("with no client, it printed {bytes} bytes in {time:.2} s"),
            "Printing takes processor time, and blocks when the pipe is full: \
            print what happens, and not that nothing does."
                .into(),
        ];
        cause(None, "it floods its output", lines)
    }));
    causes.extend(met.slow.map(|time| {
        let time = time.as_secs_f64();
        let what = format!("it is slow: an answer takes {time:.1} s");
        let means = "The cases have waited longer for it. If it sleeps before \
            an answer, take that out.";
        cause(None, what, vec![means.into()])
    }));
    for cause in causes.iter_mut().filter(|cause| cause.explains.is_some()) {
        let list = listed(because(results, cause.explains));
        cause.lines.extend(list);
    }
    causes
}

fn cause(
    explains: Option<Because>,
    what: impl Into<String>,
    lines: Vec<String>,
) -> Cause {
    Cause { what: what.into(), lines, explains }
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
    let clauses: Vec<_> = failures.map(|(it, _)| it.clause).collect();
    let who = match clauses.len() {
        0 => return None,
        1 => "one case fails".into(),
        number => format!("{number} cases fail"),
    };
    Some(format!("{who} because of this: {}", in_short(clauses)))
}

/// Where the book explains a clause, and the command that tries it again.
fn more(subject: &Subject, clause: &str) -> [String; 2] {
    [
        format!("book: {}", contract::page(clause)),
        format!("again: {}", subject.again(clause)),
    ]
}

/// It ends at its first client, or in some case.
fn ended(
    subject: &Subject,
    met: &Met,
    results: &[CaseResult],
) -> Option<Cause> {
    let (what, mut lines): (_, Vec<_>) = if let Some((ended, log)) = &met.ended
    {
        (format!("it {ended}"), last_line(log).into_iter().collect())
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
    Some(cause(Some(Because::Ended), what, lines))
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
        return Some(cause(explains, WRONG_WORDS, lines));
    };
    let right = subject.dialect.answers();
    let pairs = right.iter().zip(&heard.answers).filter(|(a, b)| a != b);
    let pairs: Vec<_> = pairs.collect();
    let mut lines = Vec::new();
    if !heard.greeting.is_empty() {
        let greeting = shown(&heard.greeting);
        lines.push(format!("before any question it sends {greeting}"));
    }
    if let [(right, came), others @ ..] = &pairs[..] {
        lines.extend(difference(right, came, ""));
        let others = others.iter().filter(|it| it.1 != *came);
        let others: Vec<_> = others.map(|it| shown(it.1)).collect();
        if !others.is_empty() {
            lines.push(format!("it also says {}", others.join(", ")));
        }
    }
    let (what, clause) = kind_of_words(heard, &right, &pairs);
    lines.extend(more(subject, clause));
    Some(cause(explains, what, lines))
}

fn shown(bytes: &[u8]) -> String {
    format!("b\"{}\"", client::shown(bytes))
}

/// What the differences have in common, and the clause that it breaks.
fn kind_of_words(
    heard: &Heard,
    right: &[Vec<u8>; 5],
    pairs: &[(&Vec<u8>, &Vec<u8>)],
) -> (String, &'static str) {
    let all =
        |is: fn(&[u8], &[u8]) -> bool| pairs.iter().all(|(a, b)| is(a, b));
    let answers = if pairs.is_empty() {
        None
    } else if all(|right, came| came.trim_ascii() == right) {
        let newline = all(|_, came| came.ends_with(b"\n"));
        let what = if newline { "a newline" } else { "white space" };
        Some((format!("it adds {what} to its answers"), "wire/10"))
    } else if all(|right, came| came.eq_ignore_ascii_case(right)) {
        let what = "it answers in the wrong capital or small letters";
        Some((what.into(), "wire/8"))
    } else if heard.answers[..4].iter().all(|it| *it == heard.answers[0]) {
        Some(("it says the same to every question".into(), "wire/8"))
    } else if heard.answers[..3] == right[..3] {
        Some((WRONG_WORDS.into(), "wire/9"))
    } else {
        Some((WRONG_WORDS.into(), "wire/8"))
    };
    let greets = ("it sends a greeting before it is asked".into(), "wire/1");
    let greets = Some(greets).filter(|_| !heard.greeting.is_empty());
    let (what, clauses): (Vec<_>, Vec<_>) =
        greets.into_iter().chain(answers).unzip();
    (what.join(", and "), clauses.first().copied().unwrap_or("wire/8"))
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
    let two = [UGLY, IMPLICIT].concat();
    let both = [&ugly[..], implicit].concat();
    let (what, clause, sent, came) = if !begun.is_empty()
        || hear(&halves, complex)? != *complex
    {
        let what = "it takes what one recv() returns for a question";
        (what, "wire/3", halves[0], begun)
    } else {
        let came = hear(&[&two], &both)?;
        let what = if came == both {
            return Ok(None);
        } else if came == *ugly {
            "it answers the first question that it receives, and loses the \
                rest"
        } else if came != *unknown && !came.is_empty() {
            "it does not find the end of each question"
        } else if hear(&[&[UGLY, &COMPLEX[..3]].concat()], ugly)?.is_empty() {
            "it takes all that has come for one question, once that ends \
                with `?`"
        } else {
            "it takes all that has come for one question"
        };
        (what, "wire/4", &two[..], came)
    };
    let mut lines = vec![
        format!("sent {}, received {}", shown(sent), shown(&came)),
        "Keep what has come in a buffer. Look for the first `?` in it, answer \
        what is before, and keep what is behind. A recv_until() that looks only \
        at the last byte serves only clients that wait for each answer."
            .into(),
    ];
    lines.extend(more(subject, clause));
    Ok(Some(cause(Some(Because::Talk), what, lines)))
}

fn spins(met: &Met, results: &[CaseResult]) -> Option<Cause> {
    let explains = Some(Because::Spins);
    let (seen, book) = match met.spins {
        Some((used, time)) => {
            let (used, time) = (used.as_secs_f64(), time.as_secs_f64());
            let seen = format!(
                "with no client, it used {used:.2} s of processor time in \
                {time:.2} s"
            );
            (seen, contract::page("cost/7"))
        }
        None => {
            let (_, failure) = because(results, explains).next()?;
            (failure.what.clone(), contract::page("crowd/8"))
        }
    };
    let means = "A loop that asks again and again takes a whole core. Wait in \
        a call that blocks, or in poll(), until there is something to do.";
    let lines = vec![seen, means.into(), format!("book: {book}")];
    let what = "it spins: it runs when there is nothing to do";
    Some(cause(explains, what, lines))
}
