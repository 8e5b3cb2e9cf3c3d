//! The layouts in which platforms deliver a class: whose is this folder or
//! file?

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use yaml_rust2::{Yaml, YamlLoader};

use super::names::is_general;
use super::tree::{Kind, Node, composed, is_junk};
use crate::at::At;
use crate::teacher::times;

/// Who has delivered something, as far as its name says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Who {
    /// Empty for a folder that just has the student's name.
    pub(crate) platform: String,
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

/// How platforms name what they deliver.
#[derive(Deserialize)]
struct Layouts {
    times: Vec<String>,
    layout: Vec<Layout>,
}

#[derive(Deserialize)]
struct Layout {
    platform: String,
    #[serde(default)]
    only: Only,
    pattern: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Only {
    #[default]
    Both,
    Files,
    Folders,
}

pub(crate) const BLACKBOARD: &str = "blackboard";
const GITHUB: &str = "github";
pub(crate) const NBGRADER: &str = "nbgrader";

/// The folder with the students' folders, in a course of nbgrader's.
const SUBMITTED: &str = "submitted";

/// Gradescope's file with the names, which is beside the submissions.
const METADATA: &str = "submission_metadata.yml";

/// All that was delivered, and what no one can be found for.
pub(crate) struct Delivered {
    pub(crate) all: Vec<Delivery>,
    pub(crate) asked: Vec<String>,
    times: Vec<String>,
    layouts: Vec<(Layout, Regex)>,
    /// The students of Gradescope's submissions, by the name of the folder.
    submitters: BTreeMap<String, Vec<Who>>,
}

impl Delivered {
    /// Takes all that was given: students' folders and zips, files whose name
    /// says whose they are, or whole classes. It is taken for classes only if
    /// all of it looks like that, or a student could hand in the folder of a
    /// class, with works in the name of others.
    pub(crate) fn new(
        nodes: Vec<Node>,
        assignments: &[String],
    ) -> Result<Self, String> {
        let names = assignments.iter().map(|it| regex::escape(it));
        let names = names.collect::<Vec<_>>().join("|");
        let known: Layouts = toml::from_str(include_str!("layouts.toml"))
            .map_err(|err| err.to_string())?;
        let layouts = known.layout.into_iter().map(|it| {
            let pattern = it.pattern.replace("ASSIGNMENT", &names);
            let mut pattern = RegexBuilder::new(&pattern);
            let pattern = pattern.ignore_whitespace(true).build();
            pattern.map(|pattern| (it, pattern)).at("layouts.toml")
        });
        let mut delivered = Self {
            all: Vec::new(),
            asked: Vec::new(),
            times: known.times,
            layouts: layouts.collect::<Result<_, _>>()?,
            submitters: BTreeMap::new(),
        };
        let around = nodes.iter().filter(|it| is_submission(it));
        let around = around.filter_map(|it| it.disk()?.parent());
        for folder in around.collect::<BTreeSet<_>>() {
            if let Ok(file) = Node::on_disk(&folder.join(METADATA)) {
                delivered.learn(&file)?;
            }
        }
        let classes: Vec<_> =
            nodes.iter().map(|it| delivered.class(it, 0)).collect();
        let mut with_classes = nodes.iter().zip(&classes);
        let has_student = with_classes.any(|(node, class)| {
            class.is_none() && (node.is_open() || delivered.says_whose(node))
        });
        for (node, class) in nodes.into_iter().zip(classes) {
            match class.filter(|_| !has_student) {
                Some(children) => delivered.add_class(children)?,
                None => delivered.add(node),
            }
        }
        Ok(delivered)
    }

    /// Reads the names of a platform's students from its file.
    fn learn(&mut self, file: &Node) -> Result<(), String> {
        let text = String::from_utf8_lossy(&file.read()?).into_owned();
        self.submitters.extend(submitters(&text).at(METADATA)?);
        Ok(())
    }

    /// Reads a name as a platform writes it. None if it is not such a name.
    fn who(&self, node: &Node) -> Option<Who> {
        let (layout, found) =
            self.layouts.iter().find_map(|(it, pattern)| {
                let name = match it.only {
                    Only::Files if node.kind != Kind::File => return None,
                    Only::Folders if !node.is_open() => return None,
                    Only::Folders => node.stem(),
                    _ => &node.name,
                };
                Some((it, pattern.captures(name)?))
            })?;
        let part = |name: &str| {
            let part = found.name(name).map_or("", |it| it.as_str());
            (!part.is_empty()).then(|| part.to_string())
        };
        let id = part("id").unwrap_or_default();
        if layout.platform == GITHUB && is_general(&id) {
            return None;
        }
        let attempt = part("attempt").and_then(|it| it.parse().ok());
        Some(Who {
            platform: layout.platform.clone(),
            name: part("name").unwrap_or_else(|| id.clone()),
            id,
            email: String::new(),
            is_late: part("late").is_some(),
            time: part("time").and_then(|it| self.time(&it)),
            attempt: attempt.unwrap_or(0),
            file: part("file").or_else(|| part("text")),
        })
    }

    /// The time in a name.
    fn time(&self, text: &str) -> Option<DateTime<Utc>> {
        let text = text.replace([',', '.'], "");
        let words = text.split(' ').map(|it| {
            let is_short = it.len() == 3 && it.parse::<u16>().is_ok();
            if is_short { format!("0{it}") } else { it.into() }
        });
        times::read(&words.collect::<Vec<_>>().join(" "), &self.times)
    }

    /// Whether a name, or a file beside, says that this is one student's.
    fn says_whose(&self, node: &Node) -> bool {
        let who = self.who(node).is_some_and(|it| it.platform != GITHUB);
        who || is_submission(node) && !self.submitters.is_empty()
    }

    /// Adds a student's folder or zip, or a file whose name says whose it is.
    fn add(&mut self, node: Node) {
        let name = node.stem().to_string();
        if is_junk(&node.name)
            || ["index.html", METADATA].contains(&&*node.name)
        {
            return;
        }
        if is_submission(&node) && !self.submitters.is_empty() {
            // Several students may have made one.
            let people = self.submitters.get(&node.name);
            let people = people.into_iter().flatten();
            let before = self.all.len();
            self.all.extend(
                people.map(|who| Delivery {
                    who: who.clone(),
                    node: node.clone(),
                }),
            );
            if self.all.len() == before {
                self.asked.push(format!("{}: not in {METADATA}", node.name));
            }
        } else if let Some(who) = self.who(&node) {
            // Blackboard's receipt is no work.
            if who.platform != BLACKBOARD || who.file.is_some() {
                self.all.push(Delivery { who, node });
            }
        } else if node.is_open() {
            let around = node.disk().and_then(Path::parent);
            let (platform, id) =
                match around.is_some_and(|it| it.ends_with(SUBMITTED)) {
                    true => (NBGRADER, name.clone()),
                    false => ("", String::new()),
                };
            let platform = platform.into();
            let who = Who { platform, id, name, ..Who::default() };
            self.all.push(Delivery { who, node });
        } else {
            let what = match node.kind {
                Kind::Link => "a link, which is not followed",
                _ if node.is_other_archive() => {
                    "an archive that is not opened: unpack it"
                }
                _ => "a file whose name does not say whose it is",
            };
            self.asked.push(format!("{}: {what}", node.name));
        }
    }

    fn add_class(&mut self, children: Vec<Node>) -> Result<(), String> {
        if let Some(file) = children.iter().find(|it| it.name == METADATA) {
            self.learn(file)?;
        }
        children.into_iter().for_each(|child| self.add(child));
        Ok(())
    }

    /// The folders and files of a class, if this is one, perhaps within the
    /// folder of an archive.
    fn class(&self, node: &Node, deep: usize) -> Option<Vec<Node>> {
        if !node.is_open() || self.says_whose(node) {
            return None;
        }
        // A student's zip that cannot be read is found out later.
        let mut children = node.children().ok()?;
        children.retain(|it| !is_junk(&it.name));
        let people: Vec<_> =
            children.iter().map(|it| (it, self.who(it))).collect();
        let repositories = people.iter().filter(|(it, who)| {
            let is_one = who.as_ref().is_some_and(|it| it.platform == GITHUB);
            is_one && it.disk().is_some_and(|it| it.join(".git").exists())
        });
        let told = children.iter().filter(|it| self.says_whose(it)).count();
        let is_class = node.name == SUBMITTED
            || node.name.ends_with("-submissions")
            || (told > 0 && told * 2 >= children.len())
            || children.iter().any(|it| it.name == METADATA)
            || repositories.count() > 1;
        match &children[..] {
            _ if is_class => Some(children),
            [one] if deep < 2 => self.class(one, deep + 1),
            _ => None,
        }
    }
}

/// Whether this may be a submission of Gradescope's.
fn is_submission(node: &Node) -> bool {
    node.name.starts_with("submission_") && node.name != METADATA
}

/// Reads Gradescope's file, whose keys are Ruby's symbols.
fn submitters(
    text: &str,
) -> Result<BTreeMap<String, Vec<Who>>, yaml_rust2::ScanError> {
    let documents = YamlLoader::load_from_str(text)?;
    let word = |of: &Yaml, key: &str| match &of[key] {
        Yaml::String(it) | Yaml::Real(it) => composed(it),
        Yaml::Integer(it) => it.to_string(),
        _ => String::new(),
    };
    let submissions = documents.first().and_then(Yaml::as_hash);
    let submissions = submissions.into_iter().flatten();
    let submissions = submissions.filter_map(|(folder, it)| {
        let time = times::zoned(&word(it, ":created_at"));
        let people = it[":submitters"].as_vec().into_iter().flatten();
        let people = people.map(|person| {
            let email = word(person, ":email");
            let id = match word(person, ":sid") {
                id if id.is_empty() => email.clone(),
                id => id,
            };
            let name = word(person, ":name");
            let platform = "gradescope".into();
            Who { platform, id, name, email, time, ..Who::default() }
        });
        Some((folder.as_str()?.into(), people.collect()))
    });
    Ok(submissions.collect())
}
