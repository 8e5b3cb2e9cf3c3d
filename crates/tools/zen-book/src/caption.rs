//! A caption above each code block of a listing: its crate, its file, and a
//! link to that place in the whole file, which is copied beside the pages.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use mdbook_driver::MDBook;

/// The start of a listing's code block on a page.
const FENCE: &str = "```rust,ignore\n";

/// The folder with the copies, among the pages.
const FOLDER: &str = "source";

/// Adds the captions, and returns the files that they link to, as paths
/// relative to the crates' folder.
pub(crate) fn add(book: &mut MDBook) -> BTreeSet<String> {
    let mut sources = BTreeSet::new();
    book.book.for_each_chapter_mut(|chapter| {
        let depth = chapter.path.iter().flat_map(|it| it.iter()).count();
        let up = "../".repeat(depth.saturating_sub(1));
        let mut text = String::new();
        for (index, piece) in chapter.content.split(FENCE).enumerate() {
            if index > 0 {
                if let Some((path, anchor)) = included(piece) {
                    text += &caption(path, anchor, &up);
                    sources.insert(path.into());
                }
                text += FENCE;
            }
            text += piece;
        }
        chapter.content = text;
    });
    sources
}

/// The file that a block includes first, and the anchor in it.
fn included(block: &str) -> Option<(&str, &str)> {
    let (argument, _) = block.strip_prefix("{{#include ")?.split_once("}}")?;
    let (path, anchor) = argument.trim().split_once(':')?;
    let (_, path) = path.split_once("../crates/")?;
    Some((path, anchor))
}

fn caption(path: &str, anchor: &str, up: &str) -> String {
    let (of, file) = path.split_once("/src/").unwrap_or_default();
    let name = of.rsplit('/').next().unwrap_or_default();
    format!(
        "<p class=\"source\">{name}, \
         <a href=\"{up}{FOLDER}/{path}.html#{anchor}\">src/{file}</a></p>\n\n"
    )
}

/// Copies the files to which captions link.
pub(crate) fn copy(
    sources: &BTreeSet<String>,
    crates: &Path,
    html: &Path,
) -> Result<()> {
    for path in sources {
        let text = fs::read_to_string(crates.join(path))
            .with_context(|| format!("crates/{path}"))?;
        let to = html.join(FOLDER).join(format!("{path}.html"));
        fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
        fs::write(to, page(path, &text))?;
    }
    Ok(())
}

/// A page with a whole file, and a link target at each of its anchors.
fn page(path: &str, text: &str) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        if let Some((_, anchor)) = line.split_once("// ANCHOR: ") {
            lines += &format!("<a id=\"{anchor}\"></a>");
        } else if !line.contains("// ANCHOR_END: ") {
            let line = line.replace('&', "&amp;").replace('<', "&lt;");
            lines += &format!("{line}\n");
        }
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <link rel=\"icon\" href=\"data:,\">\
         <title>{path}</title>\n<style>h1 {{ overflow-wrap: anywhere }} \
         pre {{ overflow-x: auto }}</style>\n<main><h1>crates/{path}</h1>\n\
         <pre tabindex=\"0\">\n{lines}</pre></main>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_leads_to_the_anchor_in_the_copy() {
        let block = "{{#include ../../crates/since/zen-x/src/a/b.rs:run}}\n";
        let (path, anchor) = included(block).unwrap();
        let caption = caption(path, anchor, "../");
        let link = "../source/since/zen-x/src/a/b.rs.html#run";
        assert!(caption.contains(&format!("zen-x, <a href=\"{link}\">")));
        assert_eq!(included("fn main() {}\n"), None);
        let text = "// ANCHOR: run\nif a < b {}\n// ANCHOR_END: run\n";
        let page = page(path, text);
        assert!(page.contains("<a id=\"run\"></a>if a &lt; b {}\n</pre>"));
    }
}
