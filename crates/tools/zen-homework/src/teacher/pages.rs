//! What a student reads in a handout: the book's page about the assignment, the
//! contract, and what the checker tries.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use regex::{Captures, Regex};

use super::markers;
use super::source::Files;
use crate::assignment::Assignment;
use crate::at::At;
use crate::project::Project;

/// The contract's place in a handout, and in the book.
const CONTRACT: (&str, &str) = ("CONTRACT.md", "contract.md");

/// The pages for these assignments. An assignment that has no page in the book
/// gets the rest.
pub(crate) fn pages(
    project: &Project,
    assignments: &[Assignment],
) -> Result<Files, String> {
    let book = project.root.join("book/src");
    let mut files = Vec::new();
    if let Some(text) = read(&book.join(CONTRACT.1))? {
        files.push((CONTRACT.0.into(), alone(&text, "")?.into_bytes()));
    }
    for assignment in assignments {
        let name = &assignment.name;
        let page = book.join("homework").join(format!("{name}.md"));
        let mut text = match read(&page)? {
            Some(text) => alone(&included(&text, &page)?, "../")?,
            None => format!("# {name}: {}\n", assignment.title),
        };
        text += &hand_in(assignment);
        text += &tried(assignment)?;
        files.push((Path::new(name).join("README.md"), text.into_bytes()));
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Option<String>, String> {
    match path.is_file() {
        true => fs::read_to_string(path).map(Some).at(path),
        false => Ok(None),
    }
}

/// A page with the files that its lines `{{#include FILE}}` name, as students
/// get them.
fn included(text: &str, page: &Path) -> Result<String, String> {
    let mut whole = String::new();
    for line in text.lines() {
        let file = line.strip_prefix("{{#include ");
        match file.and_then(|it| it.strip_suffix("}}")) {
            Some(file) => {
                let text = read(&page.with_file_name(file))?;
                let text = text.ok_or(format!("{file} does not exist"))?;
                whole += &markers::starter(&text)?.0;
            }
            None => whole += &format!("{line}\n"),
        }
    }
    Ok(whole)
}

/// A page without its links to pages that are not in a handout. `up` leads
/// from the page to the handout's folder.
fn alone(text: &str, up: &str) -> Result<String, String> {
    let link = Regex::new(r"\[([^\[]*?)\]\(([^)#]*)(#[^)]*)?\)");
    let link = link.map_err(|err| err.to_string())?;
    let text = link.replace_all(text, |found: &Captures<'_>| {
        let (words, page) = (&found[1], &found[2]);
        let anchor = found.get(3).map_or("", |it| it.as_str());
        match page {
            "" => found[0].into(),
            _ if page.contains("://") => found[0].into(),
            _ if page.ends_with(CONTRACT.1) => {
                format!("[{words}]({up}{}{anchor})", CONTRACT.0)
            }
            _ => words.to_string(),
        }
    });
    Ok(text.into_owned())
}

/// What a student hands in, and where it can be checked.
fn hand_in(assignment: &Assignment) -> String {
    let name = &assignment.name;
    let files = assignment.files.iter();
    let files: String = files.map(|it| format!("- `{name}/{it}`\n")).collect();
    format!(
        "\n## Hand in\n\n{files}\n\
        Hand in the folder `{name}` with these in it, as it is or as a zip. \
        Everything else in it\nis ignored. `cargo homework check {name}` says \
        what they are worth. It works on {}.\n",
        assignment.systems()
    )
}

/// The cases of each stage.
fn tried(assignment: &Assignment) -> Result<String, String> {
    let mut text = String::from(
        "\n## What the checker tries\n\nEach line is a case. The names are \
        those of clauses of the contract, or of files in `cases`.\n",
    );
    for stage in &assignment.stages {
        let (name, points) = (&stage.name, stage.points);
        write!(text, "\n`{name}`, {points} points:\n\n").ok();
        let contracts = zen_check::list(assignment.profile, &stage.cases);
        let contracts = contracts.map(|it| (it.0, it.1));
        let own = assignment
            .own_cases
            .iter()
            .filter(|own| stage.cases.iter().any(|word| own.is_called(word)));
        let own = own.map(|own| (own.clause(), own.sentence()));
        for (clause, sentence) in contracts.chain(own) {
            writeln!(text, "- {clause}: {sentence}").ok();
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::alone;

    #[test]
    fn keeps_only_the_links_that_open() {
        let text = "See [the page](../poll.md#idea), [limit/4](../contract.md#\
            limit-4), [all](../contract.md), [Rust](https://rust-lang.org) \
            and [below](#below).";
        let alone = alone(text, "../").unwrap();
        assert_eq!(
            alone,
            "See the page, [limit/4](../CONTRACT.md#limit-4), \
            [all](../CONTRACT.md), [Rust](https://rust-lang.org) and \
            [below](#below)."
        );
    }
}
