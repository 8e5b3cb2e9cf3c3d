//! Servers that fail most cases for one reason or two: the first lines of the
//! report name it. They are in `wrong/causes`.

use std::fs;

use libtest_mimic::Failed;
use zen_check::report::{Format, Profile, Settings, write};
use zen_check::{Plan, Program};

use crate::anonymous::{compared, shown};
use crate::{Mode, SEED, servers};

/// This much of a report is read for certain.
const LINES: usize = 10;

/// A server, by its fault and further options, and the cases that are enough to
/// see what comes of it.
pub(crate) struct First {
    pub(crate) fault: &'static str,
    options: &'static [&'static str],
    cases: &'static [&'static str],
}

const fn first(fault: &'static str) -> First {
    // One about the words, one about the framing, and one about the ending.
    let cases = &["wire/3", "wire/4", "wire/8", "wire/9", "ending/1"];
    First { fault, options: &[], cases }
}

pub(crate) const ALL: &[First] = &[
    first("wrong-word"),
    first("lower-case"),
    first("adds-newline"),
    first("greets"),
    first("looks-at-the-last-byte"),
    first("wrong-twice"),
    first("newline-framing"),
    first("closes-at-once"),
    first("dies-before-listening"),
    first("dies-after-listening"),
    first("dies-of-its-first-client"),
    first("dies-of-a-question"),
    First { cases: &["crowd/6", "wire/8"], ..first("dies-of-emfile") },
    First { cases: &["crowd/8", "wire/8"], ..first("spins") },
    First { cases: &["wire/8"], ..first("floods-its-output") },
    First {
        options: &["--think", "200"],
        cases: &["wire/8"],
        ..first("wrong-limit")
    },
];

/// Puts the cases to a server, and compares what a person reads first.
pub(crate) fn examine(first: &First, mode: Mode) -> Result<(), Failed> {
    let wrong = servers::wrong();
    let words = [&wrong, "--fault", first.fault, "--port", "{port}"];
    let words = words.into_iter().chain(first.options.iter().copied());
    let words = words.map(str::to_owned).collect();
    let mut program = Program::command(words, Profile::Server, None);
    program.seed = SEED;
    let only = first.cases.iter().map(|&case| case.into()).collect();
    let plan = Plan { only, ..Plan::default() };
    let report = zen_check::examine(program, first.fault, &plan, &|_| ());
    let mut text = Vec::new();
    write(&report, Format::Terminal, &mut text, &Settings::default())?;
    let text = String::from_utf8(text)?;
    let now: Vec<_> = text.lines().take(LINES).map(shown).collect();
    let file = servers::folder().join(format!("causes/{}.txt", first.fault));
    if [Mode::Reports, Mode::Bless].contains(&mode) {
        return Ok(fs::write(file, now.join("\n") + "\n")?);
    }
    let then = fs::read_to_string(&file).unwrap_or_default();
    let essence = |line: &str| compared(line);
    let differs =
        !then.lines().map(essence).eq(now.iter().map(|it| compared(it)));
    match differs {
        true => {
            Err(format!("says\n{}\n  instead of\n{then}", now.join("\n"))
                .into())
        }
        false => Ok(()),
    }
}
