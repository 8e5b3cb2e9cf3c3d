//! The book held to its rules: nothing on a page is typed code, and whatever a
//! page includes or links to is there. mdBook says nothing of a missing anchor
//! (the block is empty) or of a dead link.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::tidy::{files, none, read, root, shown};

/// What a block may be. Anything else would be a program, typed on the page.
const FENCES: [&str; 4] = ["rust,ignore", "text", "sh", "console"];

pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) lines: Vec<Line>,
    /// The page with spaces in place of everything that is code.
    pub(crate) prose: String,
}

/// A line of a page; of a block of code the opening one, and what is in it.
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, PartialEq)]
pub(crate) enum Kind {
    Prose,
    /// What it says after the backticks.
    Opens(String),
    /// A line of such a block.
    Code(String),
    Closes,
}

impl Page {
    fn new(path: PathBuf, text: String) -> Self {
        let lines = lines(&text);
        let prose = lines.iter().fold(String::new(), |prose, line| {
            let is_prose = line.kind == Kind::Prose;
            prose + if is_prose { &line.text } else { "" } + "\n"
        });
        let prose = without_code_spans(&prose);
        Self { path, text, lines, prose }
    }

    pub(crate) fn at(&self, number: usize) -> String {
        format!("{}:{number}", shown(&self.path))
    }

    /// The file to which a relative path on this page leads.
    fn follow(&self, path: &str) -> PathBuf {
        let mut file = self.path.clone();
        file.pop();
        for component in Path::new(path).components() {
            match component {
                Component::ParentDir => _ = file.pop(),
                other => file.push(other),
            }
        }
        file
    }
}

pub(crate) fn source() -> PathBuf {
    root().join("book/src")
}

pub(crate) fn pages() -> BTreeMap<PathBuf, Page> {
    files(&source(), ".md")
        .into_iter()
        .map(|path| (path.clone(), Page::new(path.clone(), read(&path))))
        .collect()
}

fn lines(text: &str) -> Vec<Line> {
    let mut fence: Option<(&str, &str)> = None;
    let mut lines = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let bare = text.trim_start();
        let ticks = bare.len() - bare.trim_start_matches('`').len();
        let kind = match fence {
            None if ticks >= 3 => {
                fence = Some(bare.split_at(ticks));
                Kind::Opens(bare[ticks..].trim().to_string())
            }
            None => Kind::Prose,
            Some((opening, _))
                if ticks >= opening.len() && bare[ticks..].trim() == "" =>
            {
                fence = None;
                Kind::Closes
            }
            Some((_, info)) => Kind::Code(info.trim().to_string()),
        };
        lines.push(Line { number: index + 1, text: text.to_string(), kind });
    }
    lines
}

/// Blanks what stands between two runs of equally many backticks, in one
/// paragraph.
fn without_code_spans(text: &str) -> String {
    let mut prose = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        let (before, code) = rest.split_at(start);
        prose += before;
        let ticks = code.len() - code.trim_start_matches('`').len();
        let (fence, code) = code.split_at(ticks);
        let end = code.find("\n\n").unwrap_or(code.len());
        let closing = code[..end].match_indices('`').find(|(at, _)| {
            let run = &code[*at..];
            let run = run.len() - run.trim_start_matches('`').len();
            run == ticks && !code[..*at].ends_with('`')
        });
        rest = match closing {
            Some((at, _)) => {
                prose.extend(code[..at].chars().map(|c| match c {
                    '\n' => '\n',
                    _ => ' ',
                }));
                &code[at + ticks..]
            }
            None => {
                prose += fence;
                code
            }
        };
    }
    prose + rest
}

/// The arguments of `{{#include ...}}` on a line, and the names of directives
/// that are not wanted.
fn directives(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.match_indices("{{#")
        .filter(|(at, _)| !line[..*at].ends_with('\\'))
        .map(|(at, _)| {
            let inner = line[at + 3..].split("}}").next().unwrap_or_default();
            inner.trim().split_once(' ').unwrap_or((inner, ""))
        })
}

/// What is between `ANCHOR: name` and `ANCHOR_END: name`, as mdBook sees it.
fn anchored(text: &str, anchor: &str) -> Result<String, String> {
    let mut anchored = None;
    for line in text.lines() {
        match (anchor_of(line), &mut anchored) {
            (Some((true, name)), None) if name == anchor => {
                anchored = Some(String::new());
            }
            (Some((false, name)), Some(lines)) if name == anchor => {
                return match lines.trim() {
                    "" => Err(format!("nothing is in anchor `{anchor}`")),
                    _ => Ok(lines.clone()),
                };
            }
            (None, Some(lines)) => *lines += &format!("{line}\n"),
            _ => {}
        }
    }
    Err(match anchored {
        Some(_) => format!("no `ANCHOR_END: {anchor}`"),
        None => format!("no `ANCHOR: {anchor}`"),
    })
}

/// Whether an anchor begins or ends on this line, and which.
fn anchor_of(line: &str) -> Option<(bool, &str)> {
    let (_, rest) = line.split_once("ANCHOR")?;
    let (begins, rest) = match rest.strip_prefix("_END:") {
        Some(rest) => (false, rest),
        None => (true, rest.strip_prefix(':')?),
    };
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let name = rest.trim_start();
    let end = name.find(|c| !is_part(c)).unwrap_or(name.len());
    (end > 0).then(|| (begins, &name[..end]))
}

/// What is wrong with the argument of an include.
fn check_include(page: &Page, argument: &str) -> Result<(), String> {
    let (path, anchor) = match argument.trim().split_once(':') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (argument.trim(), None),
    };
    let file = page.follow(path);
    if !file.is_file() {
        return Err(format!("there is no file {path}"));
    }
    match anchor {
        Some(lines) if !lines.starts_with(char::is_alphabetic) => {
            Err(format!("`{lines}`: by a named anchor, not by line numbers"))
        }
        Some(anchor) => anchored(&read(&file), anchor).map(|_| ()),
        None if path.ends_with(".rs") => Err("which anchor?".into()),
        None => Ok(()),
    }
    .map_err(|why| format!("{path}: {why}"))
}

/// The ids to which a link to this page can lead.
pub(crate) fn ids(page: &Page) -> Result<BTreeSet<String>, String> {
    let mut explicit: Vec<String> = ["id=\"", "name=\""]
        .iter()
        .flat_map(|attribute| page.prose.split(attribute).skip(1))
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_string()))
        .collect();
    let mut generated = BTreeSet::new();
    for line in page.lines.iter().filter(|line| line.kind == Kind::Prose) {
        let level = line.text.len() - line.text.trim_start_matches('#').len();
        let Some(title) = line.text[level..].strip_prefix(' ') else {
            continue;
        };
        if !(1..=6).contains(&level) {
            continue;
        }
        if let Some(id) = id_attribute(title) {
            explicit.push(id.to_string());
            continue;
        }
        // As mdBook makes ids unique: -1, -2 ...
        let id = id_of(title);
        let mut candidates = (1..).map(|n| format!("{id}-{n}"));
        let mut candidate = id.clone();
        while !generated.insert(candidate) {
            candidate = candidates.next().expect("numbers do not end");
        }
    }
    for id in explicit {
        if !generated.insert(id.clone()) {
            return Err(format!("two headings or anchors are `{id}`"));
        }
    }
    Ok(generated)
}

/// Whether that page has such an id. A page with two of the same name is
/// complained of by itself.
fn has_id(
    pages: &BTreeMap<PathBuf, Page>,
    page: &Path,
    id: Option<&str>,
) -> bool {
    match (pages.get(page).map(ids), id) {
        (Some(Ok(ids)), Some(id)) => ids.contains(id),
        _ => true,
    }
}

/// The id in `# Heading {#id}`.
fn id_attribute(title: &str) -> Option<&str> {
    let (_, attributes) = title.trim().strip_suffix('}')?.rsplit_once('{')?;
    attributes.split_whitespace().find_map(|word| word.strip_prefix('#'))
}

/// As mdBook makes an id from what a reader sees of a heading.
fn id_of(title: &str) -> String {
    let mut seen = String::new();
    for (index, part) in title.trim().split('`').enumerate() {
        if index % 2 == 1 {
            seen += part;
            continue;
        }
        // Not in code: tags, and where links lead, are not seen.
        let mut hidden = None;
        let mut before = ' ';
        for c in part.chars() {
            match (hidden, c) {
                (None, '<') => hidden = Some('>'),
                (None, '(') if before == ']' => hidden = Some(')'),
                (None, _) => seen.push(c),
                (Some(end), _) if c == end => hidden = None,
                (Some(_), _) => {}
            }
            before = c;
        }
    }
    seen.trim()
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            '_' | '-' => Some(c),
            c if c.is_alphanumeric() => Some(c),
            c if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

/// Where the links and images of a page lead, and in which line they stand.
pub(crate) fn links(page: &Page) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (index, line) in page.prose.lines().enumerate() {
        let inline = line.split("](").skip(1).map(|it| it.trim_matches('<'));
        let html = ["href=\"", "src=\""]
            .into_iter()
            .flat_map(|attribute| line.split(attribute).skip(1));
        let definition = line
            .strip_prefix('[')
            .filter(|rest| !rest.starts_with('^'))
            .and_then(|rest| Some(rest.split_once("]: ")?.1));
        links.extend(inline.chain(html).chain(definition).map(|rest| {
            let end = rest.find([')', '"', ' ', '>']).unwrap_or(rest.len());
            (index + 1, &rest[..end])
        }));
    }
    links
}

/// The file and the id to which a link of this page leads; nothing if that is
/// not in the book.
pub(crate) fn target<'a>(
    page: &Page,
    link: &'a str,
) -> Option<(PathBuf, Option<&'a str>)> {
    if ["http://", "https://", "mailto:"].iter().any(|it| link.starts_with(it))
    {
        return None;
    }
    let (path, id) = match link.split_once('#') {
        Some((path, id)) => (path, Some(id)),
        None => (link, None),
    };
    let file = match path {
        "" => page.path.clone(),
        _ => page.follow(path),
    };
    Some((file, id))
}

#[test]
fn every_include_names_a_file_and_an_anchor_with_something_in_it() {
    let mut findings = Vec::new();
    for page in pages().values() {
        for (number, line) in page.text.lines().enumerate() {
            for (name, argument) in directives(line) {
                let at = page.at(number + 1);
                match name {
                    "include" => {
                        let result = check_include(page, argument);
                        findings.extend(
                            result.err().map(|why| {
                                format!("{at}: cannot include {why}")
                            }),
                        );
                    }
                    _ => findings.push(format!(
                        "{at}: `{{{{#{name}` is not used in this book"
                    )),
                }
            }
        }
    }
    none(&findings);
}

#[test]
fn no_program_is_typed_on_a_page() {
    let mut findings = Vec::new();
    for page in pages().values() {
        for line in &page.lines {
            let at = page.at(line.number);
            match &line.kind {
                Kind::Opens(info) if !FENCES.contains(&&**info) => {
                    findings.push(format!(
                        "{at}: ```{info} is none of {}",
                        FENCES.join(", ")
                    ));
                }
                Kind::Code(info) if info.starts_with("rust") => {
                    let text = line.text.trim();
                    let included = text.starts_with("{{#include ")
                        && text.find("}}") == Some(text.len() - 2);
                    if !included && !text.is_empty() {
                        findings.push(format!("{at}: typed code: {text}"));
                    }
                }
                _ => {}
            }
        }
        let last = page.lines.iter().rfind(|line| line.kind != Kind::Prose);
        if let Some(line) = last.filter(|line| line.kind != Kind::Closes) {
            let at = page.at(line.number);
            findings.push(format!("{at}: this block is never closed"));
        }
    }
    none(&findings);
}

#[test]
fn every_link_leads_to_something_in_the_book() {
    let mut findings = Vec::new();
    let pages = pages();
    for page in pages.values() {
        for (number, link) in links(page) {
            let Some((file, id)) = target(page, link) else { continue };
            let why = if !file.starts_with(source()) {
                "is not in book/src, and so not in the book"
            } else if !file.is_file() {
                "leads nowhere"
            } else if !has_id(&pages, &file, id) {
                "leads to that page, but no heading or anchor is called so"
            } else {
                continue;
            };
            findings.push(format!("{}: `{link}` {why}", page.at(number)));
        }
        let twice = ids(page).err();
        findings
            .extend(twice.map(|why| format!("{}: {why}", shown(&page.path))));
    }
    none(&findings);
}

#[test]
fn every_link_of_the_readme_leads_to_a_file() {
    let mut findings = Vec::new();
    for name in ["README.md", "CHANGELOG.md", ".github/CONTRIBUTING.md"] {
        let path = root().join(name);
        let page = Page::new(path.clone(), read(&path));
        for (number, link) in links(&page) {
            if target(&page, link).is_some_and(|(file, _)| !file.exists()) {
                let at = page.at(number);
                findings.push(format!("{at}: `{link}` leads nowhere"));
            }
        }
    }
    none(&findings);
}

#[test]
fn every_page_is_in_the_summary_once() {
    let pages = pages();
    let summary = &pages[&source().join("SUMMARY.md")];
    let listed: Vec<_> = links(summary)
        .into_iter()
        .filter_map(|(_, link)| Some(target(summary, link)?.0))
        .collect();
    let mut findings = Vec::new();
    for path in pages.keys().filter(|path| **path != summary.path) {
        let times = listed.iter().filter(|it| *it == path).count();
        if times != 1 {
            let path = shown(path);
            findings.push(format!("{path}: {times} times in SUMMARY.md"));
        }
    }
    none(&findings);
}

#[test]
fn every_anchor_that_begins_ends_once() {
    let mut findings = Vec::new();
    let own = Path::new(file!()).file_name().unwrap();
    for path in files(&root().join("crates"), ".rs") {
        if path.ends_with(own) {
            continue;
        }
        let (mut open, mut names) = (BTreeSet::new(), BTreeSet::new());
        let text = read(&path);
        for (index, line) in text.lines().enumerate() {
            // One that is no comment is about the anchors of other files.
            if !line.trim_start().starts_with("//") {
                continue;
            }
            let is_in_order = match anchor_of(line) {
                Some((true, name)) => names.insert(name) && open.insert(name),
                Some((false, name)) => open.remove(name),
                None => true,
            };
            if !is_in_order {
                let (path, line) = (shown(&path), line.trim());
                findings.push(format!("{path}:{}: stray {line}", index + 1));
            }
        }
        for name in open {
            let path = shown(&path);
            findings.push(format!("{path}: no `ANCHOR_END: {name}`"));
        }
    }
    none(&findings);
}

#[test]
fn every_clause_beyond_the_text_is_among_the_departures() {
    let pages = pages();
    let contract = &pages[&source().join("contract.md")];
    let departures = &pages[&source().join("departures.md")];
    let explained: BTreeSet<_> = links(departures)
        .into_iter()
        .filter_map(|(_, link)| link.strip_prefix("contract.md#"))
        .collect();
    let findings: Vec<_> = contract
        .prose
        .split("\n\n")
        .filter(|paragraph| paragraph.contains("(beyond"))
        .flat_map(|paragraph| paragraph.split("<a id=\"").skip(1))
        .filter_map(|rest| Some(rest.split_once('"')?.0))
        .filter(|id| !explained.contains(id))
        .map(|id| format!("book/src/departures.md: no reason for {id}"))
        .collect();
    none(&findings);
}

#[test]
fn headings_get_the_ids_that_mdbook_gives_them() {
    assert_eq!(id_of("`--think`: what it costs"), "--think-what-it-costs");
    assert_eq!(id_of("The [text](a.md), <b>twice</b>"), "the-text-twice");
    assert_eq!(id_of("`TcpServer<M, H>` & _more_"), "tcpserverm-h--_more_");
    let text = "# A\n## A\n## B {#b-1 .x}\n```text\n# C\n```\n";
    let page = Page::new(source().join("x.md"), text.into());
    let expected = ["a", "a-1", "b-1"].map(String::from);
    assert_eq!(ids(&page), Ok(expected.into()));
}

/// A figure, with its caption in the next paragraph: what it is, and what to
/// see in it. `zen-book` numbers them.
#[test]
fn every_figure_has_a_caption_that_says_what_to_see() {
    let mut findings = Vec::new();
    let mut known = 0;
    for page in pages().values() {
        let mut paragraphs = page.text.split("\n\n").peekable();
        while let Some(paragraph) = paragraphs.next() {
            let is_figure = paragraph.starts_with("{{#include figures/")
                || paragraph.starts_with("![");
            if !is_figure {
                continue;
            }
            known += 1;
            let next = paragraphs.peek().copied().unwrap_or_default();
            let caption = next.trim_end().strip_prefix("Figure: ");
            let asks = [". See ", ". Compare ", ". Look ", ". Follow "];
            let caption = caption.map(|it| it.replace('\n', " "));
            if !caption
                .is_some_and(|it| asks.iter().any(|ask| it.contains(ask)))
            {
                let path = shown(&page.path);
                findings.push(format!("{path}: no caption: {paragraph}"));
            }
        }
    }
    assert!(known > 80, "{known} figures");
    none(&findings);
}

#[test]
fn a_page_has_one_title_and_no_nameless_column_or_drawing_of_text() {
    let mut findings = Vec::new();
    for page in pages().values() {
        let prose = page.lines.iter().filter(|it| it.kind == Kind::Prose);
        let titles: Vec<_> =
            prose.filter(|it| it.text.starts_with("# ")).collect();
        let is_list = page.path.ends_with("SUMMARY.md");
        if !is_list && (titles.len() != 1 || titles[0].number != 1) {
            findings.push(format!("{}: {} titles", page.at(1), titles.len()));
        }
        for (line, next) in page.lines.iter().zip(&page.lines[1..]) {
            let at = page.at(line.number);
            let mut heads = line.text.trim().trim_matches('|').split('|');
            if next.text.starts_with("|--")
                && heads.any(|it| it.trim().is_empty())
            {
                findings.push(format!("{at}: a column without a name"));
            }
            let is_text = line.kind == Kind::Code("text".into());
            if is_text && ["-->", "<--"].iter().any(|it| line.text.contains(it))
            {
                findings.push(format!("{at}: draw it as SVG"));
            }
        }
    }
    none(&findings);
}
