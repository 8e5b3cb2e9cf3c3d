//! The style of this workspace as tests: what a compiler does not ask for, and
//! what is forgotten first when a crate is added by copying another one.

mod layers;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A listing is read in one sitting. A longer file may hold two ideas: look
/// again, and do not squeeze it.
const MAIN_LINES_MAX: usize = 200;

/// A module imitates a framework, or is one idea of its own.
const MODULE_LINES_MAX: usize = 250;

/// "Its architecture in six words."
const ARCHITECTURE_WORDS_MAX: usize = 6;

/// The tools serve the listings and are not what is taught. When they become
/// shorter, lower this.
const TOOLS_LINES_MAX: usize = 30_650;

const NO_LISTING: &str = "–";

pub(crate) fn root() -> PathBuf {
    let folder = zen_harness::folder!();
    folder.ancestors().nth(3).expect("crates/tools/zen-check").to_path_buf()
}

/// All files below `folder` whose name ends so, in order; none if there is no
/// such folder. What tools have built is left out.
pub(crate) fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("a folder can be read").path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(files(&path, end));
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(crate) fn read(path: &Path) -> String {
    match fs::read_to_string(path) {
        Ok(text) => text,
        Err(err) => panic!("{}: {err}", path.display()),
    }
}

/// A path as a person would type it, whatever the system.
pub(crate) fn shown(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

#[track_caller]
pub(crate) fn none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

struct Crate {
    /// `listings`, `since`, `tools` ...; empty for zen-utils, which has none.
    room: String,
    name: String,
    folder: PathBuf,
    manifest: String,
}

impl Crate {
    /// Its main.rs is a listing of the chapter, or a design that came later.
    fn is_listing(&self) -> bool {
        ["listings", "since"].contains(&&*self.room)
    }

    fn main(&self) -> String {
        read(&self.folder.join("src/main.rs"))
    }

    fn sources(&self, folder: &str) -> Vec<PathBuf> {
        files(&self.folder.join(folder), ".rs")
    }

    /// What a manifest says of a key, or an empty string.
    fn says(&self, key: &str) -> &str {
        self.manifest
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))
            .unwrap_or_default()
    }

    /// The names under `[dependencies]` and `[target.….dependencies]`, or
    /// those under `[dev-dependencies]`.
    fn dependencies(&self, section_end: &str) -> Vec<&str> {
        let mut within = false;
        let mut names = Vec::new();
        for line in self.manifest.lines() {
            if line.starts_with('[') {
                let section = line.trim_matches(['[', ']']);
                within = section.rsplit('.').next() == Some(section_end);
            } else if within && line.starts_with(char::is_alphabetic) {
                names.extend(line.split([' ', '.', '=']).next());
            }
        }
        names
    }
}

fn crates() -> Vec<Crate> {
    let mut crates: Vec<_> = files(&root().join("crates"), "Cargo.toml")
        .into_iter()
        .map(|manifest| {
            let folder = manifest.parent().expect("a file is in a folder");
            let room = folder.parent().and_then(Path::file_name);
            let room = room.unwrap_or_default().to_string_lossy();
            let name = folder.file_name().unwrap_or_default();
            Crate {
                room: if room == "crates" { "".into() } else { room.into() },
                name: name.to_string_lossy().into(),
                folder: folder.to_path_buf(),
                manifest: read(&manifest),
            }
        })
        .collect();
    // Outside the workspace, with a workspace of its own.
    crates.retain(|it| it.name != "fuzz");
    crates
}

/// Its name in code.
fn identifier(name: &str) -> String {
    name.replace('-', "_")
}

/// The lines that are compiled into a program: numbered, without comments and
/// without the tests at the end of a file.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    without_tests(text)
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The lines of a file up to its tests. If they are in another file, the whole
/// of this one counts.
fn without_tests(text: &str) -> impl Iterator<Item = &str> {
    let is_own = |(line, next): &(&str, &str)| {
        *line != "#[cfg(test)]" || next.ends_with(';')
    };
    let next = text.lines().skip(1).chain([""]);
    text.lines().zip(next).take_while(is_own).map(|(line, _)| line)
}

fn header(main: &str) -> Vec<&str> {
    main.lines().take_while(|line| line.starts_with("//!")).collect()
}

/// A row of the README's table of listings.
struct Row {
    name: String,
    listing: String,
    pages: String,
    architecture: String,
}

fn readme_rows() -> Vec<Row> {
    read(&root().join("README.md"))
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [_, name, listing, pages, architecture, _] = cells[..] else {
                return None;
            };
            // Behind the name in backticks, a link may lead to its file.
            let name = name.split('`').nth(1)?;
            name.starts_with("zen-").then(|| Row {
                name: name.into(),
                listing: listing.into(),
                pages: pages.into(),
                architecture: architecture.into(),
            })
        })
        .collect()
}

#[test]
fn every_crate_inherits_what_is_said_once_for_all() {
    let mut findings = Vec::new();
    for it in crates() {
        let mut require = |is_so: bool, what: &str| {
            if !is_so {
                findings.push(format!("{}/Cargo.toml: {what}", it.name));
            }
        };
        let inherited = |key: &str| it.says(&format!("{key}.workspace"));
        require(
            it.manifest.contains("\n[lints]\nworkspace = true\n"),
            "no `[lints]` with `workspace = true`, and so no lints at all",
        );
        for key in ["version", "edition", "license", "publish"] {
            let what = format!("no `{key}.workspace = true`");
            require(inherited(key) == "true", &what);
        }
        require(
            inherited("rust-version") == "true"
                || it.room == "tools" && it.says("rust-version") == "\"1.88\"",
            "`rust-version` is the workspace's, or a tool's 1.88",
        );
        require(
            it.says("name") == format!("\"{}\"", it.name),
            "the package is not named as its folder",
        );
        require(!it.says("description").is_empty(), "no description");
    }
    none(&findings);
}

#[test]
fn every_listing_begins_with_the_same_header() {
    let mut findings = Vec::new();
    for it in crates().iter().filter(|it| it.is_listing()) {
        let Crate { name, .. } = it;
        let main = it.main();
        let header = header(&main);
        let mut require = |is_so: bool, what: &str| {
            if !is_so {
                findings.push(format!("{name}/src/main.rs: {what}"));
            }
        };
        let first = header.first().unwrap_or(&"");
        require(
            first.starts_with(&format!("//! `{name}`: ")),
            &format!("the first line is not //! `{name}`: ..."),
        );
        require(
            header.iter().any(|line| line.starts_with("//! The chapter: ")),
            "no line `//! The chapter: listing 7-x, pages ...`",
        );
        let commands: Vec<_> =
            header.iter().filter(|line| line.contains("cargo run")).collect();
        let own = format!("//! cargo run -p {name}");
        require(!commands.is_empty(), &format!("no line `{own} -- ...`"));
        require(
            commands.iter().all(|line| {
                *line == &own || line.starts_with(&format!("{own} "))
            }),
            &format!("a command of the header does not run {name}"),
        );
    }
    none(&findings);
}

#[test]
fn every_listing_is_read_in_one_sitting() {
    let mut findings = Vec::new();
    for it in crates().iter().filter(|it| it.is_listing()) {
        for path in it.sources("src") {
            if path.ends_with("tests.rs") {
                continue;
            }
            let lines = read(&path).lines().count();
            let most = match path.ends_with("main.rs") {
                true => MAIN_LINES_MAX,
                false => MODULE_LINES_MAX,
            };
            let path = shown(&path);
            if lines > most {
                findings.push(format!(
                    "{path}: {lines} lines, where more than {most} are a sign \
                     of two ideas"
                ));
            }
        }
    }
    none(&findings);
}

/// Where the item that starts on this line belongs in a listing.
fn rank(line: &str) -> Option<(usize, &'static str)> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
    let ours = ["use zen_", "use crate::", "use self::", "use super::"];
    let std = ["use std::", "use core::", "use alloc::"];
    let starts = |with: &[&str]| with.iter().any(|it| line.starts_with(it));
    Some(if starts(&["mod "]) && line.ends_with(';') {
        (0, "a module")
    } else if starts(&std) {
        (1, "use std")
    } else if starts(&ours) {
        (3, "use of our own")
    } else if starts(&["use "]) {
        (2, "use of another crate")
    } else if starts(&["const ", "static "]) {
        (4, "a constant")
    } else if starts(&["fn main"]) {
        (5, "main")
    } else if starts(&["mod tests"]) {
        (7, "the tests")
    } else if starts(&[
        "fn ",
        "async fn ",
        "struct ",
        "enum ",
        "type ",
        "trait ",
        "impl",
        "unsafe ",
        "mod ",
    ]) {
        (6, "the listing's own items")
    } else {
        return None;
    })
}

#[test]
fn every_listing_keeps_the_same_order_of_items() {
    let mut findings = Vec::new();
    for it in crates().iter().filter(|it| it.is_listing()) {
        let main = it.main();
        let mut last = (0, "");
        for (index, line) in main.lines().enumerate() {
            let Some(rank) = rank(line) else { continue };
            if rank.0 < last.0 {
                let (number, Crate { name, .. }) = (index + 1, it);
                findings.push(format!(
                    "{name}/src/main.rs:{number}: {} after {}",
                    rank.1, last.1
                ));
            }
            last = rank;
        }
    }
    none(&findings);
}

#[test]
fn the_readme_and_each_listing_say_the_same() {
    let rows = readme_rows();
    let mut findings = Vec::new();
    let crates = crates();
    for row in &rows {
        if !crates.iter().any(|it| it.name == row.name) {
            findings.push(format!("README.md: there is no {}", row.name));
        }
    }
    for it in crates.iter().filter(|it| it.is_listing()) {
        let Crate { name, .. } = it;
        let Some(row) = rows.iter().find(|row| row.name == *name) else {
            findings.push(format!("README.md: no row for {name}"));
            continue;
        };
        let main = it.main();
        let mut require = |is_so: bool, what: String| {
            if !is_so {
                findings.push(format!("{name}: {what}"));
            }
        };
        let Row { listing, pages, architecture, .. } = row;
        let page = pages.split('-').next().unwrap_or_default();
        // One of them is two of the chapter: `7-10 and 7-11`.
        let number =
            if listing.contains(" and ") { "listings" } else { "listing" };
        let of_listing = match &**listing {
            NO_LISTING => String::new(),
            listing => format!("{number} {listing}"),
        };
        require(
            header(&main).iter().any(|line| {
                let words: Vec<_> = line.split([' ', ',', '.']).collect();
                line.starts_with(&format!("//! The chapter: {of_listing}"))
                    && words.contains(&&**pages)
            }),
            format!("the header is not of `{listing}`, `{pages}` (README.md)"),
        );
        let of_page = match &**listing {
            NO_LISTING => format!("(page {page})"),
            listing => format!("({listing}, page {page})"),
        };
        require(
            it.sources("src").iter().any(|path| {
                let text = read(path);
                code(&text).any(|(_, line)| line.contains(&of_page))
            }),
            format!("its description for -h does not end in `{of_page}`"),
        );
        let words = architecture.split_whitespace().count();
        require(
            (1..=ARCHITECTURE_WORDS_MAX).contains(&words),
            format!("`{architecture}` (README.md) is not about six words"),
        );
        let description = match &**listing {
            NO_LISTING => format!("\"{architecture}\""),
            listing => format!("\"{architecture} ({number} {listing})\""),
        };
        require(
            it.says("description") == description,
            format!("Cargo.toml does not say description = {description}"),
        );
    }
    none(&findings);
}

#[test]
fn the_readme_names_every_crate_and_the_test_script_every_tool() {
    let readme = read(&root().join("README.md"));
    let script = read(&root().join("scripts/test"));
    let manifest = read(&root().join("Cargo.toml"));
    let (_, members) = manifest.split_once("default-members").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let mut findings = Vec::new();
    // Assignments have a table of their own, and no tests: `zen-homework`
    // verifies them.
    let assignments = read(&root().join("crates/homework/README.md"));
    for Crate { room, name, .. } in crates() {
        if room == "homework" {
            if !assignments.contains(&format!("`{name}`")) {
                let readme = "crates/homework/README.md";
                findings.push(format!("{readme}: `{name}` is not named"));
            }
            continue;
        }
        if !readme.contains(&format!("`{name}`")) {
            findings.push(format!("README.md: `{name}` is not named"));
        }
        let is_default = members.contains(&format!("{room}/{name}\""))
            || members.contains(&format!("{room}/*\""));
        if !is_default && !script.contains(&format!("-p {name}")) {
            findings.push(format!("scripts/test: no `-p {name}`"));
        }
    }
    none(&findings);
}

#[test]
fn no_server_panics_or_prints_past_the_log() {
    const UNWANTED: [&str; 9] = [
        "print!",
        "println!",
        "eprint!",
        "eprintln!",
        "dbg!",
        "todo!",
        "unimplemented!",
        ".unwrap()",
        "allow(",
    ];
    let mut findings = Vec::new();
    let crates = crates();
    let servers =
        crates.iter().filter(|it| it.is_listing() || it.room.is_empty());
    let mut sources: Vec<_> =
        servers.flat_map(|it| it.sources("src")).collect();
    sources.retain(|path| !path.ends_with("tests.rs"));
    for path in sources {
        let text = read(&path);
        for (number, line) in code(&text) {
            let words: Vec<_> = line.split([' ', '(', '{', '[']).collect();
            for unwanted in UNWANTED {
                let found = match unwanted.strip_suffix('!') {
                    Some(_) => words.contains(&unwanted),
                    None => line.contains(unwanted),
                };
                if found {
                    let path = shown(&path);
                    findings.push(format!("{path}:{number}: `{unwanted}`"));
                }
            }
        }
    }
    none(&findings);
}

#[test]
fn no_crate_pays_for_what_it_does_not_use() {
    let mut findings = Vec::new();
    for it in crates() {
        for (section, folders) in [
            ("dependencies", &["src", "wrong"][..]),
            ("dev-dependencies", &["src", "tests", "benches"]),
        ] {
            let sources: String = folders
                .iter()
                .flat_map(|folder| it.sources(folder))
                .map(|path| read(&path))
                .collect();
            // Not in a comment, where a crate is only spoken of.
            let words: BTreeSet<_> = sources
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .flat_map(|line| {
                    line.split(|c: char| !c.is_alphanumeric() && c != '_')
                })
                .collect();
            for dependency in it.dependencies(section) {
                if !words.contains(&*identifier(dependency)) {
                    findings.push(format!(
                        "{}/Cargo.toml: nothing in {folders:?} uses \
                         {dependency}",
                        it.name
                    ));
                }
            }
        }
    }
    none(&findings);
}

/// What no one would say to a colleague, and what to write instead.
const UNUSUAL: [(&str, &str); 14] = [
    ("so many", "as many as, or the number"),
    ("so long", "for this long, or the time"),
    ("whoever", "a client that, if you"),
    ("whom", "which client, or another order of words"),
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("anew", "again"),
    ("nobody", "no one, no client"),
    ("somebody", "someone, a student"),
    ("in vain", "without an answer, for nothing"),
    ("for ever", "forever"),
    ("time-out", "timeout, and time out as a verb"),
    ("the text", "the chapter, or this book"),
];

/// Folders whose comments, messages, cases and hints are checked as well as
/// pages.
const FOLDERS_IN_PLAIN_ENGLISH: [&str; 12] = [
    "book/deployment",
    "book/solutions",
    "book/src",
    "book/transcripts",
    "crates/homework",
    "crates/listings",
    "crates/since",
    "crates/tools",
    "crates/zen-utils",
    "scripts",
    ".ci",
    ".github",
];

/// Scripts have none of these.
const TEXT_EXTENSIONS: [&str; 18] = [
    "cases", "cfg", "css", "go", "html", "js", "json", "md", "mjs", "patch",
    "py", "rs", "scenario", "service", "socket", "toml", "txt", "yml",
];

fn files_in_plain_english() -> Vec<PathBuf> {
    let names =
        ["README.md", "CHANGELOG.md", "book/focus.js", "book/tables.css"];
    let mut paths: Vec<_> = names.map(|name| root().join(name)).into();
    paths.extend(files(&root().join("crates"), "Cargo.toml"));
    for folder in FOLDERS_IN_PLAIN_ENGLISH {
        let mut found = files(&root().join(folder), "");
        found.retain(|path| match path.extension() {
            Some(it) => TEXT_EXTENSIONS.iter().any(|text| it == *text),
            None => true,
        });
        assert!(!found.is_empty(), "{folder} has no files");
        paths.extend(found);
    }
    // This file has to name the words.
    paths.retain(|path| !path.ends_with("zen-check/tests/it/tidy.rs"));
    paths.sort();
    paths.dedup();
    paths
}

#[test]
fn the_repository_is_written_in_plain_english() {
    let mut findings = Vec::new();
    for path in files_in_plain_english() {
        let (path, text) = (shown(&path), read(&path));
        for (index, line) in text.lines().enumerate() {
            for (word, better) in unusual_words(line) {
                findings.push(format!(
                    "{path}:{}: `{word}`; better: {better}",
                    index + 1
                ));
            }
        }
    }
    none(&findings);
}

/// Those in a line, as whole words.
fn unusual_words(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let line = line.to_lowercase();
    let is_part = |c: char| c.is_alphanumeric() || c == '-';
    UNUSUAL.into_iter().filter(move |(word, _)| {
        line.match_indices(word).any(|(at, _)| {
            !line[..at].ends_with(is_part)
                && !line[at + word.len()..].starts_with(is_part)
        })
    })
}

#[test]
fn an_unusual_word_is_found_whatever_is_around_it() {
    let found = |line| unusual_words(line).map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(found("Nobody, so many: `mend`"), ["so many", "mend", "nobody"]);
    assert_eq!(found("recommend the texture sometime-outside"), [""; 0]);
}

#[test]
fn async_std_stays_in_its_one_crate() {
    let users: Vec<_> = crates()
        .into_iter()
        .filter(|it| {
            ["dependencies", "dev-dependencies"]
                .iter()
                .any(|of| it.dependencies(of).contains(&"async-std"))
        })
        .map(|it| it.name)
        .collect();
    assert_eq!(users, ["zen-async-std"]);
}

/// A clone may be renamed or copied after it was built.
#[test]
fn nothing_remembers_where_it_was_built() {
    let mut findings = Vec::new();
    let allowed = ["zen-harness/src/built.rs", "zen-check/src/lib.rs"];
    for path in files(&root().join("crates"), ".rs") {
        let (text, path) = (read(&path), shown(&path));
        if allowed.iter().any(|end| path.ends_with(end)) {
            continue;
        }
        for (number, line) in code(&text) {
            let places = ["BIN_EXE_", "MANIFEST_DIR", "TARGET_TMPDIR"];
            if places.iter().any(|it| line.contains(&format!("CARGO_{it}"))) {
                findings.push(format!(
                    "{path}:{number}: ask zen_harness::program!, folder! or \
                     built::scratch"
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn unsafe_code_stands_where_a_reason_is_given() {
    let mut findings = Vec::new();
    for path in files(&root().join("crates"), ".rs") {
        let text = read(&path);
        let is_unsafe = code(&text).any(|(_, line)| {
            line.split_whitespace().any(|word| word == "unsafe")
        });
        let attribute = text
            .split_once("expect(unsafe_code")
            .or_else(|| text.split_once("expect(\n    unsafe_code"));
        let reason = attribute
            .and_then(|(_, rest)| rest.split_once(']'))
            .is_some_and(|(attribute, _)| attribute.contains("reason = "));
        if is_unsafe && !reason {
            findings.push(format!(
                "{}: `unsafe` without expect(unsafe_code, reason = ...)",
                shown(&path)
            ));
        }
    }
    none(&findings);
}

/// The page that a teacher projects, with its own budget: Rust, HTML, CSS and
/// JavaScript together.
const LIVE: &str = "crates/tools/zen-live";
const LIVE_LINES_MAX: usize = 1_800;

/// Lines of files whose names end so below these folders, comments included
/// and tests left out.
fn lines_without_tests(folders: &[&str], ends: &[&str]) -> usize {
    let all = |folder: &&str| {
        let folder = root().join(folder);
        ends.iter().flat_map(move |end| files(&folder, end)).collect::<Vec<_>>()
    };
    folders
        .iter()
        .flat_map(all)
        .filter(|path| {
            let path = shown(path);
            !path.contains("/tests/") && !path.ends_with("/tests.rs")
        })
        .map(|path| without_tests(&read(&path)).count())
        .sum()
}

#[test]
fn the_tools_stay_in_proportion_to_what_they_serve() {
    let live = lines_without_tests(&[LIVE], &[".rs"]);
    let tools = lines_without_tests(&["crates/tools"], &[".rs"]) - live;
    let taught = ["crates/listings", "crates/since", "crates/zen-utils"];
    let taught = lines_without_tests(&taught, &[".rs"]);
    println!("tools: {tools} lines; listings and zen-utils: {taught}");
    assert!(
        tools <= TOOLS_LINES_MAX,
        "{tools} lines of tools are more than {TOOLS_LINES_MAX}"
    );
}

#[test]
fn the_live_page_keeps_its_budget() {
    let ends = [".rs", ".html", ".css", ".js"];
    let lines = lines_without_tests(&[LIVE], &ends);
    println!("zen-live: {lines} lines");
    assert!(
        (1..=LIVE_LINES_MAX).contains(&lines),
        "{lines} lines of zen-live are more than {LIVE_LINES_MAX}"
    );
}

#[test]
fn every_mistake_of_the_wrong_server_is_listed_and_made() {
    let folder = root().join("crates/tools/zen-check/wrong");
    let list = read(&folder.join("faults.txt"));
    let names = list.lines().filter_map(|it| it.split_whitespace().next());
    let listed: BTreeSet<_> = names.map(String::from).collect();
    let sources = files(&folder, ".rs");
    let code: String = sources.iter().map(|it| read(it)).collect();
    let calls = code.split("faulty(\"").skip(1);
    let mut made: BTreeSet<_> =
        calls.filter_map(|it| Some(it.split_once('"')?.0.into())).collect();
    // As the comment at the top of main.rs has it.
    made.remove("name");
    assert_eq!(listed, made);
}
