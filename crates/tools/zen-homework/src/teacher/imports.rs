//! The tables that Moodle and Canvas import, with the students that they know.

use super::gradebook::{Gradebook, has_points};
use super::roster::Roster;
use super::table::{self, Row, cell, row};
use crate::assignment::Assignment;

/// Each column of a table, and the column of the gradebook with the same.
type Columns<'a> = Vec<(&'a str, &'static str)>;

/// Moodle finds a student by the identifier alone, and its "Upload grading
/// worksheet" needs all other columns.
const MOODLE: [(&str, &str); 5] = [
    ("Identifier", MOODLES_ID),
    ("Full name", "student"),
    ("Email address", "email"),
    ("Grade", "points"),
    ("Last modified (grade)", ""),
];

/// Canvas's "Import grades" needs one of the three numbers. The column with the
/// points is behind these, and is called like the assignment.
const CANVAS: [(&str, &str); 5] = [
    ("Student", "student"),
    ("ID", CANVAS_ID),
    ("SIS User ID", ""),
    ("SIS Login ID", ""),
    ("Section", ""),
];

/// What these platforms call a student.
const MOODLES_ID: &str = "id on Moodle";
const CANVAS_ID: &str = "id on Canvas";

/// Writes the tables beside the gradebook, for the students whose name or
/// number on the platform is known. Returns the names of the files.
pub(crate) fn write(
    book: &Gradebook,
    assignments: &[Assignment],
    roster: Option<&Roster>,
) -> Result<Vec<String>, String> {
    let mut written = Vec::new();
    for assignment in assignments {
        let name = &assignment.name;
        let is_its = |row: &&Row| cell(row, "assignment") == *name;
        let grades =
            book.rows.iter().filter(is_its).filter(|it| has_points(it));
        let grades: Vec<_> = grades.collect();
        let title = canvas_title(name, roster);
        let canvas = [&CANVAS[..], &[(title, "points")]].concat();
        let has =
            |it: &Roster, column| it.columns.iter().any(|one| one == column);
        let of_canvas = roster.filter(|it| {
            has(it, "Section") && CANVAS[1..4].iter().any(|(id, _)| has(it, id))
        });
        for (platform, columns, ids, roster) in [
            ("moodle", MOODLE.to_vec(), &MOODLE[..1], roster),
            ("canvas", canvas, &CANVAS[1..4], of_canvas),
        ] {
            let rows = grades.iter().map(|it| filled(it, roster, &columns));
            let is_known =
                |row: &Row| ids.iter().any(|it| !cell(row, it.0).is_empty());
            let mut rows: Vec<_> = rows.filter(is_known).collect();
            if rows.is_empty() {
                continue;
            }
            if platform == "canvas" {
                let most = assignment.points_max().to_string();
                let student = ("Student", "    Points Possible".to_string());
                rows.insert(0, row([student, (title, most)]));
            }
            let columns = columns.iter().map(|it| it.0.to_string());
            let columns: Vec<_> = columns.collect();
            let file = format!("{platform}-{name}.csv");
            table::write(&book.folder.join(&file), &columns, &rows)?;
            written.push(file);
        }
    }
    Ok(written)
}

/// The name of an assignment in Canvas, whose own export calls it
/// "Framing (1234)".
fn canvas_title<'a>(name: &'a str, roster: Option<&'a Roster>) -> &'a str {
    let mut columns = roster.into_iter().flat_map(|it| &it.columns);
    let theirs = columns.find(|it| {
        let title = it.rsplit_once(" (").map_or(&***it, |(title, _)| title);
        title.eq_ignore_ascii_case(name)
    });
    theirs.map_or(name, |it| it)
}

/// A student's row: our points, and what else the roster has in these columns,
/// or else the gradebook.
fn filled(grade: &Row, roster: Option<&Roster>, columns: &Columns<'_>) -> Row {
    let words = ["id", "email", "student"].map(|it| cell(grade, it));
    let listed = roster.and_then(|it| Some((it, it.find(words)?)));
    let [id, platform] = ["id", "platform"].map(|it| cell(grade, it));
    // An anonymous student has another kind of number.
    let is_number = id.bytes().all(|it| it.is_ascii_digit());
    row(columns.iter().map(|(column, ours)| {
        let listed = listed.filter(|_| *ours != "points");
        let known = listed.map_or("", |(it, at)| it.cell(at, column));
        let text = match (known, *ours) {
            ("", MOODLES_ID) if platform == "moodle" => {
                format!("Participant {id}")
            }
            ("", CANVAS_ID) if platform == "canvas" && is_number => id.into(),
            ("", ours) => cell(grade, ours).into(),
            (known, _) => known.into(),
        };
        (*column, text)
    }))
}
