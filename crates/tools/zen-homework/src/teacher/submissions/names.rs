//! What the names of files and folders tell: a copy, a version, another name
//! for a file that is asked for.

use std::sync::LazyLock;

use regex::Regex;

/// What marks a copy or a version, at the end of a name.
static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(.+?)[-_ (]+(?:(\d+)\)*|(copy)|main|master)$").ok()
});

/// A name without what marks a copy: `framing (1)`, `Framing-2`, and
/// `framing-main`; and the number in that mark.
pub(crate) fn unmarked(name: &str) -> (String, u64) {
    let lower = name.trim().to_lowercase();
    let (mut name, mut number) = (&*lower, 0);
    // ILIAS begins a name with the time: 20261005083000_framing.
    let first = name.split_once('_').filter(|(time, _)| time.len() == 14);
    if let Some((Ok(time), rest)) = first.map(|(it, rest)| (it.parse(), rest)) {
        (name, number) = (rest, time);
    }
    let find = |name| MARK.as_ref().and_then(|it| it.captures(name));
    while let Some(found) = find(name) {
        let mark =
            found.get(2).map_or(0, |it| it.as_str().parse().unwrap_or(0));
        number = number.max(mark).max(u64::from(found.get(3).is_some()));
        name = found.get(1).map_or("", |it| it.as_str());
    }
    (name.into(), number)
}

/// Whether a folder of this name is that of an assignment, or a version of it.
pub(crate) fn means(folder: &str, assignment: &str) -> bool {
    let folder = unmarked(folder).0;
    let rest = folder.strip_prefix(assignment);
    rest.is_some_and(|it| it.is_empty() || it.starts_with('-'))
}

/// How sure it is that a file of this name is meant.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Likeness {
    /// There is another name before it or behind it.
    Likely,
    /// It is only marked as a copy.
    Sure,
}

/// None if it is another file.
pub(crate) fn likeness(name: &str, wanted: &str) -> Option<Likeness> {
    let name = name.to_lowercase();
    // Windows hides the second extension.
    let shown = name.strip_suffix(".txt").filter(|it| it.contains('.'));
    let name = shown.unwrap_or(&name);
    let Some((stem, extension)) = wanted.rsplit_once('.') else {
        return (name == wanted).then_some(Likeness::Sure);
    };
    let own = name.strip_suffix(extension)?.strip_suffix('.')?;
    let own = unmarked(own).0;
    let is_apart = |c: char| !c.is_alphanumeric();
    let behind = own.strip_prefix(stem);
    let before = own.strip_suffix(stem);
    if own == stem {
        Some(Likeness::Sure)
    } else if behind.is_some_and(|it| it.starts_with(is_apart))
        || before.is_some_and(|it| it.ends_with(is_apart))
    {
        Some(Likeness::Likely)
    } else {
        None
    }
}

/// Whether a name is that of a version or a copy, rather than a person's.
pub(crate) fn is_general(name: &str) -> bool {
    const GENERAL: &str = "attempt backup bak branch code copy crates dir draft final \
        handin handout homework hw latest main master new old original \
        part project src starter submission v version work zip";
    let lower = name.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphabetic());
    words.all(|it| it.is_empty() || GENERAL.split(' ').any(|one| one == it))
}
