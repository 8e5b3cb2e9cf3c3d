//! Builds the pages as HTML, with mdBook.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;

use crate::{answers, caption};

/// The folder of the book.
pub(crate) fn book() -> PathBuf {
    zen_harness::folder!().join("../../../book")
}

/// Builds the book, and returns the folder with its pages.
pub(crate) fn build(with_answers: bool) -> Result<PathBuf> {
    let crates = book().join("../crates");
    let mut book = MDBook::load(book())?;
    answers::collect(&mut book, with_answers);
    let sources = caption::add(&mut book);
    let html = book.build_dir_for("html");
    book.build()?;
    let html = html.canonicalize()?;
    caption::copy(&sources, &crates, &html)?;
    let mut leftovers = Vec::new();
    find_leftovers(&html, &mut leftovers)?;
    if !leftovers.is_empty() {
        bail!("directives left in the pages:\n{}", leftovers.join("\n"));
    }
    Ok(html)
}

/// If mdBook cannot follow a directive, it leaves it in the page, logs that,
/// and still succeeds. So its output is searched for directives.
fn find_leftovers(folder: &Path, leftovers: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_leftovers(&path, leftovers)?;
        } else if path.extension().is_some_and(|end| end == "html") {
            let page = fs::read_to_string(&path)
                .with_context(|| path.display().to_string())?;
            leftovers.extend(
                page.lines()
                    .filter(|line| line.contains("{{#"))
                    .map(|line| format!("{}: {line}", path.display())),
            );
        }
    }
    Ok(())
}
