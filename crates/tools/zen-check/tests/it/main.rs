//! The table of cases and the book's page "The contract" say the same; `book`
//! and `tidy` test the book and the style of the workspace.

mod book;
mod exercises;
#[cfg(all(feature = "command", target_os = "linux"))]
mod machine;
mod pages;
#[cfg(feature = "command")]
mod reports;
mod tidy;

use std::collections::BTreeSet;
use std::fs;

/// The clauses that have an anchor on the page, in its order.
fn clauses_of_the_page() -> Vec<String> {
    let page = tidy::root().join("book/src/contract.md");
    let page = fs::read_to_string(page).expect("the page is in the book");
    let anchors = page.split("<a id=\"").skip(1);
    let clauses = anchors.map(|rest| {
        let mut words = rest.split("**");
        let anchor = words.next().unwrap_or_default();
        let clause = words.next().unwrap_or_default();
        let id = clause.replace('/', "-");
        assert_eq!(anchor, format!("{id}\"></a>"));
        clause.to_string()
    });
    clauses.collect()
}

fn elsewhere() -> BTreeSet<String> {
    let clauses = zen_check::ELSEWHERE.iter();
    clauses.map(|(clause, _)| clause.to_string()).collect()
}

#[test]
fn every_clause_has_a_case_and_every_case_a_clause() {
    let page: BTreeSet<_> = clauses_of_the_page().into_iter().collect();
    let mut checked: BTreeSet<_> =
        zen_check::names().map(|(clause, _)| clause.to_string()).collect();
    let both: Vec<_> = checked.intersection(&elsewhere()).cloned().collect();
    assert_eq!(both, [""; 0], "these are checked here after all");
    checked.extend(elsewhere());
    let without_case: Vec<_> = page.difference(&checked).collect();
    let without_clause: Vec<_> = checked.difference(&page).collect();
    assert_eq!((without_case, without_clause), (vec![], vec![]));
}

#[test]
fn the_clauses_of_a_group_are_numbered_from_one() {
    let mut next = std::collections::BTreeMap::new();
    for clause in clauses_of_the_page() {
        let (group, number) = clause.split_once('/').unwrap();
        let expected = next.entry(group.to_string()).or_insert(1);
        assert_eq!(number, expected.to_string(), "in group {group}");
        *expected += 1;
    }
}

#[test]
fn no_two_cases_have_the_same_name() {
    let names: Vec<_> = zen_check::names().collect();
    let different: BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len());
}
