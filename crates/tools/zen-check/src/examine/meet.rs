//! The first conversation with a server, before any case: what it says to one
//! question at a time, how soon, and what it does at rest. What is wrong there
//! is behind most of the failures that follow.

use std::time::{Duration, Instant};

use zen_harness::process::wait_for;

use crate::client::{Client, Ending, QUIET, shown};
use crate::contract::{COMPLEX, IMPLICIT, Profile, UGLY, answer};
use crate::heard::Heard;
use crate::process;
use crate::server::{Server, how_it_ended};
use crate::verdict::{Fault, Verdict};

/// Not answered in the contract's words, and long enough to be no accident.
const STRANGE: [&[u8]; 2] = [b"Who?", b"Why not?"];

/// A server that answers more slowly than this makes a run long.
const SLOW: Duration = Duration::from_millis(100);

/// How long it is watched at rest, and again if it seems to be busy: what has
/// just started may still have something to do.
const REST: [Duration; 2] =
    [Duration::from_millis(50), Duration::from_millis(500)];

/// What a server at rest does not print in half a second.
const FLOOD_BYTES: u64 = 1 << 16;

#[derive(Clone, Debug, Default)]
pub(super) struct Met {
    /// Its own words, if they are not the contract's.
    pub(super) heard: Option<Heard>,
    /// What it does with a question, if that is not to answer it.
    pub(super) instead: Option<Instead>,
    /// How and when it has ended, and what it had printed.
    pub(super) ended: Option<(String, Vec<String>)>,
    /// How long an answer takes, if that is long.
    pub(super) slow: Option<Duration>,
    /// The processor time that it uses at rest, if it spins.
    pub(super) spins: Option<(Duration, Duration)>,
    /// What it prints at rest, in bytes, if that is much.
    pub(super) prints: Option<(u64, Duration)>,
}

/// What it does instead of answering a question, and what it should do.
pub(super) type Instead = (&'static str, &'static str);

const STAYS: &str = "A client may ask as often as it likes: close only when \
    recv() returns no bytes.";

const CLOSES_AT_ONCE: Instead =
    ("it closes the connection before it has answered", STAYS);
const CLOSES_AFTER_AN_ANSWER: Instead =
    ("it closes the connection after an answer", STAYS);
const WAITS_FOR_NEWLINE: Instead = (
    "it answers only when a newline has come",
    "A question ends with its `?`, and nothing comes after it.",
);
const WAITS_FOR_THE_END: Instead = (
    "it answers only when the client has ended its side",
    "A question ends with its `?`: answer it then, and go on reading.",
);
const SAYS_NOTHING: Instead = (
    "it does not answer a question",
    "A question ends with its `?`: no newline and no end of file comes after \
    it.",
);

/// Talks to a server that has just been started.
pub(super) fn meet(server: &mut Server<'_>) -> Verdict<Met> {
    let mut met = Met::default();
    if let Some(question) = not_answered_rightly(server, &mut met)? {
        // It may need a moment to end.
        let moment = Duration::from_millis(300);
        if let Some(status) = wait_for(moment, || server.ended())? {
            if let Some(fault) = server.ends_alone(status) {
                return Err(fault);
            }
            let log = server.subject.log();
            let mut again = server.subject.start(&[])?;
            let _silent = again.connect();
            let when = match wait_for(moment, || again.ended())? {
                Some(_) => "its second client had connected".into(),
                None => format!("a client asked b\"{}\"", shown(question)),
            };
            met.ended =
                Some((format!("{} when {when}", how_it_ended(status)), log));
            return Ok(met);
        }
        if met.instead.is_none() {
            met.heard = words(server)?;
        }
    }
    at_rest(server, &mut met)?;
    Ok(met)
}

/// Asks what a right server answers byte by byte. Returns the first question to
/// which the answer is not that.
fn not_answered_rightly(
    server: &Server<'_>,
    met: &mut Met,
) -> Verdict<Option<&'static [u8]>> {
    let mut client = server.connect()?;
    let mut times = Vec::new();
    for question in [COMPLEX, UGLY, IMPLICIT, STRANGE[0]] {
        let right = server.subject.dialect.answered(answer(question));
        let asked = Instant::now();
        let (bytes, ending) = match client.send(question) {
            Ok(_) => client.next_words(&right, server.subject.speech.patience),
            Err(_) => (Vec::new(), Some(Ending::Reset)),
        };
        if bytes != *right {
            met.instead = match ending {
                _ if !bytes.is_empty() => None,
                Some(_) if times.is_empty() => Some(CLOSES_AT_ONCE),
                Some(_) => Some(CLOSES_AFTER_AN_ANSWER),
                None => Some(waits(&mut client)),
            };
            return Ok(Some(question));
        }
        times.push(asked.elapsed());
    }
    met.slow = times.into_iter().min().filter(|&time| time >= SLOW);
    Ok(None)
}

/// What a server waits for that has not answered a question.
fn waits(client: &mut Client) -> Instead {
    if client.send(b"\n").is_ok() && client.hears(2 * QUIET) {
        WAITS_FOR_NEWLINE
    } else if client.stop_sending().is_ok() && client.hears(2 * QUIET) {
        WAITS_FOR_THE_END
    } else {
        SAYS_NOTHING
    }
}

/// What it says to each kind of question, on a connection of its own; None if
/// that cannot be told, or is what it should be.
fn words(server: &Server<'_>) -> Verdict<Option<Heard>> {
    let subject = server.subject;
    let right = subject.dialect.answers();
    let mut heard = Heard { answers: right.clone(), ..Heard::default() };
    let hear = |question: &[u8], right: &[u8]| -> Verdict<_> {
        let mut client = server.connect()?;
        let (greeting, _) = client.next_words(b"", QUIET);
        client.send(question)?;
        let (words, _) = client.next_words(right, subject.speech.patience);
        // The right words may have more behind them.
        let (more, _) = client.next_words(b"", QUIET);
        Ok((greeting, [words, more].concat()))
    };
    for (index, question) in
        [UGLY, IMPLICIT, COMPLEX, STRANGE[0]].into_iter().enumerate()
    {
        let (greeting, words) = hear(question, &right[index])?;
        if words.is_empty() {
            return Ok(None);
        }
        (heard.greeting, heard.answers[index]) = (greeting, words);
    }
    // It may repeat the question: then there is no one answer to others.
    if hear(STRANGE[1], &right[3])?.1 != heard.answers[3] {
        return Ok(None);
    }
    if subject.profile > Profile::Wire {
        let long = vec![b'x'; subject.dialect.question_bytes_max()];
        let (_, words) = hear(&long, &right[4])?;
        if !words.is_empty() {
            heard.answers[4] = words;
        }
    }
    let differs = !heard.greeting.is_empty() || heard.answers != right;
    Ok(differs.then_some(heard))
}

/// Watches it while no client is connected.
fn at_rest(server: &Server<'_>, met: &mut Met) -> Verdict {
    let Ok(process) = server.process() else { return Ok(()) };
    for time in REST {
        let (since, printed) = (Instant::now(), server.log.bytes());
        let spins = match process::spins(process, time) {
            Err(Fault::Skipped(_)) => return Ok(()),
            spins => spins?,
        };
        let (printed, time) = (server.log.bytes() - printed, since.elapsed());
        met.spins = spins.map(|used| (used, time));
        met.prints = Some((printed, time)).filter(|_| printed >= FLOOD_BYTES);
        if met.spins.is_none() && met.prints.is_none() {
            break;
        }
    }
    Ok(())
}
