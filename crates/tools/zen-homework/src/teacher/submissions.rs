//! From what a platform delivers to "this student, this assignment, these
//! files".
//!
//! - [`tree`]: folders and zips as one tree;
//! - [`layout`]: whose is this folder or file?
//! - [`walk`]: all files of one student;
//! - [`names`]: what the name of a file or folder tells;
//! - [`copies`]: which of these files may be the work on an assignment?
//! - [`works`]: which copy of the work counts?
//! - [`commit`]: when was it committed?

mod commit;
mod copies;
mod layout;
mod names;
#[cfg(test)]
mod tests;
mod tree;
mod walk;
mod works;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use copies::{Sought, Submission};
use layout::{BLACKBOARD, Delivered, Delivery, Who};
use tree::{Kind, Node, composed, is_junk};
use walk::Walked;

pub(crate) use works::Found;

use super::roster::{Roster, Student};
use super::source::{self, Files};
use crate::assignment::Assignment;

/// What a student has handed in for each assignment, or why that is unclear.
pub(crate) type Works = BTreeMap<String, Result<Found, String>>;

/// All that was delivered.
#[derive(Default)]
pub(crate) struct Submitted {
    pub(crate) students: Vec<(Student, Works)>,
    /// The assignments that are meant.
    pub(crate) assignments: BTreeSet<String>,
    /// What cannot be graded, because it does not say whose it is.
    pub(crate) asked: Vec<String>,
}

/// Finds the work of all students on the named assignments, or on all that
/// anyone has evidently handed in.
pub(crate) fn collect(
    paths: &[PathBuf],
    all: &[Assignment],
    named: &[String],
    roster: Option<&Roster>,
) -> Result<Submitted, String> {
    let names: Vec<_> = all.iter().map(|it| it.name.clone()).collect();
    let delivered = Delivered::new(nodes(paths, &names)?, &names)?;
    let Delivered { all: deliveries, mut asked, .. } = delivered;
    let class = students(deliveries, roster, &mut asked)?;
    let starters = all.iter().map(source::starter);
    let starters = starters.collect::<Result<Vec<_>, _>>()?;
    let find = |named: &BTreeSet<String>| {
        let mut sought = sought(all, &starters, &names);
        if !named.is_empty() {
            sought.retain(|it| named.contains(&it.assignment.name));
        }
        for it in &mut sought {
            it.is_only = named.len() == 1;
        }
        let found = class.iter().map(|(student, deliveries)| {
            (student.clone(), works(deliveries, &sought))
        });
        found.collect::<Vec<_>>()
    };
    let mut assignments: BTreeSet<_> = named.iter().cloned().collect();
    let mut students = find(&assignments);
    if assignments.is_empty() {
        let works = students.iter().flat_map(|(_, works)| works);
        let evident = works
            .filter(|(_, it)| it.as_ref().is_ok_and(|found| found.is_evident));
        assignments = evident.map(|(name, _)| name.clone()).collect();
        // If all is about one assignment, any `main.rs` belongs to that.
        if assignments.len() == 1 {
            students = find(&assignments);
        }
    }
    if !assignments.is_empty() {
        for (_, works) in &mut students {
            works.retain(|name, _| assignments.contains(name));
        }
        students.extend(missing(roster, &class, &assignments));
    }
    Ok(Submitted { students, assignments, asked })
}

/// The students in the roster who have handed in nothing.
fn missing<'a>(
    roster: Option<&'a Roster>,
    class: &'a [(Student, Vec<Delivery>)],
    assignments: &'a BTreeSet<String>,
) -> impl Iterator<Item = (Student, Works)> {
    let listed = roster.into_iter().flat_map(|it| &it.students);
    let is_missing =
        |it: &&Student| !class.iter().any(|(present, _)| present.row == it.row);
    listed.filter(is_missing).map(|student| {
        let nothing = || Err("nothing was handed in".to_string());
        let works = assignments.iter().map(|it| (it.clone(), nothing()));
        (student.clone(), works.collect())
    })
}

/// What tells the assignments apart.
fn sought<'a>(
    all: &'a [Assignment],
    starters: &'a [Files],
    names: &'a [String],
) -> Vec<Sought<'a>> {
    let mut count: BTreeMap<_, usize> = BTreeMap::new();
    for (path, _) in starters.iter().flatten() {
        *count.entry(path.file_name()).or_default() += 1;
    }
    let one = |(assignment, starter): (&'a Assignment, &'a Files)| {
        let own_files = starter.iter().map(|(path, _)| path.as_path());
        let own_files = own_files
            .filter(|it| assignment.may_change(it))
            .filter(|it| count[&it.file_name()] == 1)
            .collect();
        Sought { assignment, starter, names, own_files, is_only: false }
    };
    all.iter().zip(starters).map(one).collect()
}

/// What is at these paths, in order of the names.
fn nodes(paths: &[PathBuf], names: &[String]) -> Result<Vec<Node>, String> {
    let nodes = paths.iter().map(|path| Node::on_disk(path));
    let mut nodes = nodes.collect::<Result<Vec<_>, _>>()?;
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    // With `*/framing`, the folders around have the students' names.
    if nodes.len() > 1 && nodes.iter().all(|it| names.contains(&it.name)) {
        for node in &mut nodes {
            let around = node.disk().and_then(|it| it.parent()?.file_name());
            if let Some(around) = around {
                node.name = composed(&around.to_string_lossy());
            }
        }
    }
    Ok(nodes)
}

/// All deliveries of each student, in order of the names.
fn students(
    deliveries: Vec<Delivery>,
    roster: Option<&Roster>,
    asked: &mut Vec<String>,
) -> Result<Vec<(Student, Vec<Delivery>)>, String> {
    let mut class: BTreeMap<_, (Student, Vec<Delivery>)> = BTreeMap::new();
    for delivery in deliveries {
        let Who { platform, id, name, email, is_late, .. } = &delivery.who;
        let listed = roster.and_then(|it| {
            it.find([id, email, name]).map(|at| &it.students[at])
        });
        let key = match (listed, &**id) {
            (Some(listed), _) => (listed.row, String::new(), String::new()),
            (None, "") => (None, String::new(), name.clone()),
            (None, _) => (None, platform.clone(), id.clone()),
        };
        let (student, all) = class.entry(key).or_insert_with(|| {
            let unknown = Student { name: name.clone(), ..Student::default() };
            (listed.cloned().unwrap_or(unknown), Vec::new())
        });
        if all.iter().any(|it| is_other(it, &delivery)) {
            return Err(format!("two students are called {name}"));
        }
        student.platform.clone_from(platform);
        student.is_late |= is_late;
        student.id.clone_from(id);
        if !email.is_empty() {
            student.email.clone_from(email);
        }
        all.push(delivery);
    }
    let mut class: Vec<_> = class.into_values().collect();
    if roster.is_some() {
        let strangers = class.iter().filter(|(it, _)| it.row.is_none());
        asked.extend(strangers.map(|(it, _)| {
            format!("{}: not in the roster; graded all the same", it.name)
        }));
    }
    distinguish(&mut class)?;
    class.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    Ok(class)
}

/// Whether two folders of the same name are of different students: a folder and
/// the zip from which it was unpacked are not.
fn is_other(a: &Delivery, b: &Delivery) -> bool {
    let around = |it: &Delivery| it.node.disk()?.parent().map(PathBuf::from);
    let is_plain = a.who.platform.is_empty() && b.who.platform.is_empty();
    let is_same = a.node.kind != b.node.kind && around(a) == around(b);
    is_plain && a.who.name == b.who.name && !is_same
}

/// Adds the platform's number to a name that several students have.
fn distinguish(class: &mut [(Student, Vec<Delivery>)]) -> Result<(), String> {
    let names: Vec<_> = class.iter().map(|it| it.0.name.clone()).collect();
    let mut seen = BTreeSet::new();
    for (student, _) in class {
        let number = names.iter().filter(|it| **it == student.name).count();
        if number > 1 && !student.id.is_empty() {
            student.name = format!("{} ({})", student.name, student.id);
        }
        if !seen.insert(student.name.clone()) {
            return Err(format!("two students are called {}", student.name));
        }
    }
    Ok(())
}

/// Looks through all that one student has delivered.
fn works(deliveries: &[Delivery], sought: &[Sought<'_>]) -> Works {
    let mut walked = Walked::default();
    let mut added = Ok(());
    for (number, Delivery { who, node }) in deliveries.iter().enumerate() {
        let mut path = Vec::new();
        if deliveries.len() > 1 && node.kind == Kind::Folder {
            path.push(node.name.clone());
        }
        if let Some(file) = &who.file {
            if is_junk(file) {
                continue;
            }
            // It delivers all attempts in the same folder.
            if who.platform == BLACKBOARD {
                let time = who.time.map_or(String::new(), |it| it.to_string());
                path.push(format!("attempt {time}"));
            }
            path.push(file.strip_suffix(".zip").unwrap_or(file).into());
        }
        added = added.and(walked.add(node, path, number));
    }
    let folder = match deliveries {
        [one] if one.who.file.is_none() => one.node.stem(),
        _ => "",
    };
    let people: Vec<_> = deliveries.iter().map(|it| it.who.clone()).collect();
    let submission =
        Submission { folder, walked: &walked, deliveries: &people };
    let one = |it: &Sought<'_>| {
        let found = added.clone().and_then(|()| works::find(it, &submission));
        (it.assignment.name.clone(), found)
    };
    sought.iter().map(one).collect()
}
