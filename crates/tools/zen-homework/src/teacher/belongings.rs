//! The files of an assignment: what belongs to it, what no student may see, and
//! what is missing.

use std::path::Path;

use super::markers;
use super::source::{self, Files};
use super::verify::Gate;
use crate::assignment::Stage;
use crate::files;

/// No other files belong beside those that a student may change.
const KNOWN: &str =
    "Cargo.toml assignment.toml src cases hints wrong teacher.md";

/// A shorter line of a solution may occur anywhere by chance.
const TELLING_BYTES_MIN: usize = 24;

impl Gate<'_> {
    pub(super) fn look_at_files(&mut self) -> Result<(), String> {
        let it = self.assignment;
        let all = source::files_below(&it.folder)?;
        let starter = source::starter(it)?;
        for (path, bytes) in &all {
            let known = KNOWN.split(' ').any(|name| path.starts_with(name));
            self.require(
                known || it.may_change(path) || it.names(path),
                || format!("{} does not belong to it", path.display()),
            );
            // A patch may begin in the middle of a solution.
            let Ok(text) = std::str::from_utf8(bytes) else { continue };
            if path.starts_with("wrong") {
                continue;
            }
            self.look_for_leaks(path, text, &starter)?;
        }
        let has_teacher_md = it.folder.join("teacher.md").is_file();
        self.require(has_teacher_md, || "there is no teacher.md".into());
        let found = files::find(&it.files, &it.folder)?;
        let has_file = !found.files.is_empty();
        self.require(has_file, || "there is no file to change".into());
        let mut hints = Vec::new();
        for Stage { name, .. } in &it.stages {
            let steps = 1..=it.hints(name).len();
            self.require(!steps.is_empty(), || {
                format!("there is no hint hints/{name}-1.md")
            });
            hints.extend(steps.map(|it| format!("hints/{name}-{it}.md")));
        }
        for (path, _) in all.iter().filter(|it| it.0.starts_with("hints")) {
            let is_shown = hints.iter().any(|hint| path == Path::new(hint));
            let never = || format!("{} is never shown", path.display());
            self.require(is_shown, never);
        }
        Ok(())
    }

    fn look_for_leaks(
        &mut self,
        path: &Path,
        text: &str,
        starter: &Files,
    ) -> Result<(), String> {
        let in_path = |what| format!("{}: {what}", path.display());
        let (_, stages) = markers::starter(text).map_err(in_path)?;
        for name in stages {
            let is_one =
                self.assignment.stages.iter().any(|it| it.name == name);
            self.require(is_one, || {
                in_path(format!("there is no stage {name:?}"))
            });
        }
        let telling = markers::solution_lines(text).into_iter();
        for line in telling.filter(|line| line.len() >= TELLING_BYTES_MIN) {
            for (place, bytes) in starter {
                let has_it = String::from_utf8_lossy(bytes).contains(line);
                self.require(!has_it, || {
                    in_path(format!(
                        "a line of the solution is handed out in {}: {line}",
                        place.display()
                    ))
                });
            }
        }
        Ok(())
    }
}
