//! The arrows between crates and between files, which run one way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Crate, code, crates, files, none, read};

/// Which crates of ours the crates of a folder, or a single one, may use. The
/// first row that fits a crate counts.
const ARROWS: [(&str, &[&str]); 9] = [
    ("zen-fork", &["zen-utils", "zen-legacy"]),
    ("zen-hybrid", &["zen-utils", "zen-poll"]),
    ("zen-check", &["zen-harness"]),
    ("zen-homework", &["zen-harness", "zen-check"]),
    ("zen-timeline", &["zen-harness", "zen-bench"]),
    ("tools", &["zen-harness"]),
    ("listings", &["zen-utils"]),
    ("since", &["zen-utils"]),
    ("homework", &["zen-utils"]),
];

#[test]
fn crates_use_only_what_the_design_allows() {
    let crates = crates();
    let ours: BTreeSet<_> = crates.iter().map(|it| &*it.name).collect();
    let mut findings = Vec::new();
    for it in &crates {
        let Crate { name, room, .. } = it;
        let row = ARROWS.iter().find(|(who, _)| who == name || who == room);
        let mut may: BTreeSet<_> =
            row.map_or(&[][..], |row| row.1).iter().copied().collect();
        may.remove(&**name);
        for used in it.dependencies("dependencies") {
            if ours.contains(used) && !may.contains(used) {
                findings.push(format!("{name} may not use {used}"));
            }
        }
    }
    none(&findings);
}

/// The files of a crate by module path, such as `report::text`. Test modules
/// are left out.
fn modules(source: &Path) -> BTreeMap<String, String> {
    let module = |path: &Path| {
        let path = path.strip_prefix(source).expect("below").with_extension("");
        let parts = path.iter().map(|part| part.to_string_lossy());
        parts.collect::<Vec<_>>().join("::")
    };
    let mut all = files(source, ".rs");
    all.retain(|path| !path.ends_with("tests.rs"));
    all.iter().map(|path| (module(path), read(path))).collect()
}

/// The paths in a program, such as `crate::a::b`, with braces written out. A
/// re-export is left out: it uses nothing.
fn paths(text: &str) -> Vec<String> {
    let lines: Vec<_> = code(text).map(|(_, line)| line).collect();
    let mut found = Vec::new();
    for statement in lines.join("\n").split_inclusive(';') {
        let re_exports = ["pub use ", "pub(crate) use ", "pub(super) use "];
        let end = re_exports.iter().find_map(|it| statement.find(it));
        let statement = &statement[..end.unwrap_or(statement.len())];
        let is_part = |c: char| c.is_alphanumeric() || "_:".contains(c);
        let mut before: Vec<&str> = Vec::new();
        let mut word = "";
        for piece in statement.split_inclusive(|c: char| !is_part(c)) {
            let end = piece.trim_end_matches(|c: char| !is_part(c));
            let mark = &piece[end.len()..];
            word = if end.is_empty() { word } else { end };
            if !end.is_empty() && !end.ends_with("::") {
                found.push(before.concat() + end);
            }
            match mark {
                "{" if word.ends_with("::") => before.push(word),
                "}" => _ = before.pop(),
                _ => {}
            }
            word = if mark == "{" { "" } else { word };
        }
    }
    found
}

/// The module of this crate that a path in `here` leads to.
fn target<'a>(
    modules: &'a BTreeMap<String, String>,
    here: &str,
    path: &str,
) -> Option<&'a str> {
    let is_root = ["lib", "main"].contains(&here);
    let mut at: Vec<&str> =
        if is_root { Vec::new() } else { here.split("::").collect() };
    for part in path.split("::") {
        match part {
            "crate" => at.clear(),
            "self" => {}
            "super" => _ = at.pop(),
            part => at.push(part),
        }
    }
    (1..=at.len()).rev().find_map(|length| {
        let module = at[..length].join("::");
        modules.get_key_value(&module).map(|(module, _)| &**module)
    })
}

/// Every file that can be reached from itself.
fn rings(source: &Path) -> BTreeSet<String> {
    let modules = modules(source);
    let uses = |here: &str| -> BTreeSet<&str> {
        let paths = paths(&modules[here]);
        let paths = paths.iter().filter(|path| path.contains("::"));
        let targets = paths.filter_map(|path| target(&modules, here, path));
        targets.filter(|it| *it != here).collect()
    };
    let arrows: BTreeMap<_, _> =
        modules.keys().map(|it| (&**it, uses(it))).collect();
    let reached = |from: &str| {
        let mut reached = arrows[from].clone();
        loop {
            let next: BTreeSet<_> =
                reached.iter().flat_map(|it| arrows[it].clone()).collect();
            let before = reached.len();
            reached.extend(next);
            if reached.len() == before {
                return reached;
            }
        }
    };
    let in_ring = modules.keys().filter(|it| reached(it).contains(&***it));
    in_ring.cloned().collect()
}

#[test]
fn no_files_of_a_tool_import_each_other_in_a_circle() {
    let mut findings = Vec::new();
    for Crate { name, folder, room, .. } in crates() {
        let rings = rings(&folder.join("src"));
        if room == "tools" && !rings.is_empty() {
            findings.push(format!("{name}: {rings:?}"));
        }
    }
    none(&findings);
}

#[test]
fn paths_are_read_with_their_braces() {
    let text = "use crate::a::{self, b::{C, d}, E};\npub use f::g;\n\
                // crate::h::i\nfn j() { k::l(m) }\n";
    let found: BTreeSet<_> = paths(text).into_iter().collect();
    let found: Vec<_> = found.iter().filter(|it| it.contains("::")).collect();
    let expected = ["b::C", "b::d", "E", "self"];
    let mut expected: Vec<_> =
        expected.iter().map(|it| format!("crate::a::{it}")).collect();
    expected.push("k::l".into());
    expected.sort();
    assert_eq!(found, expected.iter().collect::<Vec<_>>());
}
