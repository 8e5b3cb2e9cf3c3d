//! The students of a class, and a class list that says who is meant by what a
//! platform calls a student.

use std::collections::BTreeMap;
use std::path::Path;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::table::{self, Row, cell};
use crate::at::At;

/// Columns that hold a name, in one piece or in two.
const NAMES: [&str; 5] =
    ["name", "student", "full name", "display name", "student name"];
const FIRST: [&str; 3] = ["first name", "firstname", "given name"];
const LAST: [&str; 5] =
    ["last name", "lastname", "surname", "family name", "last"];

const EMAILS: [&str; 3] = ["email", "email address", "e-mail"];

/// A student of the class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Student {
    /// The name in all reports; no other student has it.
    pub(crate) name: String,
    pub(crate) platform: String,
    pub(crate) id: String,
    pub(crate) email: String,
    /// The platform says that something came too late.
    pub(crate) is_late: bool,
    /// The dialect that this student was given, if the roster says so.
    pub(crate) dialect: Option<u64>,
    /// The student's row in the roster.
    pub(crate) row: Option<usize>,
}

/// The contents of a CSV file, with a row for each student.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    pub(crate) columns: Vec<String>,
    pub(crate) students: Vec<Student>,
    rows: Vec<Row>,
    /// The row that a text belongs to; None if it is in several.
    texts: BTreeMap<String, Option<usize>>,
}

/// A text without what platforms change in it.
fn plain(text: &str) -> String {
    text.nfc().collect::<String>().trim().to_lowercase()
}

/// The key of a name, which no other text can have: its letters, since a
/// platform may drop all else, and the accents.
fn letters(name: &str) -> String {
    let letters = name.nfkd().filter(|it| !is_combining_mark(*it));
    let letters = letters.filter(|it| it.is_alphanumeric());
    format!("letters of {}", letters.collect::<String>().to_lowercase())
}

/// The keys of a name, with the first name before and after the others.
fn turned(name: &str) -> Vec<String> {
    let words: Vec<_> = match name.split_once(',') {
        Some((last, first)) => vec![first, last],
        None => name.split_whitespace().collect(),
    };
    let around =
        |at: usize| letters(&[&words[at..], &words[..at]].concat().join(" "));
    (0..words.len()).map(around).collect()
}

impl Roster {
    pub(crate) fn load(file: &Path) -> Result<Self, String> {
        let (columns, rows) = table::read(file)?;
        let of_name = name_columns(&columns).at(file)?;
        let mut roster = Self { columns, ..Self::default() };
        for row in rows {
            roster.add(&of_name, row).at(file)?;
        }
        Ok(roster)
    }

    fn add(&mut self, of_name: &[String], row: Row) -> Result<(), String> {
        let parts = of_name.iter().map(|it| cell(&row, it).trim());
        let mut name = parts.collect::<Vec<_>>().join(" ").trim().to_string();
        let texts = self.columns.iter().map(|it| cell(&row, it).trim());
        let texts: Vec<_> = texts.filter(|it| !it.is_empty()).collect();
        // Canvas has such a row below the head.
        let Some(first) = texts.first().filter(|_| name != "Points Possible")
        else {
            return Ok(());
        };
        if name.is_empty() {
            name = (*first).into();
        }
        let number = self.rows.len();
        let texts = texts.iter().map(|it| plain(it)).chain(turned(&name));
        for text in texts.chain([plain(&name)]) {
            let row = self.texts.entry(text).or_insert(Some(number));
            *row = row.filter(|it| *it == number);
        }
        self.rows.push(row);
        let dialect = match self.cell(number, "dialect") {
            "" => None,
            text => Some(text.parse().map_err(|_| {
                format!("{name}: {text:?} is no dialect's number")
            })?),
        };
        let emails = EMAILS.map(|it| self.cell(number, it));
        let email = emails.into_iter().find(|it| !it.is_empty());
        self.students.push(Student {
            name: name.nfc().collect(),
            email: email.unwrap_or_default().into(),
            dialect,
            row: Some(number),
            ..Student::default()
        });
        Ok(())
    }

    /// The row in which one of these is, the first that is in only one row.
    pub(crate) fn find(&self, words: [&str; 3]) -> Option<usize> {
        let given = words.into_iter().filter(|it| !it.is_empty());
        given.into_iter().find_map(|word| {
            // Moodle's worksheets say "Participant 12".
            let participant = format!("participant {word}");
            let all = [plain(word), participant, letters(word)];
            *all.iter().find_map(|it| self.texts.get(it))?
        })
    }

    /// What is in a column of this name; empty if there is none.
    pub(crate) fn cell(&self, row: usize, column: &str) -> &str {
        let is = |it: &&String| it.eq_ignore_ascii_case(column);
        let column = self.columns.iter().find(is);
        column.map_or("", |it| cell(&self.rows[row], it)).trim()
    }
}

/// The columns that make up a name.
fn name_columns(columns: &[String]) -> Result<Vec<String>, &'static str> {
    let among = |names: &[&str]| {
        let is = |it: &&String| names.contains(&it.to_lowercase().as_str());
        columns.iter().find(is).cloned()
    };
    let whole = among(&NAMES).map(|it| vec![it]);
    let parts = || Some(vec![among(&FIRST)?, among(&LAST)?]);
    whole
        .or_else(parts)
        .ok_or("no column is called name, or first name and last name")
}
