//! The exercises of the book: their difficulty, minutes, hint and answer, and
//! the claims that `scripts/exercises` checks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::book::pages;
use crate::tidy::{files, none, read, root, shown};

/// The pages of a listing have at least this many that a program checks.
const CHECKED_MIN: usize = 2;

const HINT: &str = "<details><summary>Hint</summary>\n\n";
const ANSWER: &str = "<details class=\"answer\"><summary>Answer</summary>\n\n";
const END: &str = "\n\n</details>\n";

struct Exercise {
    number: usize,
    stars: usize,
    text: String,
    answer: String,
}

/// Reads `<a id="exercise-1"></a>**1.** ★ 10 minutes. Text`, a hint and an
/// answer; what is wrong otherwise.
fn exercise(text: &str) -> Result<Exercise, String> {
    let parts = || {
        let (number, rest) = text.split_once("\"></a>**")?;
        let rest = rest.strip_prefix(number)?.strip_prefix(".** ")?;
        let (stars, rest) = rest.split_once(' ')?;
        let (minutes, rest) = rest.split_once(" minutes. ")?;
        minutes.parse::<u32>().ok()?;
        Some((number.parse().ok()?, stars, rest))
    };
    let (number, stars, rest) =
        parts().ok_or("expected a number, stars and minutes")?;
    if !["★", "★★", "★★★"].contains(&stars) {
        return Err(format!("{stars} are not one to three stars"));
    }
    let (text, rest) = rest.split_once(HINT).ok_or("it has no hint")?;
    let (hint, rest) = rest.split_once(END).ok_or("the hint has no end")?;
    let answer = rest.strip_prefix(ANSWER).ok_or("it has no answer")?;
    let (answer, _) = answer.split_once(END).ok_or("the answer has no end")?;
    if hint.trim().is_empty() || answer.trim().is_empty() {
        return Err("an empty hint or answer".into());
    }
    let stars = stars.chars().count();
    let (text, answer) = (text.to_string(), answer.to_string());
    Ok(Exercise { number, stars, text, answer })
}

/// The exercises under the heading of a page, if it has one.
fn part(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("\n## Exercises\n")?;
    rest.split("\n## ").next()
}

fn all(part: &str) -> Vec<Result<Exercise, String>> {
    part.split("<a id=\"exercise-").skip(1).map(exercise).collect()
}

fn solution(page: &Path, number: usize, end: &str) -> PathBuf {
    let page = page.file_stem().unwrap_or_default();
    let folder = root().join("book/solutions").join(page);
    folder.join(format!("{number}.{end}"))
}

#[test]
fn every_exercise_has_its_difficulty_a_hint_and_an_answer() {
    let mut findings = Vec::new();
    for (path, page) in pages() {
        let Some(part) = part(&page.text) else { continue };
        let page = shown(&path);
        if part.trim_start().starts_with("1. ") {
            findings.push(format!("{page}: exercises in a list"));
        }
        let mut stars = 0;
        for (index, exercise) in all(part).into_iter().enumerate() {
            let number = index + 1;
            match exercise {
                Err(why) => findings.push(format!("{page}: {number}: {why}")),
                Ok(it) if it.number != number => {
                    findings.push(format!("{page}: {} as {number}", it.number));
                }
                Ok(it) if it.stars < stars => {
                    findings.push(format!("{page}: {number} is easier"));
                }
                Ok(it) => stars = it.stars,
            }
        }
        if stars == 0 {
            findings.push(format!("{page}: no exercise"));
        }
    }
    none(&findings);
}

#[test]
fn an_exercise_and_its_solution_name_each_other() {
    let mut findings = Vec::new();
    let mut known = BTreeSet::new();
    for (path, page) in pages() {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut checked = 0;
        let exercises = part(&page.text).map(all).unwrap_or_default();
        for Exercise { number, text, answer, .. } in
            exercises.into_iter().flatten()
        {
            let [claims, patch] =
                ["toml", "patch"].map(|end| solution(&path, number, end));
            let at = format!("{} {number}", shown(&path));
            let command = format!("`cargo homework exercise {name} {number}`");
            let is_checked =
                claims.is_file() && read(&claims).starts_with("files = ");
            checked += usize::from(is_checked);
            if text.contains(&command) != is_checked {
                findings.push(format!("{at}: is it checked by {command}?"));
            }
            if answer.contains(&format!("`{}`", shown(&patch)))
                != patch.is_file()
            {
                findings.push(format!("{at}: {}?", shown(&patch)));
            }
            known.extend([claims, patch]);
        }
        let is_listing = page.text.contains("\n## The listing\n");
        if is_listing && checked < CHECKED_MIN {
            findings.push(format!("{}: {checked} checked", shown(&path)));
        }
    }
    for file in files(&root().join("book/solutions"), "") {
        let claims = file.with_extension("toml");
        if !known.contains(&file) || !claims.is_file() {
            findings.push(format!("{}: of no exercise", shown(&file)));
        }
    }
    none(&findings);
}

#[test]
fn an_exercise_without_an_answer_is_found() {
    let whole = format!(
        "1\"></a>**1.** ★★ 20 minutes. Why?\n\n{HINT}Look.{END}{ANSWER}So.{END}"
    );
    let it = exercise(&whole).unwrap();
    assert_eq!((it.number, it.stars, &*it.answer), (1, 2, "So."));
    for (old, new, why) in [
        ("★★", "hard", "not one to three stars"),
        ("20 minutes", "an hour", "expected a number, stars and minutes"),
        ("**1.**", "**2.**", "expected a number, stars and minutes"),
        (HINT, "", "no hint"),
        (ANSWER, "", "no answer"),
        ("So.", "", "empty"),
    ] {
        let found = exercise(&whole.replacen(old, new, 1)).err();
        assert!(found.as_ref().is_some_and(|it| it.contains(why)), "{found:?}");
    }
}
