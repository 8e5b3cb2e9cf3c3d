//! The layouts in which platforms deliver a class: whose is this folder or
//! file?

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDateTime, Utc};
use regex::{Captures, Regex};
use yaml_rust2::{Yaml, YamlLoader};

use super::tree::{Kind, Node, composed, is_junk};

/// Who has delivered something, as far as its name says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Who {
    /// Empty for a folder that just has the student's name.
    pub(crate) platform: &'static str,
    /// What the platform calls the student, or the group.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) email: String,
    /// The platform says that it came too late.
    pub(crate) is_late: bool,
    pub(crate) time: Option<DateTime<Utc>>,
    /// Orders the files of one student if there is no time.
    pub(crate) attempt: u64,
    /// What the student has called the file.
    pub(crate) file: Option<String>,
}

/// What one student has delivered at once.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) who: Who,
    pub(crate) node: Node,
}

static MOODLE: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^(?<name>.+?)_(?<id>\d+)_assignsubmission_[a-z]+_?(?<file>.*)$")
});
static CANVAS: LazyLock<Regex> = LazyLock::new(|| {
    let after = r"_(?<attempt>\d+)_(?<file>.+)";
    let text = r"_(?<text>(text|link)\.html)";
    let anonymous = r"(?<late1>LATE_)?anon_(?<anonymous>[A-Za-z0-9]+)";
    let named = r"(?<name>.+?)(?<late2>_LATE)?_(?<id>\d+)";
    regex(&format!("^({anonymous}|{named})({after}|{text})$"))
});
static D2L: LazyLock<Regex> = LazyLock::new(|| {
    let date = r"(?<date>\w+\.? \w+,? \d{4} [\d:]{3,5}( ?[AP]M)?)";
    regex(&format!(
        r"^(?<id>\d+)-\d+ ?- ?(?<name>.+?) ?- ?{date}( ?- ?(?<file>.+))?$"
    ))
});
static BLACKBOARD: LazyLock<Regex> = LazyLock::new(|| {
    let date = r"(?<date>\d{4}(-\d\d){5})";
    regex(&format!(r"^.+_(?<id>[^_]+)_attempt_{date}(_(?<file>.+)|\.txt)$"))
});

static SAKAI: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?<name>[^()]+, [^()]+)\((?<id>[^()]+)\)$"));
static SHORT: LazyLock<Regex> = LazyLock::new(|| regex(r" (\d{3})( |$)"));

#[expect(clippy::unwrap_used, reason = "each is a constant, and is tested")]
fn regex(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

/// Formats of D2L's dates.
const D2L_DATES: [&str; 6] = [
    "%b %d %Y %I%M %p",
    "%b %d %Y %I:%M %p",
    "%b %d %Y %H%M",
    "%d %b %Y %I%M %p",
    "%d %b %Y %H%M",
    "%d %b %Y %H:%M",
];

/// Reads a name as a platform writes it. None if it is not such a name.
pub(crate) fn who(node: &Node) -> Option<Who> {
    let name = &node.name;
    let platforms: [(&'static str, &LazyLock<Regex>); 5] = [
        ("moodle", &MOODLE),
        ("blackboard", &BLACKBOARD),
        ("d2l", &D2L),
        ("canvas", &CANVAS),
        ("sakai", &SAKAI),
    ];
    let (platform, found) = platforms
        .into_iter()
        // These two deliver no folders.
        .filter(|(it, _)| {
            node.kind == Kind::File || !["canvas", "blackboard"].contains(it)
        })
        .find_map(|(platform, it)| Some((platform, it.captures(name)?)))?;
    let part = |name: &str| {
        let part = found.name(name).map_or("", |it| it.as_str());
        (!part.is_empty()).then(|| part.to_string())
    };
    let file = part("file").or_else(|| part("text"));
    let id = part("id").or_else(|| part("anonymous")).unwrap_or_default();
    let late = |name: &str| found.name(name).is_some();
    let attempt = part("attempt").and_then(|it| it.parse().ok());
    Some(Who {
        platform,
        name: part("name").unwrap_or_else(|| id.clone()),
        id,
        is_late: platform == "canvas" && (late("late1") || late("late2")),
        time: date(platform, &found),
        attempt: attempt.unwrap_or(0),
        file,
        ..Who::default()
    })
}

/// The time in a name. A platform writes its own local time, which is taken for
/// that of this machine.
fn date(platform: &str, found: &Captures<'_>) -> Option<DateTime<Utc>> {
    let text = found.name("date")?.as_str();
    if platform == "blackboard" {
        return local(NaiveDateTime::parse_from_str(text, "%Y-%m-%d-%H-%M-%S"));
    }
    let text = text.replace([',', '.'], "");
    // A quarter to nine is written 845.
    let text = SHORT.replace(&text, " 0$1$2");
    let formats = D2L_DATES.iter();
    let mut times = formats.map(|it| NaiveDateTime::parse_from_str(&text, it));
    times.find_map(local)
}

fn local(
    time: Result<NaiveDateTime, chrono::ParseError>,
) -> Option<DateTime<Utc>> {
    let time = time.ok()?.and_local_timezone(chrono::Local).earliest()?;
    Some(time.to_utc())
}

/// The student of a repository that was cloned from one for each student, such
/// as `framing-ada`, or from a zip of it.
fn cloned(name: &str, assignments: &[String]) -> Option<Who> {
    let lower = name.to_lowercase();
    assignments.iter().find_map(|assignment| {
        let lead = format!("{assignment}-");
        let at = match lower.starts_with(&lead) {
            true => 0,
            false => lower.find(&format!("-{lead}"))? + 1,
        };
        let user = name.get(at + lead.len()..)?;
        let user = ["-main", "-master"]
            .iter()
            .find_map(|it| user.strip_suffix(it))
            .unwrap_or(user);
        (!user.is_empty() && !is_general(user)).then(|| Who {
            platform: "github",
            id: user.into(),
            name: user.into(),
            ..Who::default()
        })
    })
}

/// Whether a name is that of a version or a copy, rather than a person's.
pub(crate) fn is_general(name: &str) -> bool {
    const GENERAL: &str = "attempt backup bak branch code copy crates dir draft final \
        handin handout homework hw latest main master new old original \
        part project src starter submission v version work zip";
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphabetic());
    words
        .filter(|it| !it.is_empty())
        .all(|it| GENERAL.split(' ').any(|general| general == it))
}

/// The students of a Gradescope export, by the name of the submission.
type Metadata = BTreeMap<String, Vec<Who>>;

/// The folder with the students' folders, in a course of nbgrader's.
const SUBMITTED: &str = "submitted";
pub(crate) const NBGRADER: &str = "nbgrader";

const METADATA: &str = "submission_metadata.yml";

/// Reads the names from Gradescope's file, whose keys are Ruby's symbols.
pub(crate) fn metadata(text: &str) -> Result<Metadata, String> {
    let documents = YamlLoader::load_from_str(text)
        .map_err(|err| format!("{METADATA}: {err}"))?;
    let mut all = Metadata::new();
    let submissions = documents.first().and_then(Yaml::as_hash);
    for (folder, it) in submissions.into_iter().flatten() {
        let Some(folder) = folder.as_str() else { continue };
        let word = |of: &Yaml, key: &str| match &of[key] {
            Yaml::String(it) | Yaml::Real(it) => composed(it),
            Yaml::Integer(it) => it.to_string(),
            _ => String::new(),
        };
        let time = word(it, ":created_at");
        let time = DateTime::parse_from_str(&time, "%Y-%m-%d %H:%M:%S%.f %z")
            .or_else(|_| DateTime::parse_from_rfc3339(&time))
            .map(|it| it.to_utc())
            .or_else(|_| utc(&time).ok_or(()));
        let people = it[":submitters"].as_vec().into_iter().flatten();
        let people = people.map(|person| {
            let email = word(person, ":email");
            let id = match word(person, ":sid") {
                id if id.is_empty() => email.clone(),
                id => id,
            };
            let (name, time) = (word(person, ":name"), time.ok());
            let platform = "gradescope";
            Who { platform, id, name, email, time, ..Who::default() }
        });
        all.insert(folder.into(), people.collect());
    }
    Ok(all)
}

/// A time such as `2026-10-05 23:59:10.5 UTC`.
pub(crate) fn utc(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim().trim_end_matches(['Z', 'U', 'T', 'C', ' ']);
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f");
    Some(time.ok()?.and_utc())
}

/// All that was delivered, and what no one can be found for.
#[derive(Default)]
pub(crate) struct Delivered {
    pub(crate) all: Vec<Delivery>,
    pub(crate) asked: Vec<String>,
}

impl Delivered {
    /// Adds all that was given: students' folders and zips, files whose name
    /// says whose they are, or whole classes. It is taken for classes only if
    /// all of it looks like that, or a student could hand in the folder of a
    /// class, with works in the name of others.
    pub(crate) fn add_all(
        &mut self,
        nodes: Vec<Node>,
        assignments: &[String],
    ) -> Result<(), String> {
        let mut classes = Vec::new();
        let mut others = Vec::new();
        for node in nodes {
            let is_told = who(&node).is_some() || self.beside(&node)?.is_some();
            let children = match node.is_open() && !is_told {
                true => class(&node, assignments, 0)?,
                false => None,
            };
            match children {
                Some(children) => classes.push((node, children)),
                None => others.push((node, is_told)),
            }
        }
        let is_student =
            |(node, is_told): &(Node, bool)| node.is_open() || *is_told;
        let is_class = !others.iter().any(is_student);
        for (node, children) in classes {
            match is_class {
                true => self.add_class(children, assignments)?,
                false => self.add(node, assignments)?,
            }
        }
        for (node, _) in others {
            self.add(node, assignments)?;
        }
        Ok(())
    }

    /// Adds a student's folder or zip, or a file whose name says whose it is.
    fn add(
        &mut self,
        node: Node,
        assignments: &[String],
    ) -> Result<(), String> {
        if is_junk(&node.name) || node.name == "index.html" {
            return Ok(());
        }
        if node.name == METADATA {
            return Ok(());
        }
        if let Some(beside) = self.beside(&node)? {
            return self.add_submission(&node, &beside);
        }
        if let Some(who) = who(&node) {
            self.add_from(who, node);
        } else if !node.is_open() {
            let what = match node.kind {
                Kind::Link => "a link, which is not followed",
                _ if node.is_other_archive() => {
                    "an archive that is not opened: unpack it"
                }
                _ => "a file whose name does not say whose it is",
            };
            self.asked.push(format!("{}: {what}", node.name));
        } else {
            let who = cloned(node.stem(), assignments);
            let name = node.stem().to_string();
            let around = node.disk().and_then(|it| it.parent());
            let plain = match around.is_some_and(|it| it.ends_with(SUBMITTED)) {
                true => Who {
                    platform: NBGRADER,
                    id: name.clone(),
                    name,
                    ..Who::default()
                },
                false => Who { name, ..Who::default() },
            };
            self.add_from(who.unwrap_or(plain), node);
        }
        Ok(())
    }

    fn add_from(&mut self, who: Who, node: Node) {
        // Blackboard's receipt, which is no work.
        if who.platform != "blackboard" || who.file.is_some() {
            self.all.push(Delivery { who, node });
        }
    }

    fn add_class(
        &mut self,
        children: Vec<Node>,
        assignments: &[String],
    ) -> Result<(), String> {
        let file = children.iter().find(|it| it.name == METADATA);
        let names = file.map(read_metadata).transpose()?.unwrap_or_default();
        for child in children {
            match names.contains_key(&child.name) {
                true => self.add_submission(&child, &names)?,
                false => self.add(child, assignments)?,
            }
        }
        Ok(())
    }

    /// Gradescope's file beside a submission that is given alone.
    fn beside(&self, node: &Node) -> Result<Option<Metadata>, String> {
        if !node.name.starts_with("submission_") {
            return Ok(None);
        }
        let folder = node.disk().and_then(|it| it.parent());
        let file = folder.map(|it| it.join(METADATA));
        match file.filter(|it| it.is_file()) {
            Some(file) => Ok(Some(read_metadata(&Node::at(&file)?)?)),
            None => Ok(None),
        }
    }

    /// One submission of an export, which several students may have made.
    fn add_submission(
        &mut self,
        node: &Node,
        names: &Metadata,
    ) -> Result<(), String> {
        match names.get(&node.name).map(Vec::as_slice) {
            None | Some([]) => {
                self.asked.push(format!("{}: not in {METADATA}", node.name));
            }
            Some(people) => {
                for who in people {
                    self.add_from(who.clone(), node.clone());
                }
            }
        }
        Ok(())
    }
}

fn read_metadata(node: &Node) -> Result<Metadata, String> {
    metadata(&String::from_utf8_lossy(&node.read()?))
}

/// The folders and files of a class, if this is one, perhaps within the folder
/// of an archive.
fn class(
    node: &Node,
    assignments: &[String],
    deep: usize,
) -> Result<Option<Vec<Node>>, String> {
    // A student's zip that cannot be read is found out later.
    let Ok(mut children) = node.children() else { return Ok(None) };
    children.retain(|it| !is_junk(&it.name));
    let is_repository = |it: &Node| {
        let inside = it.disk().map(|it| it.join(".git"));
        inside.is_some_and(|it| it.exists())
            && cloned(&it.name, assignments).is_some()
    };
    let told = children.iter().filter(|it| who(it).is_some()).count();
    let is_class = node.name == SUBMITTED
        || node.name.ends_with("-submissions")
        || (told > 0 && told * 2 >= children.len())
        || children.iter().any(|it| it.name == METADATA)
        || children.iter().filter(|it| is_repository(it)).count() > 1;
    match (&children[..], is_class) {
        (_, true) => Ok(Some(children)),
        ([one], false) if deep < 2 && one.is_open() => {
            class(one, assignments, deep + 1)
        }
        _ => Ok(None),
    }
}
