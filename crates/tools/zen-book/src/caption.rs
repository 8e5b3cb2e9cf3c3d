//! A caption above each code block of a listing: its crate, its file, and a
//! link to that place in the whole file, which is copied beside the pages. A
//! numbered caption at each figure. And a line below the title of each page.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use mdbook_driver::MDBook;

/// The start of a listing's code block on a page.
const FENCE: &str = "```rust,ignore\n";

/// The folder with the copies, among the pages.
const FOLDER: &str = "source";

/// The start of a figure's caption, in the paragraph below the figure.
const FIGURE: &str = "\n\nFigure: ";

/// How many words of prose are read in a minute.
const WORDS_A_MINUTE: usize = 200;

/// Adds all that, and returns the files to link to, as paths relative to the
/// workspace.
pub(crate) fn add(book: &mut MDBook, with_answers: bool) -> BTreeSet<String> {
    let mut sources = BTreeSet::new();
    book.book.for_each_chapter_mut(|chapter| {
        let path = chapter.path.as_deref().unwrap_or(Path::new(""));
        let up = "../".repeat(path.iter().count().saturating_sub(1));
        let source = path.to_string_lossy().replace('\\', "/");
        let mut source = format!("book/src/{source}");
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
        let page = chapter.number.as_ref().map(ToString::to_string);
        let text = figures(&text, &page.unwrap_or_default());
        let (title, text) = text.split_once('\n').unwrap_or_default();
        // A page's source has its answers.
        if with_answers {
            sources.insert(source.clone());
            source = linked(&source, &up);
        }
        let about = about(text, &source);
        chapter.content = format!("{title}\n\n{about}\n{text}");
    });
    sources
}

/// The line below a page's title: how long it takes to read, and its source.
fn about(text: &str, source: &str) -> String {
    let prose = text.split("```").step_by(2).flat_map(str::split_whitespace);
    let words = prose.filter(|it| it.contains(char::is_alphabetic)).count();
    let minutes = words.div_ceil(WORDS_A_MINUTE);
    format!(
        "<p class=\"about\">{minutes} min to read, without the code. Source: \
         {source}</p>\n"
    )
}

fn linked(source: &str, up: &str) -> String {
    format!("<a href=\"{up}{FOLDER}/{source}.html\">{source}</a>")
}

/// Numbers the figures: `page` is the number of the page, such as `5.`. A
/// picture with tables below it has its caption above.
fn figures(text: &str, page: &str) -> String {
    let mut pieces = text.split(FIGURE);
    let mut text = pieces.next().unwrap_or_default().to_string();
    for (index, piece) in pieces.enumerate() {
        let start = text.rfind("\n\n").map_or(0, |it| it + 2);
        let picture = text.split_off(start);
        let (caption, rest) = piece.split_once("\n\n").unwrap_or((piece, ""));
        let caption = format!(
            "<figcaption>\n\n**Figure {page}{}.** {caption}\n\n</figcaption>",
            index + 1
        );
        let (first, second) = match picture.ends_with(".html}}") {
            true => (caption, picture),
            false => (picture, caption),
        };
        text +=
            &format!("<figure>\n\n{first}\n\n{second}\n\n</figure>\n\n{rest}");
    }
    text
}

/// The file that a block includes first, and the anchor in it.
fn included(block: &str) -> Option<(&str, &str)> {
    let (argument, _) = block.strip_prefix("{{#include ")?.split_once("}}")?;
    let (path, anchor) = argument.trim().split_once(':')?;
    Some((path.trim_start_matches("../"), anchor))
}

fn caption(path: &str, anchor: &str, up: &str) -> String {
    let (of, file) = path.split_once("/src/").unwrap_or_default();
    let name = of.rsplit('/').next().unwrap_or_default();
    format!(
        "<p class=\"source\">{name}, \
         <a href=\"{up}{FOLDER}/{path}.html#{anchor}\">src/{file}</a></p>\n\n"
    )
}

pub(crate) fn copy(
    sources: &BTreeSet<String>,
    root: &Path,
    html: &Path,
) -> Result<()> {
    for path in sources {
        let text = fs::read_to_string(root.join(path))
            .with_context(|| path.clone())?;
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
         pre {{ overflow-x: auto }}</style>\n<main><h1>{path}</h1>\n\
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
        let link = "../source/crates/since/zen-x/src/a/b.rs.html#run";
        assert!(caption.contains(&format!("zen-x, <a href=\"{link}\">")));
        assert_eq!(included("fn main() {}\n"), None);
        let text = "// ANCHOR: run\nif a < b {}\n// ANCHOR_END: run\n";
        let page = page(path, text);
        assert!(page.contains("<a id=\"run\"></a>if a &lt; b {}\n</pre>"));
    }

    #[test]
    fn a_figure_has_a_number_and_its_caption() {
        let text = "w\n\na.svg}}\n\nFigure: A. See\nit.\n\nx\n\nb.html}}\n\n\
                    Figure: B.\n";
        let text = figures(text, "5.");
        let order = [
            "w\n\n<figure>\n\na.svg}}\n",
            "\n\n**Figure 5.1.** A. See\nit.\n\n</figcaption>",
            "</figure>\n\nx\n\n<figure>",
            "**Figure 5.2.** B.",
            "b.html}}\n\n</figure>",
        ];
        let places = order.map(|it| text.find(it).expect(it));
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn a_page_says_how_long_it_takes_to_read() {
        let text = format!("{}```\n{0}```\n", "a word, ".repeat(101));
        let about = about(&text, &linked("book/src/a/b.md", "../"));
        assert!(about.contains(">2 min to read"), "{about}");
        assert!(about.contains("href=\"../source/book/src/a/b.md.html\""));
    }
}
