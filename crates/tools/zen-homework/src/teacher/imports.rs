//! The tables that Moodle and Canvas import, with the students that they know.

use super::gradebook::{Gradebook, has_points};
use super::roster::Roster;
use super::table::{self, Row, cell, row};
use crate::assignment::Assignment;

/// A table that a platform imports.
struct Import {
    platform: &'static str,
    columns: Vec<String>,
    rows: Vec<Row>,
}

/// Writes the tables beside the gradebook, for the students whose name or
/// number on the platform is known. Returns the names of the files.
pub(crate) fn write(
    book: &Gradebook,
    assignments: &[Assignment],
    roster: Option<&Roster>,
) -> Result<Vec<String>, String> {
    let mut written = Vec::new();
    for assignment in assignments {
        let rows = book.rows.iter().filter(|row| {
            cell(row, "assignment") == assignment.name && has_points(row)
        });
        let rows: Vec<_> = rows.collect();
        let tables = [moodle(&rows, roster), canvas(assignment, &rows, roster)];
        for Import { platform, columns, rows } in tables {
            if !rows.is_empty() {
                let name = format!("{platform}-{}.csv", assignment.name);
                table::write(&book.folder.join(&name), &columns, &rows)?;
                written.push(name);
            }
        }
    }
    Ok(written)
}

/// A student's row: what the roster has in these columns, or else these texts.
fn filled<'a>(
    grade: &Row,
    roster: Option<&Roster>,
    own: impl IntoIterator<Item = (&'a str, String)>,
) -> Row {
    let words = ["id", "email", "student"].map(|it| cell(grade, it));
    let listed = roster.and_then(|it| Some((it, it.find(words)?)));
    let mut filled = row(own);
    for (column, text) in &mut filled {
        let known = listed.map_or("", |(it, at)| it.cell(at, column));
        if !known.is_empty() {
            *text = known.into();
        }
    }
    filled
}

/// A worksheet that Moodle's "Upload grading worksheet" takes. It finds a
/// student by the identifier alone, and needs all three other columns.
fn moodle(grades: &[&Row], roster: Option<&Roster>) -> Import {
    const COLUMNS: [&str; 5] = [
        "Identifier",
        "Full name",
        "Email address",
        "Grade",
        "Last modified (grade)",
    ];
    let mut rows = Vec::new();
    for grade in grades {
        let id = match cell(grade, "platform") {
            "moodle" => format!("Participant {}", cell(grade, "id")),
            _ => String::new(),
        };
        let of = |column| cell(grade, column).to_string();
        let own = [id, of("student"), of("email"), of("points")];
        let last = String::new();
        let own = COLUMNS.into_iter().zip(own.into_iter().chain([last]));
        let mut row = filled(grade, roster, own);
        row.insert(COLUMNS[3].into(), of("points"));
        if !cell(&row, COLUMNS[0]).is_empty() {
            rows.push(row);
        }
    }
    let columns = COLUMNS.map(str::to_owned).to_vec();
    Import { platform: "moodle", columns, rows }
}

/// A table that Canvas's "Import grades" takes: these five columns, and one
/// that is called like the assignment there.
fn canvas(
    assignment: &Assignment,
    grades: &[&Row],
    roster: Option<&Roster>,
) -> Import {
    const STUDENT: [&str; 5] =
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"];
    const IDS: &[&str] = &["ID", "SIS User ID", "SIS Login ID"];
    let name = &assignment.name;
    // Canvas's own export calls it "Framing (1234)".
    let theirs = roster.into_iter().flat_map(|it| &it.columns).find(|it| {
        let title = it.rsplit_once(" (").map_or(&***it, |(title, _)| title);
        title.eq_ignore_ascii_case(name)
    });
    let title = theirs.unwrap_or(name);
    let roster = roster.filter(|it| {
        let has = |column: &&str| it.columns.iter().any(|it| it == column);
        has(&"Section") && IDS.iter().any(|it| has(it))
    });
    let mut rows = Vec::new();
    for grade in grades {
        let of = |column| cell(grade, column).to_string();
        // An anonymous student has another kind of number.
        let is_number = of("id").bytes().all(|it| it.is_ascii_digit());
        let id = match cell(grade, "platform") == "canvas" && is_number {
            true => of("id"),
            false => String::new(),
        };
        let mut own = STUDENT.map(|it| (it, String::new()));
        (own[0].1, own[1].1) = (of("student"), id);
        let mut row = filled(grade, roster, own);
        row.insert(title.clone(), of("points"));
        if IDS.iter().any(|it| !cell(&row, it).is_empty()) {
            rows.push(row);
        }
    }
    if !rows.is_empty() {
        let points = assignment.points_max().to_string();
        let student = (STUDENT[0], "    Points Possible".to_string());
        rows.insert(0, row([student, (title, points)]));
    }
    let columns = STUDENT.into_iter().chain([&**title]);
    let columns = columns.map(str::to_owned).collect();
    Import { platform: "canvas", columns, rows }
}
