//! Tables in CSV, as spreadsheets and platforms write and read them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use csv::{ReaderBuilder, Terminator, WriterBuilder};

use crate::at::At;

/// Excel takes a file for UTF-8 only if it begins with this mark.
const MARK: char = '\u{feff}';

/// A row, by column.
pub(crate) type Row = BTreeMap<String, String>;

/// A row with these cells; what is empty it does not have.
pub(crate) fn row<'a>(
    cells: impl IntoIterator<Item = (&'a str, String)>,
) -> Row {
    let cells = cells.into_iter();
    let cells = cells.filter(|(_, text)| !text.is_empty());
    cells.map(|(column, text)| (column.to_string(), text)).collect()
}

/// What is in a cell; empty if it has none.
pub(crate) fn cell<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).map_or("", String::as_str)
}

/// Reads a table with any of the three usual separators.
pub(crate) fn read(file: &Path) -> Result<(Vec<String>, Vec<Row>), String> {
    let text = String::from_utf8(fs::read(file).at(file)?)
        .map_err(|_| "not in UTF-8: save it as CSV UTF-8")
        .at(file)?;
    let text = text.trim_start_matches(MARK);
    let head = text.lines().next().unwrap_or_default();
    let count = |it: &u8| head.bytes().filter(|byte| byte == it).count();
    let delimiter = b",;\t".iter().rev().max_by_key(|it| count(it));
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .delimiter(*delimiter.unwrap_or(&b','))
        .from_reader(text.as_bytes());
    let columns = reader.headers().at(file)?.iter();
    let columns: Vec<_> = columns.map(|it| it.trim().to_string()).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.at(file)?;
        let cells = record.iter().map(as_meant);
        rows.push(columns.iter().cloned().zip(cells).collect());
    }
    Ok((columns, rows))
}

/// Writes a table in place of the one that is there. If this process is killed,
/// one of the two is there, and whole.
pub(crate) fn write(
    file: &Path,
    columns: &[String],
    rows: &[Row],
) -> Result<(), String> {
    let new = file.with_extension("csv.new");
    let write = || -> io::Result<()> {
        let mut to = File::create(&new)?;
        write!(to, "{MARK}")?;
        let mut table =
            WriterBuilder::new().terminator(Terminator::CRLF).from_writer(to);
        table.write_record(columns.iter().map(|it| as_text(it)))?;
        for row in rows {
            let cells = columns.iter().map(|it| as_text(cell(row, it)));
            table.write_record(cells)?;
        }
        table.into_inner().map_err(|err| err.into_error())?.sync_all()?;
        fs::rename(&new, file)
    };
    write().at(file)
}

/// A spreadsheet takes a text that begins like this for a formula.
fn is_formula(text: &str) -> bool {
    const BEGINS: [char; 11] =
        ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    // A dash alone is Moodle's empty cell.
    text != "-" && text.trim_start_matches('\'').starts_with(BEGINS)
}

/// A text as a spreadsheet shows it, and never runs it.
fn as_text(text: &str) -> String {
    match is_formula(text) {
        true => format!("'{text}"),
        false => text.into(),
    }
}

/// What was meant by such a cell.
fn as_meant(cell: &str) -> String {
    let text = cell.strip_prefix('\'').filter(|it| is_formula(it));
    text.unwrap_or(cell).into()
}
