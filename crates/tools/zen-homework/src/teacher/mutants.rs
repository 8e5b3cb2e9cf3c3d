//! Mutants: the solution with one small change, which a case must catch.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use zen_harness::{process, workspace};

use super::source::Files;
use super::verify::{Examined, Gate};
use crate::assignment::Excused;
use crate::at::At;
use crate::files;
use crate::stages::{StageOutcome, StageResult};
use crate::student::print;

/// cargo-mutants builds nothing when it only lists mutants.
const LIST_TIME_MAX: Duration = Duration::from_secs(60);

/// How often a mutant is examined on a machine that is too busy to tell.
const TRIES_MAX: usize = 3;

/// What cargo-mutants adds to a line.
const MARK: &str = " /* ~ changed by cargo-mutants ~ */";

/// As cargo-mutants describes it.
#[derive(Deserialize)]
struct Mutant {
    /// The file, the line, the column, and what is changed.
    name: String,
    /// Its second line is no file name, so that Git cannot apply it.
    diff: String,
}

impl Mutant {
    /// A name that stays the same while other lines change: the change, and the
    /// line that it results in.
    fn lasting_name(&self) -> String {
        let change = self.name.splitn(4, ':').last().unwrap_or_default();
        let added = |line: &&str| line.starts_with('+');
        let line = self.diff.lines().skip(2).find(added).unwrap_or_default();
        let line = line.trim_start_matches('+').replace(MARK, "");
        format!("{}: {}", change.trim(), line.trim())
    }

    /// A patch for the assignment's folder.
    fn patch(&self, file: &str) -> String {
        let hunks = self.diff.lines().skip(2).collect::<Vec<_>>().join("\n");
        format!("--- a/{file}\n+++ b/{file}\n{hunks}\n")
    }
}

impl Gate<'_> {
    /// Mutates the files that a student may change, and finds those mutants
    /// that no stage catches.
    pub(super) fn try_mutants(&mut self) -> Result<(), String> {
        let it = self.assignment;
        if !it.is_cargos() {
            let why = "mutants: cargo-mutants changes only Cargo's packages";
            self.left_out.push(why.into());
            return Ok(());
        }
        let solution = self.solution()?;
        let (mut built, mut caught, mut all) = (0, 0, 0);
        let mut survivors = BTreeSet::new();
        for file in files::find(&it.files, &it.folder)?.files {
            let file = file.to_string_lossy();
            if !file.ends_with(".rs") {
                continue;
            }
            for mutant in self.mutants_of(&file)? {
                all += 1;
                let patch = mutant.patch(&file);
                let files = self.patched(patch.as_bytes(), &solution)?;
                let Some(examined) = self.examine_often(&files)? else {
                    continue;
                };
                built += 1;
                let name = &mutant.name;
                let (is_caught, what) = match examined.failing() {
                    Ok(stage) => {
                        (true, format!("{name}: {} fails", stage.name))
                    }
                    Err(_) if examined.passed() => {
                        survivors.insert(mutant.lasting_name());
                        (false, format!("{name}: no stage fails"))
                    }
                    Err(why) => {
                        let what = format!("{name}: no verdict: {why}");
                        self.findings.push(what.clone());
                        (false, what)
                    }
                };
                caught += usize::from(is_caught);
                print(&format!("  {what}\n"))?;
            }
        }
        let (excused, findings) = judged(&survivors, &it.excused);
        self.findings.extend(findings);
        print(&format!(
            "  {all} mutants: {built} built, {caught} caught, {excused} excused\n"
        ))
    }

    /// Examines these files until there is a verdict, but not without end. None
    /// if they do not build.
    fn examine_often(&self, files: &Files) -> Result<Option<Examined>, String> {
        for last in (0..TRIES_MAX).rev() {
            let examined = self.examine(files, true)?;
            let Ok(results) = &examined.results else { return Ok(None) };
            if last == 0 || !results.iter().any(is_unknown) {
                return Ok(Some(examined));
            }
        }
        Ok(None)
    }

    fn mutants_of(&self, file: &str) -> Result<Vec<Mutant>, String> {
        let (root, name) = (self.root, &self.assignment.name);
        let mut cargo: Command = workspace::cargo(root);
        cargo.args(["mutants", "--list", "--json", "--diff", "--no-config"]);
        cargo.args(["--package", name, "--file"]);
        cargo.arg(format!("crates/homework/{name}/{file}"));
        let text = process::output_of(&mut cargo, LIST_TIME_MAX)
            .at("cargo install --locked cargo-mutants")?;
        // What follows the list is said of its last line, which has no end.
        let mut list = serde_json::Deserializer::from_str(&text);
        Vec::deserialize(&mut list).map_err(|err| err.to_string())
    }
}

fn is_unknown(result: &StageResult) -> bool {
    matches!(result.outcome, StageOutcome::Unknown(_))
}

/// How many of these are excused, and what is wrong with the others and with
/// the excuses.
fn judged(
    survivors: &BTreeSet<String>,
    excuses: &[Excused],
) -> (usize, Vec<String>) {
    let excused: BTreeSet<_> =
        excuses.iter().map(|it| it.mutant.clone()).collect();
    let stale = excused
        .difference(survivors)
        .map(|it| format!("no mutant survives that is excused as {it:?}"));
    let missed = survivors.difference(&excused);
    let missed = missed.map(|it| format!("no stage fails with {it:?}"));
    let number = survivors.intersection(&excused).count();
    (number, missed.chain(stale).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_named_by_its_change_and_not_by_its_place() {
        let mutant = Mutant {
            name: "crates/homework/a/src/b.rs:5:7: replace - with + in f"
                .into(),
            diff: "--- crates/homework/a/src/b.rs\n\
                +++ replace - with + in f\n\
                @@ -4,3 +4,3 @@\n fn f() {\n-    g(1 - 2)\n\
                +    g(1 + /* ~ changed by cargo-mutants ~ */ 2)\n }\n"
                .into(),
        };
        let name = "replace - with + in f: g(1 + 2)";
        assert_eq!(mutant.lasting_name(), name);
        let patch = mutant.patch("src/b.rs");
        assert!(patch.starts_with("--- a/src/b.rs\n+++ b/src/b.rs\n@@ -4"));
    }

    #[test]
    fn a_survivor_needs_an_excuse_and_an_excuse_a_survivor() {
        let excuse = |mutant: &str| {
            let (mutant, reason) = (mutant.into(), "It is the same.".into());
            Excused { mutant, reason }
        };
        let survivors = ["a".to_string(), "b".to_string()].into();
        let (number, findings) =
            judged(&survivors, &[excuse("b"), excuse("c")]);
        assert_eq!(number, 1);
        assert_eq!(
            findings,
            [
                "no stage fails with \"a\"",
                "no mutant survives that is excused as \"c\""
            ]
        );
    }
}
