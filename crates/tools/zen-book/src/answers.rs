//! The answers to the exercises, collected on a page of the printed book. On
//! the screen each is folded beneath its exercise.

use mdbook_driver::MDBook;

/// The start of an answer on a page, and the end of a folded part.
const START: &str = "<details class=\"answer\"><summary>Answer</summary>\n\n";
const END: &str = "\n\n</details>\n";

/// The page that collects them, and the place on it.
const PAGE: &str = "answers.md";
const PLACE: &str = "<!-- answers -->";

/// Copies all answers to their page, or removes them from the book.
pub(crate) fn collect(book: &mut MDBook, keep: bool) {
    let mut all = String::new();
    book.book.for_each_chapter_mut(|chapter| {
        let path = chapter.path.clone().unwrap_or_default();
        let page = path.to_string_lossy();
        let mut title = format!("\n\n## {}\n", chapter.name);
        let mut without = String::new();
        for (index, piece) in chapter.content.split(START).enumerate() {
            let rest = piece.split_once(END).filter(|_| index > 0);
            let Some((answer, rest)) = rest else {
                without += piece;
                continue;
            };
            // The exercises of a page are numbered from 1, in their order.
            let answer = answer.replace("](#", &format!("]({page}#"));
            all += &std::mem::take(&mut title);
            all += &format!("\n**{index}.** {answer}\n");
            without += rest;
        }
        if !keep {
            chapter.content = without;
        }
    });
    let all = if keep { all.as_str() } else { "" };
    book.book.for_each_chapter_mut(|chapter| {
        if chapter.path.as_ref().is_some_and(|it| it.ends_with(PAGE)) {
            chapter.content = chapter.content.replace(PLACE, all);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> MDBook {
        MDBook::load(crate::html::book()).unwrap()
    }

    fn content(book: &MDBook) -> String {
        let chapters = book.book.iter().filter_map(|item| match item {
            mdbook_driver::book::BookItem::Chapter(it) => Some(&*it.content),
            _ => None,
        });
        chapters.collect()
    }

    #[test]
    fn every_answer_is_copied_or_removed() {
        let mut whole = book();
        let answers = content(&whole).matches(START).count();
        assert!(answers > 50);
        collect(&mut whole, true);
        let text = content(&whole);
        assert_eq!(text.matches(START).count(), answers);
        let (_, page) = text.split_once("# Answers\n").unwrap();
        let page = page.split("\n# ").next().unwrap();
        assert_eq!(page.matches("\n**").count(), answers);
        let mut without = book();
        collect(&mut without, false);
        let text = content(&without);
        assert!(!text.contains(START) && !text.contains(PLACE));
        assert!(text.contains("<summary>Hint</summary>"));
    }
}
