//! Builds the pages as HTML, with mdBook.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;

use crate::{answers, caption};

/// What is changed in a page outside its text: the title of the book is no
/// heading, there is a link past the contents, and more landmarks. mdBook
/// itself would need a whole template for that.
const CHANGES: [[&str; 2]; 5] = [
    ["<h1 class=\"menu-title\"", "<p class=\"menu-title\""],
    ["</h1>", "</p>"],
    ["class=\"menu-bar sticky\"", "class=\"menu-bar sticky\" role=\"banner\""],
    ["<main>", "<main id=\"page\" tabindex=\"-1\">"],
    ["<body>", "<body>\n<a class=\"skip\" href=\"#page\">Skip to content</a>"],
];

pub(crate) fn book() -> PathBuf {
    zen_harness::folder!().join("../../../book")
}

/// Builds the book, and returns the folder with its pages.
pub(crate) fn build(with_answers: bool) -> Result<PathBuf> {
    let root = book().join("..");
    let mut book = MDBook::load(book())?;
    answers::collect(&mut book, with_answers);
    let sources = caption::add(&mut book, with_answers);
    let html = book.build_dir_for("html");
    book.build()?;
    let html = html.canonicalize()?;
    let mut leftovers = Vec::new();
    finish(&html, &mut leftovers)?;
    caption::copy(&sources, &root, &html)?;
    if !leftovers.is_empty() {
        bail!("directives left in the pages:\n{}", leftovers.join("\n"));
    }
    Ok(html)
}

/// Changes the pages. And if mdBook cannot follow a directive, it leaves it in
/// the page, logs that, and still succeeds: so they are searched for those.
fn finish(folder: &Path, leftovers: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            finish(&path, leftovers)?;
        } else if path.extension().is_some_and(|end| end == "html") {
            let page = fs::read_to_string(&path)
                .with_context(|| path.display().to_string())?;
            leftovers.extend(
                page.lines()
                    .filter(|line| line.contains("{{#"))
                    .map(|line| format!("{}: {line}", path.display())),
            );
            // Not in toc.html, and not in pictures that are pages.
            if page.contains(CHANGES[0][0]) {
                let change = |page: String, [from, to]: [&str; 2]| {
                    page.replacen(from, to, 1)
                };
                fs::write(&path, CHANGES.into_iter().fold(page, change))?;
            }
        }
    }
    Ok(())
}
