//! A new assignment: small, but complete.

use super::handout::write;
use crate::project::Project;
use crate::student::print;

const FILES: [(&str, &str); 7] = [
    ("Cargo.toml", include_str!("new/Cargo.toml.txt")),
    ("assignment.toml", include_str!("new/assignment.toml.txt")),
    ("src/main.rs", include_str!("new/main.rs.txt")),
    ("cases/ASSIGNMENT_NAME.txt", include_str!("new/cases.txt")),
    ("hints/STAGE_NAME-1.md", include_str!("new/hint.md")),
    ("teacher.md", include_str!("new/teacher.md")),
    (
        "wrong/STAGE_NAME-answers-otherwise.patch",
        include_str!("new/wrong.patch.txt"),
    ),
];

/// Makes a complete assignment, which passes `verify`, for its author to change
/// step by step. It has one stage with this name.
pub fn new(project: &Project, name: &str, stage: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    for word in [name, stage] {
        if word.is_empty() || !word.chars().all(fits) {
            return Err(format!(
                "{word:?} is no name: use small letters and digits"
            ));
        }
    }
    let folder = project.folder(name);
    if project.is_handout || folder.exists() {
        return Err(format!("{} cannot be created here", folder.display()));
    }
    let numbers = project.assignments()?;
    let number = numbers.iter().map(|it| it.number).max().unwrap_or(0) + 1;
    let filled = |text: &str| {
        let text = text.replace("ASSIGNMENT_NUMBER", &number.to_string());
        text.replace("ASSIGNMENT_NAME", name).replace("STAGE_NAME", stage)
    };
    let files = FILES
        .iter()
        .map(|(path, text)| (filled(path).into(), filled(text).into_bytes()));
    write(&files.collect(), &folder)?;
    print(&format!(
        "crates/homework/{name} is ready; check it with \
        zen-homework verify {name}\n"
    ))
}
