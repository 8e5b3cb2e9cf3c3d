//! The lines of a case, and what each of them does.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use zen_harness::system;

use super::actor::checker;
use super::play::{Act, ClientAct, ServerAct, Step, Who};
use super::words::{Args, Bound, Misfit, read};
use crate::client::{Client, FIRST_BATCH, LAST_BATCH};
use crate::contract::COMPLEX;
use crate::full::{expect_queue, expect_the_most};
use crate::process::{self, PATIENCE, WITH_A_TICK, WITHOUT_A_TICK};
use crate::server::{Server, expect_status};
use crate::verdict::{Verdict, ensure};

/// A pattern, and what a line does that it describes.
type Row<Act> = (&'static str, Act);

/// Lines that begin with no name.
pub(super) const OTHERS: &[Row<ServerAct>] = &[
    ("silent 0..900", |play, line| play.some_are_silent(line.number)),
    ("busy 0..64", |play, line| play.some_are_busy(line.number)),
    ("wait TIME", |_, line| {
        thread::sleep(line.time);
        Ok(())
    }),
];

/// Lines that begin with the name of a client.
pub(super) const CLIENT: &[Row<ClientAct>] = &[
    ("connect", |it, to, _| it.comes(|| to.connect())),
    ("connect from ADDRESS", |it, to, line| {
        let from = line.address.ok_or_else(|| checker("no address"))?;
        it.comes(|| to.connect_from(from))
    }),
    ("send BYTES", |it, to, line| it.says(to, &bytes_of(to, line), send)),
    ("send BYTES in pieces", |it, to, line| {
        let seed = it.seed(to);
        let cut = |client: &mut Client, bytes: &[u8]| {
            client.send_cut(bytes, seed).map(drop)
        };
        it.says(to, &bytes_of(to, line), cut)
    }),
    ("flood BYTES at most SIZE", |it, to, line| {
        let bytes = bytes_of(to, line);
        let sent = it.client(to)?.send_until_stalled(&bytes, line.number)?;
        let sent: Vec<_> = bytes.iter().cycle().take(sent).copied().collect();
        it.says(to, &sent, |_, _| Ok(()))
    }),
    ("expect answers TIMES", |it, to, line| it.gets_answers(to, line.times)),
    ("expect end TIMES", |it, to, line| {
        it.expects(to, line.times, Client::expect_eof)
    }),
    ("expect nothing for TIME", |it, to, line| {
        it.client(to)?.expect_silence(line.time)
    }),
    ("expect BYTES TIMES", |it, to, line| {
        it.gets(to, &bytes_of(to, line), line.times)
    }),
    ("ask TIMES", |it, to, line| {
        it.says(to, COMPLEX, send)?;
        it.gets(to, b"Complex.", line.times)
    }),
    ("ask BYTES TIMES", |it, to, line| {
        it.says(to, &bytes_of(to, line), send)?;
        it.gets_answers(to, line.times)
    }),
    ("finish", |it, to, _| it.client(to)?.stop_sending().map(drop)),
    ("leave", |it, to, _| {
        it.left = true;
        it.client(to)?.leave()
    }),
    ("close", |it, to, _| it.goes(to).map(drop)),
    ("reset", |it, to, _| it.goes(to)?.map_or(Ok(()), Client::reset)),
];

/// Such lines of the contract's own cases only.
pub(super) const CLIENT_OF_CONTRACT: &[Row<ClientAct>] = &[
    ("connect narrow", |it, to, _| it.comes(|| to.connect_narrow())),
    ("queue up", |it, to, _| match to.queue_up()? {
        Some(client) => it.comes(|| Ok(client)),
        None => {
            it.absent = true;
            Ok(())
        }
    }),
    ("ask 0..10000 times without reading", |it, to, line| {
        let questions = b"?".repeat(line.number);
        it.says(to, &questions, Client::send_batch)
    }),
    ("let answers wait", |it, to, _| {
        it.comes(|| to.connect_narrow())?;
        it.says(to, &b"?".repeat(FIRST_BATCH), Client::send_batch)?;
        it.says(to, &b"?".repeat(LAST_BATCH), Client::send_batch)
    }),
    ("wait until received", |it, to, _| to.wait_until_received(it.client(to)?)),
    ("expect any end", |it, to, _| {
        let (bytes, _) = it.client(to)?.rest(PATIENCE)?;
        ensure!(bytes.is_empty(), "it sent {} bytes too many", bytes.len());
        Ok(())
    }),
    ("expect accept", |it, to, _| {
        it.client(to)?;
        to.expect_accepted(it.address()?)
    }),
    ("expect close", |it, to, _| to.expect_closed(it.address()?)),
    ("expect error", |it, to, _| to.expect_some_error(it.address()?)),
    ("expect error TEXT TIMES", |it, to, line| {
        let since = Instant::now();
        to.expect_error(it.address()?, &line.text)?;
        line.times.check(it.sent(), since)
    }),
    ("expect drop after TIME", |it, to, line| {
        to.expect_drop(it.address()?, it.sent(), line.time)
    }),
    ("go on sending BYTES every TIME", |it, to, line| {
        let bytes = bytes_of(to, line);
        it.flood = Some(it.client(to)?.go_on_sending(&bytes, line.time)?);
        Ok(())
    }),
];

/// Lines that begin with `server:`.
pub(super) const SERVER: &[Row<ServerAct>] = &[
    ("freeze", |play, _| play.server()?.freeze()),
    ("thaw", |play, _| play.server()?.thaw()),
    ("signal SIGNAL", |play, line| {
        play.server()?.look_who_listens()?;
        play.server()?.signal(line.signal)
    }),
    ("rest for TIME", |play, line| {
        process::stays_asleep(play.server()?.process()?, line.time, WITH_A_TICK)
    }),
    ("rest for TIME without a tick", |play, line| {
        process::stays_asleep(
            play.server()?.process()?,
            line.time,
            WITHOUT_A_TICK,
        )
    }),
    ("expect exit 0..255 TIMES", |play, line| {
        let since = Instant::now();
        let status = match &play.ended {
            Some((status, _)) => *status,
            None => play.server()?.wait(PATIENCE)?,
        };
        expect_status(status, line.number as i32)?;
        line.times.check(since, since)
    }),
    ("expect log TEXT", |play, line| play.expect_log(&line.text, 1)),
    ("expect log TEXT in 0..1000 lines", |play, line| {
        play.expect_log(&line.text, line.number)
    }),
    ("expect BOUND 0..100000 PART TIMES", |play, line| play.expect_parts(line)),
];

/// Such lines of the contract's own cases only.
pub(super) const SERVER_OF_CONTRACT: &[Row<ServerAct>] = &[
    // To the process that listened at first.
    ("signal SIGNAL", |play, line| {
        play.told = Instant::now();
        play.server()?.signal(line.signal)
    }),
    ("signal all SIGNAL", |play, line| {
        play.told = Instant::now();
        play.server()?.signal_all(line.signal)
    }),
    ("disturb", |play, _| disturb(play.server()?)),
    ("settle", |play, _| process::come_to_rest(play.server()?.process()?)),
    ("expect end", |play, _| play.server()?.expect_end()),
    ("expect end in time", |play, _| {
        let told = play.told;
        play.server()?.expect_end_in_time(told)
    }),
    ("expect death by SIGNAL", |play, line| {
        let told = play.told;
        play.server()?.expect_death(line.signal, told)
    }),
    ("expect shutting down", |play, _| play.server()?.expect_shutting_down()),
    ("expect 0..100 clients at most", |play, line| {
        expect_the_most(play.server()?, line.number)
    }),
    ("expect BOUND 0..1000 clients in the queue", |play, line| {
        let exactly = line.bound == Bound::Exactly;
        expect_queue(play.server()?, line.number, exactly)
    }),
    ("expect no log TEXT", |play, line| {
        let mut lines = play.printed().into_iter();
        let line = lines.find(|it| it.contains(&line.text));
        ensure!(line.is_none(), "it printed {:?}", line.unwrap_or_default());
        Ok(())
    }),
    ("expect line TEXT", |play, line| {
        let text = play.filled(&line.text);
        play.server()?.expect_line(&text)
    }),
    ("expect BOUND 0..1000 lines TEXT", |play, line| play.expect_lines(line)),
    ("expect output", |play, line| {
        let lines = match &play.ended {
            Some((_, ended)) => ended.output.clone(),
            None => play.server()?.whole_log()?,
        };
        play.expect_whole("output", &lines, &line.lines)
    }),
    ("expect errors", |play, line| {
        let errors = play.ended.as_ref().map(|(_, it)| it.errors.clone());
        let errors = errors.ok_or_else(|| checker("it has not ended"))?;
        play.expect_whole("error", &errors, &line.lines)
    }),
];

/// Reads a line; `own` is an assignment's.
pub(super) fn step(line: &str, own: bool) -> Result<Step, String> {
    let (name, rest) = line.split_once(':').unwrap_or(("", line));
    let is_name = |c: char| c.is_alphanumeric() || "-_[]+".contains(c);
    let (act, args) = match name {
        "server" => {
            let of_contract = if own { &[][..] } else { SERVER_OF_CONTRACT };
            let rows = [of_contract, SERVER].concat();
            let row = find(&rows, rest, "a server is not told")?;
            (Act::Server(row.1), row.2)
        }
        name if !name.is_empty() && name.chars().all(is_name) => {
            let of_contract = if own { &[][..] } else { CLIENT_OF_CONTRACT };
            let rows = [of_contract, CLIENT].concat();
            let row = find(&rows, rest, "no client does")?;
            let limited = !own && row.0 != "queue up";
            (Act::Client(who(name, limited)?, row.1), row.2)
        }
        _ => {
            let row = find(OTHERS, line, "no line begins with")?;
            (Act::Server(row.1), row.2)
        }
    };
    Ok(Step { line: line.to_string(), act, args })
}

/// The first pattern that describes a line; if there is none, what is wrong
/// by the one that comes closest, or which words there are.
fn find<Act: Copy>(
    rows: &[Row<Act>],
    line: &str,
    unknown: &str,
) -> Result<(&'static str, Act, Args), String> {
    let mut closest: Option<(Misfit, &str)> = None;
    for &(pattern, act) in rows {
        match read(pattern, line) {
            Ok(args) => return Ok((pattern, act, args)),
            Err(it) if closest.as_ref().is_none_or(|(old, _)| it.0 < old.0) => {
                closest = Some((it, pattern));
            }
            Err(_) => {}
        }
    }
    match closest {
        Some(((left, what), pattern)) if left < line.trim().len() => {
            Err(format!("{what}: the line could be `{pattern}`"))
        }
        _ => {
            let word = line.split_whitespace().next().unwrap_or_default();
            let known = rows.iter().filter_map(|row| row.0.split(' ').next());
            let known: BTreeSet<_> = known.collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            Err(format!("{unknown} {word:?}, but {known}"))
        }
    }
}

/// Reads the name of a client, or of several.
fn who(text: &str, limited: bool) -> Result<Who, String> {
    let number =
        |text: &str| text.parse().map_err(|_| format!("{text:?} is no number"));
    let (name, rest) = text.split_once('[').unwrap_or((text, ""));
    let (first, room) = match rest.strip_suffix(']') {
        Some(inside) => inside.split_once('+').unwrap_or((inside, "0")),
        None if rest.is_empty() => ("", "0"),
        None => return Err(format!("{text:?} has no ]")),
    };
    Ok(Who {
        name: name.to_string(),
        number: match first {
            "" => None,
            first => Some(number(first)?),
        },
        room: number(room)?,
        limited,
    })
}

/// Sends a server, all of it, every signal that should do nothing.
fn disturb(server: &Server<'_>) -> Verdict {
    let harmless =
        [system::SIGCONT, system::SIGWINCH, system::SIGURG, system::SIGCHLD];
    for _ in 0..5 {
        server.freeze()?;
        server.thaw()?;
        for signal in harmless {
            server.signal_all(signal)?;
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

fn send(client: &mut Client, bytes: &[u8]) -> Verdict {
    client.send(bytes).map(drop)
}

/// What a line sends or expects, of this server.
fn bytes_of(server: &Server<'_>, line: &Args) -> Vec<u8> {
    line.bytes.of(server.subject.dialect.question_bytes_max())
}
