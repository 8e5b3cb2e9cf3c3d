//! What is on the pages of the book: the parts of a listing's page and their
//! order, and that clauses, the chapter's pages, claims and minutes are the
//! same wherever they are named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use crate::book::{Kind, Page, ids, links, pages, source};
use crate::tidy::{files, none, read, root, shown};

/// What a listing's page has, in this order. Between two of them there may be
/// something of its own.
const PARTS: [&str; 13] = [
    IDEA,
    PREDICT,
    "Try it",
    PICTURE,
    "The listing",
    "Break it",
    CLAIMS,
    "Python beside Rust, name by name",
    COSTS,
    "Since 2014",
    "Summary",
    "Exercises",
    NOTES,
];

const IDEA: &str = "The idea";
const PREDICT: &str = "Predict first";
const PICTURE: &str = "The picture";
const CLAIMS: &str = "What the chapter claims";
const NOTES: &str = "Notes for teachers";
const COSTS: &str = "What it costs";

/// These are no servers: there is no waiting to draw, and no answer to count.
const NO_SERVERS: [&str; 2] = ["zen-client", "zen-utils"];

/// The chapter, by page and by listing.
const CHAPTER: std::ops::RangeInclusive<u32> = 115..=135;
const LISTINGS: std::ops::RangeInclusive<u32> = 1..=11;

impl Page {
    fn title(&self) -> &str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// The crate that it is about, if it is about a listing.
    fn listing(&self) -> Option<&str> {
        let (name, _) = self.title().split_once(": ")?;
        let rooms = ["listings", "since", ""];
        // Asked for by path, `Homework` would be the folder `homework` on
        // Windows and macOS.
        let is_one = rooms.iter().any(|room| {
            let folders = root().join("crates").join(room).read_dir();
            let mut folders = folders.into_iter().flatten().flatten();
            folders.any(|folder| folder.file_name() == name)
        });
        is_one.then_some(name)
    }

    fn headings(&self) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .filter(|line| line.kind == Kind::Prose)
            .filter_map(|line| line.text.strip_prefix("## "))
    }

    /// What stands under a heading.
    fn part(&self, heading: &str) -> &str {
        let start = format!("\n## {heading}\n");
        let (_, rest) = self.text.split_once(&start).unwrap_or_default();
        rest.split("\n## ").next().unwrap_or_default()
    }

    /// The table of its claims.
    fn claims(&self) -> Vec<Claim> {
        let claim = |row: Vec<&str>| {
            let [claim, verdict, evidence] = row[..] else { return None };
            let (id, claim) = id_before(claim)?;
            let (claim, pages) = claim.rsplit_once(" (page")?;
            let pages = pages.trim_start_matches('s').trim();
            Some(Claim {
                id: id.into(),
                claim: claim.into(),
                pages: pages.trim_end_matches(')').into(),
                is_shown: !verdict.is_empty() && !evidence.is_empty(),
            })
        };
        rows(self.part(CLAIMS)).filter_map(claim).collect()
    }

    /// The minutes that its notes for teachers plan.
    fn minutes(&self) -> Option<u32> {
        let notes = self.part("Notes for teachers");
        let (_, rest) = notes.split_once("<details><summary>")?;
        rest.split_once(" minutes<")?.0.parse().ok()
    }
}

struct Claim {
    id: String,
    claim: String,
    pages: String,
    is_shown: bool,
}

/// Splits `<a id="claim-1"></a>The rest`.
fn id_before(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("<a id=\"")?.split_once("\"></a>")
}

/// The cells of the rows of all tables in a text.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter_map(|line| {
        let inside = line.strip_prefix("| ")?.strip_suffix(" |")?;
        Some(inside.split(" | ").map(str::trim).collect())
    })
}

/// The numbers `115` and `117` of `115-117`, or twice the one of `115`.
fn range(text: &str) -> Option<(u32, u32)> {
    let is_part = |c: char| c.is_ascii_digit() || c == '-';
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (first, last) =
        text[..end].split_once('-').unwrap_or((&text[..end], &text[..end]));
    Some((first.parse().ok()?, last.parse().ok()?))
}

#[test]
fn every_listings_page_has_the_same_parts_in_the_same_order() {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for page in pages().values() {
        let Some(listing) = page.listing() else { continue };
        seen.insert(listing.to_string());
        let wanted: Vec<_> = PARTS
            .into_iter()
            .filter(|part| {
                ![PICTURE, COSTS].contains(part)
                    || !NO_SERVERS.contains(&listing)
            })
            .collect();
        let found: Vec<_> =
            page.headings().filter(|it| PARTS.contains(it)).collect();
        if found != wanted {
            let path = shown(&page.path);
            findings.push(format!("{path}: {found:?}, and not {wanted:?}"));
        }
        let questions = page.part("Predict first").matches("<details>").count();
        if !(2..=3).contains(&questions) {
            let path = shown(&page.path);
            findings.push(format!("{path}: {questions} folded answers"));
        }
    }
    for room in ["listings", "since"] {
        for manifest in files(&root().join("crates").join(room), "Cargo.toml") {
            let folder = manifest.parent().expect("it is in a folder");
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            if !seen.contains(&*name) {
                findings.push(format!("no page is called `# {name}: ...`"));
            }
        }
    }
    none(&findings);
}

#[test]
fn a_clause_that_is_named_is_in_the_contract() {
    let pages = pages();
    let contract = &pages[&source().join("contract.md")];
    let known = ids(contract).expect("no id twice");
    let groups: BTreeSet<_> =
        known.iter().filter_map(|id| id.rsplit_once('-')).collect();
    let groups: BTreeSet<_> = groups
        .into_iter()
        .filter(|(_, number)| number.parse::<u32>().is_ok())
        .map(|(group, _)| group)
        .collect();
    let mut findings = Vec::new();
    for page in pages.values() {
        for line in &page.lines {
            let words = line.text.split(|c: char| {
                !c.is_ascii_alphanumeric() && c != '/' && c != '-'
            });
            for word in words {
                let Some((group, number)) = word.split_once('/') else {
                    continue;
                };
                let is_clause =
                    groups.contains(group) && number.parse::<u32>().is_ok();
                if is_clause && !known.contains(&format!("{group}-{number}")) {
                    let at = page.at(line.number);
                    findings.push(format!("{at}: there is no {word}"));
                }
            }
        }
        for (number, link) in links(page) {
            let text = link.strip_prefix("contract.md#").unwrap_or_default();
            let named = text
                .rsplit_once('-')
                .filter(|(group, _)| groups.contains(group));
            let Some((group, clause)) = named else { continue };
            let line = page.lines[number - 1].text.as_str();
            // A link may begin on the line before.
            let before = page.lines[number.saturating_sub(2)].text.as_str();
            let said = format!("{group}/{clause}]");
            if !line.contains(&said) && !before.contains(&said) {
                let at = page.at(number);
                findings.push(format!("{at}: `{link}` is called otherwise"));
            }
        }
    }
    none(&findings);
}

#[test]
fn a_page_or_listing_of_the_text_that_is_named_exists() {
    let mut findings = Vec::new();
    for page in pages().values() {
        // A reference may be broken at the end of a line.
        let prose = page.prose.replace('\n', " ");
        let named = ["page ", "pages "]
            .into_iter()
            .flat_map(|word| prose.split(word).skip(1));
        for rest in named {
            let Some((first, last)) = range(rest) else { continue };
            let exists = CHAPTER.contains(&first) && CHAPTER.contains(&last);
            if !exists || first > last {
                let path = shown(&page.path);
                findings.push(format!("{path}: page {first}-{last}"));
            }
        }
        let listings = prose.split([' ', '(']).filter_map(|word| {
            range(word.strip_prefix("7-")?).map(|(number, _)| number)
        });
        for number in listings.filter(|it| !LISTINGS.contains(it)) {
            let path = shown(&page.path);
            findings.push(format!("{path}: listing 7-{number}"));
        }
    }
    none(&findings);
}

#[test]
fn a_page_and_the_readme_name_the_same_pages_of_the_text() {
    let readme = read(&root().join("README.md"));
    let known: BTreeMap<_, _> = rows(&readme)
        .filter(|row| row.len() == 4)
        .filter_map(|row| {
            let name = row[0].strip_prefix("[`")?.split('`').next()?;
            Some((name.to_string(), row[2].to_string()))
        })
        .collect();
    let mut findings = Vec::new();
    for page in pages().values() {
        let Some(expected) = page.listing().and_then(|it| known.get(it)) else {
            continue;
        };
        let (first, last) = range(expected).unwrap_or_default();
        let ways = [
            format!("page {expected}"),
            format!("pages {expected}"),
            format!("pages {first} to {last}"),
            format!("pages {first} and {last}"),
        ];
        let begin = page.text.split("\n## ").next().unwrap_or_default();
        let begin = begin.replace('\n', " ").to_lowercase();
        if !ways.iter().any(|it| begin.contains(it)) {
            let path = shown(&page.path);
            findings.push(format!("{path}: not {} as in README.md", ways[1]));
        }
    }
    none(&findings);
}

#[test]
fn every_claim_of_a_page_is_in_the_list_of_claims() {
    let pages = pages();
    let list = &pages[&source().join("claims.md")];
    let mut listed = BTreeMap::<(PathBuf, String), (String, String)>::new();
    let mut findings = Vec::new();
    for row in rows(&list.text).filter(|row| row.len() == 4).skip(1) {
        let target = row[2].split_once("](").and_then(|(_, link)| {
            let (file, id) = link.trim_end_matches(')').split_once('#')?;
            Some((source().join(file), id.to_string()))
        });
        let Some(target) = target else {
            findings.push(format!("claims.md: `{}` leads nowhere", row[0]));
            continue;
        };
        if row[3].is_empty() {
            findings.push(format!("claims.md: what shows `{}`?", row[0]));
        }
        listed.insert(target, (row[0].to_string(), row[1].to_string()));
    }
    for page in pages.values() {
        for Claim { id, claim, pages, is_shown } in page.claims() {
            let key = (page.path.clone(), id.clone());
            let path = shown(&page.path);
            if listed.remove(&key) != Some((claim, pages)) {
                findings.push(format!("{path}#{id}: not so in claims.md"));
            }
            if !is_shown {
                findings.push(format!("{path}#{id}: no verdict, or unseen"));
            }
        }
    }
    for ((path, id), _) in listed {
        findings.push(format!("claims.md: {}#{id} is no claim", shown(&path)));
    }
    none(&findings);
}

/// `book/data/pages.txt`: what stands where in the chapter, and who says so.
fn known_pages() -> Vec<(String, BTreeSet<String>)> {
    read(&root().join("book/data/pages.txt"))
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let cells: Vec<_> = line.split(" | ").map(str::trim).collect();
            let [pages, _, cited_by] = cells[..] else {
                panic!("book/data/pages.txt: not three cells: {line}");
            };
            let cited_by = cited_by.split_whitespace().map(String::from);
            (pages.to_string(), cited_by.collect())
        })
        .collect()
}

/// The pages of the chapter that a text refers to, such as `125` or `126-128`.
fn cited(prose: &str) -> BTreeSet<String> {
    let prose = prose.replace('\n', " ");
    let prose = prose.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut cited = BTreeSet::new();
    for rest in ["page ", "pages "].iter().flat_map(|it| prose.split(it)) {
        let rest = rest.replacen(" to ", "-", 1).replacen(" and ", "-", 1);
        let Some((first, last)) = range(&rest) else { continue };
        if CHAPTER.contains(&first) && CHAPTER.contains(&last) {
            cited.insert(match first == last {
                true => first.to_string(),
                false => format!("{first}-{last}"),
            });
        }
    }
    cited
}

#[test]
fn every_page_of_the_text_is_cited_as_in_the_data() {
    let known = known_pages();
    let mut findings = Vec::new();
    let mut unused: BTreeSet<_> = known
        .iter()
        .flat_map(|(pages, by)| by.iter().map(move |it| (pages, it)))
        .collect();
    for page in pages().values() {
        let name = page.path.strip_prefix(source()).expect("a page");
        let name = name.to_string_lossy().replace('\\', "/");
        // The contract and these lists refer to whatever they are about.
        if ["claims.md", "slips.md"].contains(&&*name) {
            continue;
        }
        for citation in cited(&page.prose) {
            let row = known
                .iter()
                .flat_map(|(pages, by)| by.iter().map(move |it| (pages, it)))
                .find(|(pages, by)| **pages == citation && **by == name);
            match row {
                Some(row) => _ = unused.remove(&row),
                None => findings.push(format!(
                    "book/src/{name}: page {citation} is not in \
                     book/data/pages.txt for this page"
                )),
            }
        }
        for Claim { id, pages, .. } in page.claims() {
            let claim = format!("{name}#{id}");
            let row = known
                .iter()
                .flat_map(|(pages, by)| by.iter().map(move |it| (pages, it)))
                .find(|(_, by)| **by == claim);
            match row {
                Some(row) if *row.0 == pages => _ = unused.remove(&row),
                Some(row) => findings.push(format!(
                    "{claim}: pages {pages}, and {} in book/data/pages.txt",
                    row.0
                )),
                None => {
                    findings.push(format!("{claim}: not in the data of pages"));
                }
            }
        }
    }
    for (pages, by) in unused {
        findings.push(format!("book/data/pages.txt: {by} has no {pages}"));
    }
    none(&findings);
}

#[test]
fn no_prediction_is_answered_above_itself() {
    let mut findings = Vec::new();
    for page in pages().values() {
        let marker = format!("\n## {PREDICT}\n");
        let Some((before, _)) = page.text.split_once(&marker) else { continue };
        let path = shown(&page.path);
        if before.contains(&format!("\n## {CLAIMS}\n")) {
            findings.push(format!("{path}: verdicts before the predictions"));
        }
        // Numbers in what is included are not compared below.
        for include in before.split("{{#include ").skip(1) {
            if !include.starts_with("figures/ideas/") {
                findings.push(format!("{path}: {include} before them"));
            }
        }
        let part = page.part(PREDICT);
        let mut questions = String::new();
        let mut answers = String::new();
        for (index, piece) in part.split("<details>").enumerate() {
            match piece.split_once("</details>") {
                Some((answer, rest)) if index > 0 => {
                    answers += answer;
                    questions += rest;
                }
                _ => questions += piece,
            }
        }
        let asked = numbers(&questions);
        let told = numbers(before);
        for number in numbers(&answers).difference(&asked) {
            if told.contains(number) {
                findings.push(format!("{path}: {number} is told too early"));
            }
        }
    }
    none(&findings);
}

#[test]
fn a_paragraph_refers_to_one_clause_at_its_end() {
    let mut findings = Vec::new();
    for page in pages().values() {
        let is_any = |name| page.path.ends_with(name);
        if ["contract.md", "departures.md"].into_iter().any(is_any) {
            continue;
        }
        for paragraph in page.text.split("\n\n") {
            let is_prose = paragraph.starts_with(char::is_alphabetic);
            let mut references = paragraph.split("](contract.md#").skip(1);
            let first = references.next().filter(|_| is_prose);
            let clause = first.and_then(|it| it.split_once(')'));
            let Some((name, rest)) = clause else { continue };
            if !name.contains('-') || name.starts_with("the-") {
                continue;
            }
            let is_end = rest.trim_matches([')', '.', ':', '\n']).is_empty();
            if !is_end || references.next().is_some() {
                let path = shown(&page.path);
                findings.push(format!("{path}: {name} in mid-paragraph"));
            }
        }
    }
    none(&findings);
}

/// The numbers in a text of two digits or more: a smaller one may stand there
/// by accident. Those of pages, listings and links do not count.
fn numbers(text: &str) -> BTreeSet<String> {
    let mut text = text.to_string();
    while let Some((start, rest)) = text.split_once("](") {
        let rest = rest.split_once(')').map_or("", |(_, rest)| rest);
        text = format!("{start} {rest}");
    }
    let is_part = |c: char| c.is_ascii_digit() || ",.".contains(c);
    text.split(|c: char| !is_part(c))
        .map(|it| it.trim_matches([',', '.']).replace(',', ""))
        .filter(|it| it.chars().filter(char::is_ascii_digit).count() > 1)
        .filter(|it| {
            !it.parse::<u32>().is_ok_and(|number| CHAPTER.contains(&number))
        })
        .collect()
}

#[test]
fn a_test_that_is_named_among_the_departures_exists() {
    let pages = pages();
    let text = &pages[&source().join("departures.md")].text;
    let code: String = files(&root().join("crates"), ".rs")
        .iter()
        .map(|path| read(path))
        .collect();
    // Names of tests are sentences; no other word on that page is one.
    let named: Vec<_> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.matches('_').count() > 2)
        .collect();
    assert!(!named.is_empty());
    let findings: Vec<_> = named
        .iter()
        .filter(|name| !code.contains(&format!("fn {name}()")))
        .map(|name| format!("book/src/departures.md: there is no {name}"))
        .collect();
    none(&findings);
}

#[test]
fn the_minutes_for_teachers_are_those_of_the_pages() {
    let pages = pages();
    let plan = &pages[&source().join("teachers.md")];
    let mut planned = BTreeMap::new();
    let mut all = None;
    for row in rows(plan.part("The minutes")).filter(|row| row.len() == 3) {
        let minutes = row[2].parse::<u32>().ok();
        match row[0].split_once("](") {
            Some((_, link)) => {
                let path = source().join(link.trim_end_matches(')'));
                planned.insert(path, minutes);
            }
            None if row[0] == "all of them" => all = minutes,
            None => {}
        }
    }
    let on_pages: BTreeMap<_, _> = pages
        .iter()
        .filter(|(_, page)| page.headings().any(|it| it == NOTES))
        .map(|(path, page)| (path.clone(), page.minutes()))
        .collect();
    assert_eq!(planned, on_pages);
    assert!(on_pages.values().all(Option::is_some), "{on_pages:?}");
    assert_eq!(all, on_pages.values().copied().sum::<Option<u32>>());
}

#[test]
fn every_transcript_and_figure_is_on_a_page() {
    let all: String = pages().into_values().map(|page| page.text).collect();
    let mut findings = Vec::new();
    for (folder, end) in [
        ("book/transcripts", ".console"),
        ("book/src/figures", ".svg"),
        ("book/deployment", ""),
    ] {
        for path in files(&root().join(folder), end) {
            let shown = shown(&path);
            let name = shown.strip_prefix(folder).unwrap_or_default();
            if !all.contains(name) {
                findings.push(format!("{shown}: on no page"));
            }
        }
    }
    none(&findings);
}

/// The pages about the other coroutines count the lines in which they differ
/// from the first.
#[test]
fn the_transcripts_count_the_lines_that_differ_between_the_coroutines() {
    let mut findings = Vec::new();
    for name in ["async-std", "tokio"] {
        let path = root().join(format!("book/transcripts/{name}.console"));
        let transcript = read(&path);
        let command = transcript
            .lines()
            .find(|line| line.starts_with("git diff "))
            .expect("the transcript has the command");
        let mut words = command.split(' ');
        let program = words.next().expect("a command has a first word");
        let run =
            Command::new(program).args(words).current_dir(root()).output();
        let Ok(output) = run else {
            eprintln!("git is not installed: nothing is counted");
            return;
        };
        let counted = String::from_utf8_lossy(&output.stdout);
        let counted = counted.trim_end();
        if counted.is_empty() || !transcript.contains(counted) {
            findings.push(format!("{}: now it is{counted}", shown(&path)));
        }
    }
    none(&findings);
}

/// What was counted of a listing.
type Count = (String, f64);

/// `book/data/costs.txt`: of each listing the system calls for an answer, and the
/// bytes for a client.
fn counted() -> (Vec<Count>, Vec<Count>) {
    let text = read(&root().join("book/data/costs.txt"));
    let (calls, bytes) =
        text.split_once("ANCHOR: memory").expect("it has both tables");
    let values = |part: &str| {
        let value = |line: &str| {
            let (name, rest) = line.trim().split_once(' ')?;
            let number = rest.split_whitespace().next()?;
            let number = number.parse().ok()?;
            name.starts_with("zen-").then(|| (name.to_string(), number))
        };
        part.lines().filter_map(value).collect()
    };
    (values(calls), values(bytes))
}

/// Counts differ from run to run, so what is "about" a number may be off by a
/// tenth.
fn is_counted(number: &str, is_about: bool, counted: &[f64]) -> bool {
    let digits = number.split_once('.').map_or(0, |(_, rest)| rest.len());
    let number = number.replace(',', "");
    counted.iter().any(|it| match number.parse::<f64>() {
        Ok(number) if is_about => (it - number).abs() <= it / 10.0,
        _ => format!("{it:.digits$}") == number,
    })
}

#[test]
fn a_cost_on_a_page_is_in_the_table_of_costs() {
    let (calls, bytes) = counted();
    let mut findings = Vec::new();
    let mut known = 0;
    for page in pages().values() {
        let is_about_costs = |paragraph: &&str| {
            [
                "scripts/costs",
                "seven.md#what-an-answer-costs",
                "seven.md#memory",
            ]
            .iter()
            .any(|it| paragraph.contains(it))
        };
        for paragraph in page.text.split("\n\n").filter(is_about_costs) {
            let words: Vec<_> = paragraph.split_whitespace().collect();
            for (index, word) in words.iter().enumerate() {
                let after = &words[index + 1..];
                let counted = match after {
                    [unit, ..] if unit.starts_with("bytes") => &bytes,
                    ["system", unit, ..] if unit.starts_with("calls") => &calls,
                    _ => continue,
                };
                if !word.starts_with(|c: char| c.is_ascii_digit()) {
                    continue;
                }
                known += 1;
                let is_about = index > 0 && words[index - 1].ends_with("about");
                let counted: Vec<_> = counted
                    .iter()
                    .filter(|(name, _)| {
                        page.listing() == Some(name) || paragraph.contains(name)
                    })
                    .map(|(_, number)| *number)
                    .collect();
                if !is_counted(word, is_about, &counted) {
                    let path = shown(&page.path);
                    let unit = after[0];
                    findings.push(format!(
                        "{path}: {word} {unit} is not in book/data/costs.txt"
                    ));
                }
            }
        }
    }
    assert!(known > 0, "no page names a cost");
    none(&findings);
}

#[test]
fn the_sheets_to_print_ask_what_the_pages_ask() {
    let pages = pages();
    let sheet = &pages[&source().join("sheet.md")];
    let mut findings = Vec::new();
    for heading in sheet.headings() {
        let page = pages.values().find(|it| it.listing() == Some(heading));
        let Some(page) = page else {
            assert_eq!(heading, "Page 125");
            continue;
        };
        let asked = page.part(PREDICT);
        let asked = asked.split_whitespace().collect::<Vec<_>>().join(" ");
        for row in rows(sheet.part(heading)).skip(1) {
            if !asked.contains(&format!("{}. {} <details>", row[0], row[1])) {
                findings.push(format!("{heading}: `{}` is not so", row[1]));
            }
        }
        let known = rows(sheet.part(heading)).count() - 1;
        if page.part(PREDICT).matches("<details>").count() != known {
            findings.push(format!("{heading}: {known} questions"));
        }
    }
    let page = &pages[&source().join("page125.md")];
    let phrases = |text: &str| -> Vec<_> {
        rows(text)
            .filter(|row| row[0].parse::<u32>().is_ok())
            .map(|row| (row[0].to_string(), row[1].to_string()))
            .collect()
    };
    assert_eq!(phrases(sheet.part("Page 125")), phrases(page.part("Verdicts")));
    none(&findings);
}

#[test]
fn the_table_of_assignments_has_the_minutes_of_each() {
    let pages = pages();
    let page = &pages[&source().join("homework.md")];
    let listed: BTreeMap<_, _> = rows(page.part("Which one"))
        .filter_map(|row| {
            let name = row[0].strip_prefix('[')?.split(']').next()?;
            Some((name.to_string(), row[2].to_string()))
        })
        .collect();
    let known: BTreeMap<_, _> =
        files(&root().join("crates/homework"), "assignment.toml")
            .iter()
            .map(|path| {
                let folder = path.parent().expect("it is in a folder");
                let name = folder.file_name().expect("the folder has a name");
                let text = read(path);
                let minutes =
                    text.lines().find_map(|it| it.strip_prefix("minutes = "));
                let minutes = minutes.expect("an assignment has its minutes");
                (name.to_string_lossy().to_string(), minutes.to_string())
            })
            .collect();
    assert_eq!(listed, known);
}
