//! One source file holds two programs: the solution is between marks, and the
//! starter is in comments.

const BEGIN: &str = "BEGIN SOLUTION";
const END: &str = "END SOLUTION";
const STARTER: &str = "STARTER:";

/// What follows a mark, if this line is a comment with that mark.
fn behind<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let line = line.trim_start();
    let comment = line.strip_prefix("//").or(line.strip_prefix('#'))?;
    comment.trim_start().strip_prefix(mark)
}

/// A file as students get it, and the stages whose solution is in it.
pub(crate) fn starter(text: &str) -> Result<(String, Vec<String>), String> {
    solved(text, &|_| false)
}

/// The same for a student who has solved these stages like the author.
pub(crate) fn solved(
    text: &str,
    is_solved: &dyn Fn(&str) -> bool,
) -> Result<(String, Vec<String>), String> {
    let mut starter = String::new();
    let mut stages = Vec::new();
    // The line in which a solution began, and whether it is shown.
    let mut within: Option<(usize, bool)> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let wrong = |what: &str| Err(format!("line {number}: {what}"));
        if let Some(stage) = behind(line, BEGIN) {
            let stage = stage.trim();
            if within.replace((number, is_solved(stage))).is_some() {
                return wrong("a solution begins within another");
            }
            stages.push(stage.to_string());
        } else if behind(line, END).is_some() {
            if within.take().is_none() {
                return wrong("no solution has begun");
            }
        } else if let Some(code) = behind(line, STARTER) {
            match within {
                None => return wrong("a starter's line outside of a solution"),
                Some((_, true)) => continue,
                Some((_, false)) => {}
            }
            let code = code.strip_prefix(' ').unwrap_or(code);
            let indent = line.len() - line.trim_start().len();
            starter += &line[..if code.is_empty() { 0 } else { indent }];
            starter += code;
            starter.push('\n');
        } else if within.is_none_or(|(_, shown)| shown) {
            starter += line;
            starter.push('\n');
        }
    }
    match within {
        Some((number, _)) => {
            Err(format!("line {number}: this solution has no end"))
        }
        None => Ok((starter, stages)),
    }
}

/// The lines of a solution that occur nowhere else in its file, not even as
/// part of another line.
pub(crate) fn solution_lines(text: &str) -> Vec<&str> {
    let mut within = false;
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if behind(line, BEGIN).is_some() {
            within = true;
        } else if behind(line, END).is_some() {
            within = false;
        } else if let Some(code) = behind(line, STARTER) {
            outside.push(code.trim());
        } else if within {
            inside.push(line.trim());
        } else {
            outside.push(line.trim());
        }
    }
    // An import is part of many starters as well.
    inside.retain(|line| !line.starts_with("use "));
    inside.retain(|line| !outside.iter().any(|it| it.contains(line)));
    inside
}

#[cfg(test)]
mod tests {
    use super::{solution_lines, solved, starter};

    const TEXT: &str = "\
fn main() {
    // BEGIN SOLUTION one
    good();
    // STARTER: // Say it here.
    // STARTER: bad();
    // STARTER:
    // END SOLUTION
    last();
}
";

    #[test]
    fn a_starter_has_its_own_lines_in_place_of_the_solution() {
        let expected = "\
fn main() {
    // Say it here.
    bad();

    last();
}
";
        let stages = vec!["one".to_string()];
        assert_eq!(starter(TEXT), Ok((expected.to_string(), stages)));
        assert_eq!(solution_lines(TEXT), ["good();"]);
        let python =
            "# BEGIN SOLUTION x\ny = 1\n# STARTER: y = 0\n# END SOLUTION\n";
        assert_eq!(starter(python).unwrap().0, "y = 0\n");
    }

    #[test]
    fn a_solved_stage_has_the_solution_in_place_of_the_starter() {
        let two =
            format!("{TEXT}// BEGIN SOLUTION two\nb();\n// END SOLUTION\n");
        let expected = "fn main() {\n    good();\n    last();\n}\n";
        assert_eq!(solved(&two, &|it| it == "one").unwrap().0, expected);
    }

    #[test]
    fn reports_unmatched_marks_with_their_line() {
        for (text, line) in [
            ("a\n// BEGIN SOLUTION x\n", "line 2"),
            ("// END SOLUTION\n", "line 1"),
            ("// BEGIN SOLUTION x\n// BEGIN SOLUTION y\n", "line 2"),
            ("// STARTER: a\n", "line 1"),
        ] {
            let message = starter(text).unwrap_err();
            assert!(message.starts_with(line), "{text}: {message}");
        }
    }
}
