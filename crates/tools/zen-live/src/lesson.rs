//! Lessons: short scripts, as text files beside the source.

use crate::line::{Line, quoted};

macro_rules! lessons {
    ($($name:literal)+) => {
        pub(crate) const NAMES: [&str; 8] = [$($name),+];
        const TEXTS: [&str; 8] =
            [$(include_str!(concat!("../lessons/", $name, ".txt"))),+];
    };
}
lessons! { "one-silent" "fifth-client" "crowd-decides" "attacker"
"killed-worker" "does-not-read" "slow-answer" "stop-under-load" }

#[derive(Clone, Debug, Default)]
pub(crate) struct Lesson {
    pub(crate) name: String,
    pub(crate) title: String,
    /// The lanes that it is about.
    pub(crate) lanes: Vec<String>,
    /// A page of the book.
    pub(crate) page: String,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub(crate) says: String,
    /// To be thought about before this step.
    pub(crate) question: String,
    pub(crate) lines: Vec<Line>,
    /// What a lane then shows.
    pub(crate) claims: Vec<(String, String)>,
}

/// All lessons, in the order of the book.
pub(crate) fn all() -> Result<Vec<Lesson>, String> {
    TEXTS.into_iter().map(Lesson::parse).collect()
}

impl Lesson {
    fn parse(text: &str) -> Result<Self, String> {
        let mut lesson = Self::default();
        let mut question = String::new();
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|it| !it.is_empty() && !it.starts_with('#')) {
            let (key, rest) = line.split_once(": ").unwrap_or((line, ""));
            let names = rest.split_whitespace().map(String::from);
            match (key, lesson.steps.last_mut()) {
                ("lanes", _) => lesson.lanes = names.collect(),
                ("page", _) => lesson.page = rest.into(),
                ("question", _) => question = rest.into(),
                ("step", _) => lesson.steps.push(Step {
                    says: rest.into(),
                    question: std::mem::take(&mut question),
                    ..Step::default()
                }),
                (lane, Some(step)) => {
                    match rest.strip_prefix("expect ").and_then(quoted) {
                        Some(text) => {
                            step.claims.push((lane.into(), text.into()));
                        }
                        None => step.lines.push(Line::parse(line)?),
                    }
                }
                (key, None) => {
                    let name = key.strip_prefix("lesson ");
                    lesson.name = name.unwrap_or_default().into();
                    lesson.title = rest.into();
                }
            }
        }
        Ok(lesson)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lesson_is_complete_and_asks_before_its_last_step() {
        let lessons = all().unwrap();
        assert!(lessons.iter().map(|it| &*it.name).eq(NAMES));
        for lesson in lessons {
            let Lesson { name, title, lanes, page, steps } = &lesson;
            assert!(!name.is_empty() && !title.is_empty(), "{lesson:?}");
            let folder = zen_harness::folder!();
            let page = folder.join("../../../book/src").join(page);
            assert!(page.with_extension("md").is_file(), "{name}: {page:?}");
            assert!((3..=8).contains(&steps.len()), "{name}");
            let (last, others) = steps.split_last().unwrap();
            assert!(!last.question.is_empty(), "{name}: no question");
            assert!(others.iter().all(|it| it.question.is_empty()), "{name}");
            for step in steps {
                assert!(!step.claims.is_empty(), "{name}: {}", step.says);
                assert_eq!(step.says.matches(['.', '?']).count(), 1, "{name}");
                for (lane, _) in &step.claims {
                    assert!(lanes.contains(lane), "{name}: {lane}");
                }
            }
        }
    }
}
