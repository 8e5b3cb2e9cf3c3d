//! A class list, which says who is meant by what a platform calls a student.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Columns that hold a name, in one piece.
const NAMES: [&str; 5] =
    ["name", "student", "full name", "display name", "student name"];

/// Columns that hold it in two.
const FIRST: [&str; 3] = ["first name", "firstname", "given name"];
const LAST: [&str; 5] =
    ["last name", "lastname", "surname", "family name", "last"];

/// The contents of a CSV file, with a row for each student.
#[derive(Debug)]
pub(crate) struct Roster {
    file: PathBuf,
    columns: Vec<String>,
    rows: Vec<StringRecord>,
    names: Vec<String>,
    /// The row that a cell belongs to; None if it is in several.
    cells: BTreeMap<String, Option<usize>>,
}

/// A table as CSV, with any of the three usual separators.
pub(crate) fn table(
    file: &Path,
) -> Result<(Vec<String>, Vec<StringRecord>), String> {
    let in_file = |what: String| format!("{}: {what}", file.display());
    let bytes = fs::read(file).map_err(|err| in_file(err.to_string()))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| in_file("not in UTF-8: save it as CSV UTF-8".into()))?;
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let count = |it: &u8| head.bytes().filter(|byte| byte == it).count();
    let delimiter = b",;\t".iter().rev().max_by_key(|it| count(it));
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .delimiter(*delimiter.unwrap_or(&b','))
        .from_reader(text.as_bytes());
    let columns = reader.headers().map_err(|err| in_file(err.to_string()))?;
    let columns = columns.iter().map(|it| it.trim().to_string()).collect();
    let rows = reader.records().collect::<Result<Vec<_>, _>>();
    Ok((columns, rows.map_err(|err| in_file(err.to_string()))?))
}

/// A text without what platforms change in it.
fn plain(text: &str) -> String {
    text.nfc().collect::<String>().trim().to_lowercase()
}

/// The letters of a name: a platform may drop all else, and the accents.
fn letters(text: &str) -> String {
    let letters = text.nfkd().filter(|it| !is_combining_mark(*it));
    let letters = letters.filter(|it| it.is_alphanumeric());
    letters.collect::<String>().to_lowercase()
}

impl Roster {
    pub(crate) fn load(file: &Path) -> Result<Self, String> {
        let (columns, rows) = table(file)?;
        Self::new(file, columns, rows)
    }

    pub(crate) fn new(
        file: &Path,
        columns: Vec<String>,
        mut rows: Vec<StringRecord>,
    ) -> Result<Self, String> {
        let among = |names: &[&str]| {
            let is = |it: &String| names.contains(&it.to_lowercase().as_str());
            columns.iter().position(is)
        };
        let (whole, parts) = (among(&NAMES), (among(&FIRST), among(&LAST)));
        let cell = |row: &StringRecord, at| {
            row.get(at).unwrap_or_default().trim().to_string()
        };
        let name = |row: &StringRecord| match (whole, parts) {
            (Some(at), _) => Ok(cell(row, at)),
            (None, (Some(first), Some(last))) => {
                let name = format!("{} {}", cell(row, first), cell(row, last));
                Ok(name.trim().to_string())
            }
            _ => Err(format!(
                "{}: no column is called name, or first name and last name",
                file.display()
            )),
        };
        // Canvas has such a row below the head.
        rows.retain(|it| !name(it).is_ok_and(|it| it == "Points Possible"));
        rows.retain(|it| it.iter().any(|cell| !cell.trim().is_empty()));
        let named = |row: &StringRecord| {
            // Of someone without a name there is something else.
            let first = row.iter().map(str::trim).find(|it| !it.is_empty());
            name(row).map(|name| match name.is_empty() {
                true => first.unwrap_or_default().to_string(),
                false => name,
            })
        };
        let names = rows.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        let mut cells: BTreeMap<String, Option<usize>> = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            let of_row = row.iter().map(plain).filter(|it| !it.is_empty());
            let turned = letters_of(&names[number]);
            let of_row = of_row.chain(turned).chain([plain(&names[number])]);
            for cell in of_row {
                let row = cells.entry(cell).or_insert(Some(number));
                if *row != Some(number) {
                    *row = None;
                }
            }
        }
        Ok(Self { file: file.into(), columns, rows, names, cells })
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The row in which one of these is, the first that is in only one row.
    pub(crate) fn find(&self, words: [&String; 3]) -> Option<usize> {
        let given = words.into_iter().filter(|it| !it.is_empty());
        for word in given {
            // Moodle's worksheets say "Participant 12".
            let participant = format!("participant {word}");
            let all = [plain(word), participant, lettered(word)];
            let found = all.iter().find_map(|it| self.cells.get(it));
            if let Some(Some(row)) = found {
                return Some(*row);
            }
        }
        None
    }

    pub(crate) fn name(&self, row: usize) -> String {
        self.names[row].nfc().collect()
    }

    /// What is in a column of this name; empty if there is none.
    pub(crate) fn cell(&self, row: usize, column: &str) -> &str {
        let is = |it: &String| it.eq_ignore_ascii_case(column);
        let at = self.columns.iter().position(is);
        at.and_then(|at| self.rows[row].get(at)).unwrap_or_default().trim()
    }

    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The dialect that this student was given, if the roster says so.
    pub(crate) fn dialect(&self, row: usize) -> Result<Option<u64>, String> {
        match self.cell(row, "dialect") {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                let (file, name) = (self.file.display(), self.name(row));
                format!("{file}: {name}: {text:?} is no dialect's number")
            }),
        }
    }
}

/// The key of a name without its accents, which no other cell can have.
fn lettered(name: &str) -> String {
    format!("letters of {}", letters(name))
}

/// The keys of a name, with the first name before and after the others.
fn letters_of(name: &str) -> Vec<String> {
    let words: Vec<_> = match name.split_once(',') {
        Some((last, first)) => vec![first, last],
        None => name.split_whitespace().collect(),
    };
    let around =
        |at: usize| lettered(&[&words[at..], &words[..at]].concat().join(" "));
    (0..words.len()).map(around).collect()
}
