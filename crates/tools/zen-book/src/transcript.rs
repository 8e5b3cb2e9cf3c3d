//! The files in `book/transcripts`: reads them, runs them again, and compares.
//! README.md in that folder describes their format.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Error, Result, bail, ensure};
use regex::{Captures, Regex};
use zen_harness::workspace::{self, Programs};

use crate::html::book;
use crate::terminal::{Server, Terminal, packages};

/// A part of a transcript, between two anchors.
#[derive(Debug)]
struct Part<'a> {
    name: &'a str,
    /// The note in parentheses after the name.
    note: &'a str,
    lines: Vec<&'a str>,
}

impl Part<'_> {
    /// The number in a note such as `10 lines`.
    fn number(&self, word: &str) -> Option<usize> {
        let (before, _) = self.note.split_once(word)?;
        before.rsplit(['(', ' ']).find(|it| !it.is_empty())?.parse().ok()
    }
}

/// Runs all transcripts again, or only the named ones. With `write`, the new
/// output replaces the old.
pub(crate) fn check(only: &[PathBuf], write: bool) -> Result<()> {
    let folder = book().join("transcripts");
    let mut paths = only.to_vec();
    if paths.is_empty() {
        for entry in fs::read_dir(&folder)? {
            paths.push(entry?.path());
        }
        paths.retain(|it| it.extension().is_some_and(|end| end == "console"));
        paths.sort();
    }
    ensure!(!paths.is_empty(), "no transcripts in {}", folder.display());
    let mut texts = BTreeMap::new();
    for path in paths {
        let text = fs::read_to_string(&path)
            .with_context(|| path.display().to_string())?;
        texts.insert(path, text);
    }
    let programs = build(texts.values())?;
    let mut differences = Vec::new();
    for (path, text) in &texts {
        let name = path.file_name().unwrap_or_default().display();
        let seen = run(text, &programs).with_context(|| name.to_string())?;
        for (part, lines) in &seen {
            if let Err(why) = compare(part, lines) {
                differences.push(format!("{name}, {}: {why}", part.name));
            }
        }
        println!("{name}: {} parts", seen.len());
        if write {
            fs::write(path, rewritten(text, &seen))?;
        }
    }
    if !differences.is_empty() && !write {
        bail!("not the same output:\n{}", differences.join("\n"));
    }
    Ok(())
}

/// Builds the programs that occur in them, with the profile of this one.
fn build<'a>(texts: impl Iterator<Item = &'a String>) -> Result<Programs> {
    let commands = texts.flat_map(|text| text.lines());
    let packages: BTreeSet<_> = commands.flat_map(packages).collect();
    let packages: Vec<_> = packages.into_iter().collect();
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    workspace::build(&book(), &packages, profile, None).map_err(Error::msg)
}

fn parse(text: &str) -> Result<Vec<Part<'_>>> {
    let mut parts = Vec::<Part>::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if let Some(name) = line.strip_prefix("ANCHOR: ") {
            ensure!(!open, "line {number}: a part within a part");
            let (name, note) = name.split_once(' ').unwrap_or((name, ""));
            parts.push(Part { name, note, lines: Vec::new() });
            open = true;
        } else if let Some(name) = line.strip_prefix("ANCHOR_END: ") {
            let is_its = parts.last().is_some_and(|part| part.name == name);
            ensure!(open && is_its, "line {number}: not the end of a part");
            open = false;
        } else if open {
            parts.last_mut().expect("one is open").lines.push(line);
        }
    }
    ensure!(!open, "the last part has no end");
    Ok(parts)
}

/// Runs the commands in the order of events, and returns the output of each
/// part whose prints are shown.
fn run<'a>(
    text: &'a str,
    programs: &Programs,
) -> Result<Vec<(Part<'a>, Vec<String>)>> {
    // For each part: its terminal, earlier output, and whether it must fail.
    let mut running = BTreeMap::<&str, (Terminal, Vec<String>, bool)>::new();
    let mut server: Option<(&str, Server)> = None;
    let mut seen = Vec::new();
    for part in parse(text)? {
        let name = part.name;
        if let Some(name) = name.strip_suffix("-prints") {
            let (mut terminal, mut lines, fails) = running
                .remove(name)
                .with_context(|| format!("there is no part {name}"))?;
            let stop = part.lines.iter().position(|it| *it == "Shutting down");
            let (went_well, printed) =
                terminal.end(stop.unwrap_or(0)).context(name.to_string())?;
            lines.extend(printed);
            let port = server.as_ref().map_or(0, |(_, it)| it.port);
            server = server.filter(|(it, _)| *it != name);
            if went_well == fails {
                let printed = lines.join("\n");
                bail!("{name}: exit status, fails: {}\n{printed}", !went_well);
            }
            seen.push((part, with_page_port(lines, port)));
            continue;
        }
        if let Some(times) = part.number("accepted") {
            let (of, _) = server.as_ref().context("no server to accept")?;
            let (terminal, ..) = running.get(of).context("it has ended")?;
            terminal.wait_for("Accepted connection", times)?;
        }
        let here = server.as_ref().map(|(_, server)| server);
        let (last, first) = part.lines.split_last().context("no command")?;
        let mut printed = Vec::new();
        for line in first {
            let mut terminal = Terminal::start(line, programs, here)?;
            let (went_well, lines) = terminal.end(0)?;
            ensure!(went_well, "{line}: exit status");
            printed.extend(lines);
        }
        let terminal = Terminal::start(last, programs, here)?;
        if let Some(found) = terminal.server()? {
            server = Some((name, found));
        }
        running.insert(name, (terminal, printed, part.note.contains("fails")));
    }
    match running.keys().next() {
        Some(name) => bail!("there is no part {name}-prints"),
        None => Ok(seen),
    }
}

/// Replaces the server's port with the one that the page uses.
fn with_page_port(lines: Vec<String>, port: u16) -> Vec<String> {
    let ours = Regex::new(&format!(r":{port}\b")).expect("a number");
    lines.iter().map(|line| ours.replace_all(line, ":1060").into()).collect()
}

fn compare(part: &Part, seen: &[String]) -> Result<(), String> {
    if let Some(expected) = part.number("lines") {
        let found = seen.len();
        let is_so = found == expected;
        return is_so.then_some(()).ok_or(format!("{found} lines"));
    }
    let any_order = part.note.contains("in any order");
    let [expected, found] = [part.lines.join("\n"), seen.join("\n")];
    if normalised(&expected, any_order) == normalised(&found, any_order) {
        return Ok(());
    }
    let [expected, found] =
        [expected, found].map(|it| it.replace('\n', "\n  "));
    Err(format!("{found}\n  was printed, not\n  {expected}"))
}

/// Replaces client ports by numbers in the order of appearance, and removes
/// sizes.
fn normalised(text: &str, any_order: bool) -> Vec<String> {
    let ports = Regex::new(r"(127\.0\.0\.1|\[::1\]):(\d+)").expect("a pattern");
    let sizes = Regex::new(r"\d+ KiB").expect("a pattern");
    let mut known = Vec::new();
    let text = ports.replace_all(text, |found: &Captures| {
        let port = found[2].to_string();
        if port == "1060" {
            return found[0].to_string();
        }
        let number = known.iter().position(|it| *it == port);
        let number = number.unwrap_or_else(|| {
            known.push(port);
            known.len() - 1
        });
        format!("{}:#{}", &found[1], if any_order { 0 } else { number })
    });
    let text = sizes.replace_all(&text, "# KiB");
    // Sizes vary in their number of digits, and so in the spaces before them.
    let lines = text.split('\n');
    let words = lines.map(|it| it.split_whitespace().collect::<Vec<_>>());
    let mut lines: Vec<_> = words.map(|words| words.join(" ")).collect();
    if any_order {
        lines.sort();
    }
    lines
}

fn rewritten(text: &str, seen: &[(Part, Vec<String>)]) -> String {
    let mut written = String::new();
    let mut skipping = false;
    for line in text.lines() {
        if line.starts_with("ANCHOR_END: ") {
            skipping = false;
        }
        if !skipping {
            written += &format!("{line}\n");
        }
        let name = line.strip_prefix("ANCHOR: ");
        let name = name.and_then(|it| it.split(' ').next());
        let found = seen.iter().find(|(part, _)| Some(part.name) == name);
        if let Some((part, lines)) = found
            && part.number("lines").is_none()
        {
            for line in lines {
                written += &format!("{line}\n");
            }
            skipping = true;
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "note\nANCHOR: a\ntrue\nprintf '127.0.0.1:7 x\\ny\\n'\n\
                        ANCHOR_END: a\nANCHOR: a-prints\n\
                        127.0.0.1:9 x\ny\nANCHOR_END: a-prints\n";

    fn difference(text: &str) -> Result<()> {
        for (part, lines) in run(text, &Programs::new())? {
            compare(&part, &lines).map_err(anyhow::Error::msg)?;
        }
        Ok(())
    }

    #[test]
    fn the_same_output_is_no_difference() {
        difference(TEXT).unwrap();
        let seen = run(TEXT, &Programs::new()).unwrap();
        assert_eq!(rewritten(TEXT, &seen), TEXT.replace(":9", ":7"));
    }

    #[test]
    fn other_output_is_a_difference() {
        let broken = [
            ("9 x", "9 z"),
            ("9 x\ny", "9 x"),
            ("9 x\ny", "9 x\ny\n"),
            ("9 x\ny", "y\n127.0.0.1:9 x"),
            (":9 x", ":1060 x"),
            ("a-prints\n1", "a-prints (3 lines)\n1"),
            ("true", "false"),
            ("ANCHOR: a\n", "ANCHOR: a (fails)\n"),
            ("ANCHOR_END: a\n", ""),
            ("a-prints", "b-prints"),
        ];
        for (from, to) in broken {
            let text = TEXT.replace(from, to);
            assert!(difference(&text).is_err(), "{text}");
        }
        let text = TEXT.replace("9 x\ny", "y\n127.0.0.1:9 x");
        let text = text.replace("a-prints\ny", "a-prints\n127.0.0.1:3 y");
        assert!(difference(&text).is_err(), "{text}");
    }

    #[test]
    fn the_order_of_lines_may_be_ignored() {
        let text = TEXT.replace("127.0.0.1:9 x\ny", "y\n127.0.0.1:9 x");
        let text =
            text.replace(": a-prints\ny", ": a-prints (in any order)\ny");
        difference(&text).unwrap();
    }

    #[test]
    fn the_same_port_is_the_same_client() {
        let expected = normalised("127.0.0.1:5\n127.0.0.1:6", false);
        assert_eq!(expected, normalised("127.0.0.1:8\n127.0.0.1:7", false));
        assert_ne!(expected, normalised("127.0.0.1:8\n127.0.0.1:8", false));
    }
}
