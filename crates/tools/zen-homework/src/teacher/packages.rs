//! The packages of this workspace that a handout needs: what the assignments
//! are built with, the checker, and a client.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::source::{Files, files_below};
use crate::at::At;

const TOOL: &str = "zen-homework";

/// The folders of those that every handout contains. The pages about assignments
/// use the client to ask questions.
const ALWAYS: [&str; 2] =
    ["crates/tools/zen-homework", "crates/listings/zen-client"];

/// The feature and the files of this crate's part for teachers.
const TEACHERS: &str = "teacher";
const TEACHERS_FILES: [&str; 3] = ["teacher", "teacher.rs", "teaching.rs"];

/// The manifests of a handout of these assignments, the crates that they need,
/// and the licences.
pub(crate) fn needed(root: &Path, names: &[&str]) -> Result<Files, String> {
    let mut manifest = read(&root.join("Cargo.toml"))?;
    let homework = |name: &str| Path::new("crates/homework").join(name);
    // Cargo does not build all assignments.
    let built = names.iter().map(|it| homework(it).join("Cargo.toml"));
    let built = built.zip(names).filter(|(it, _)| root.join(it).is_file());
    let names: Vec<_> = built.map(|(_, name)| *name).collect();
    let mut open: Vec<PathBuf> = names.iter().map(|it| homework(it)).collect();
    open.extend(ALWAYS.map(PathBuf::from));
    let (mut seen, mut used) = (BTreeSet::new(), BTreeSet::new());
    let mut files = Files::new();
    while let Some(folder) = open.pop() {
        if !seen.insert(folder.clone()) {
            continue;
        }
        let own = slim(read(&root.join(&folder).join("Cargo.toml"))?);
        for name in dependencies(&own) {
            open.extend(place_of(&manifest, name));
            used.insert(name.clone());
        }
        if !folder.starts_with("crates/homework") {
            add(root, &folder, &own, &mut files)?;
        }
    }
    limit(&mut manifest, &names, &used);
    files.push(("Cargo.toml".into(), shown(&manifest)?));
    for name in ["LICENSE-APACHE", "LICENSE-MIT", "Cargo.lock"] {
        files.push((name.into(), fs::read(root.join(name)).at(name)?));
    }
    Ok(files)
}

fn read(manifest: &Path) -> Result<Table, String> {
    fs::read_to_string(manifest).at(manifest)?.parse().at(manifest)
}

fn shown(manifest: &Table) -> Result<Vec<u8>, String> {
    let text = toml::to_string(manifest);
    text.map(String::into_bytes).map_err(|err| err.to_string())
}

/// The names under `[dependencies]` and `[target.*.dependencies]`.
fn dependencies(manifest: &Table) -> impl Iterator<Item = &String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values);
    let all = targets.filter_map(Value::as_table).chain([manifest]);
    let all = all.filter_map(|it| it.get("dependencies")?.as_table());
    all.flat_map(Table::keys)
}

/// The folder of a dependency in this workspace.
fn place_of(workspace: &Table, name: &str) -> Option<PathBuf> {
    let all = workspace["workspace"].get("dependencies")?;
    Some(all.get(name)?.get("path")?.as_str()?.into())
}

/// Adds a crate below `tools`.
fn add(
    root: &Path,
    folder: &Path,
    manifest: &Table,
    files: &mut Files,
) -> Result<(), String> {
    let name = folder.file_name().unwrap_or_default();
    let to = Path::new("tools").join(name);
    files.push((to.join("Cargo.toml"), shown(manifest)?));
    for (path, bytes) in files_below(&root.join(folder).join("src"))? {
        let is_teachers = TEACHERS_FILES.iter().any(|it| path.starts_with(it));
        if name != TOOL || !is_teachers {
            files.push((to.join("src").join(path), bytes));
        }
    }
    Ok(())
}

/// Turns the manifest of this workspace into that of a handout with these
/// packages.
fn limit(manifest: &mut Table, names: &[&str], used: &BTreeSet<String>) {
    let Some(Value::Table(workspace)) = manifest.get_mut("workspace") else {
        return;
    };
    let members = [names, &["tools/*"]].concat();
    workspace.insert("members".into(), Value::from(members));
    workspace.remove("default-members");
    if !names.is_empty() {
        let names = Value::from(names.to_vec());
        workspace.insert("default-members".into(), names);
    }
    workspace.remove("exclude");
    if let Some(Value::Table(all)) = workspace.get_mut("dependencies") {
        all.retain(|name, _| used.contains(name));
        for (name, dependency) in all {
            if let Some(path) = dependency.get_mut("path") {
                *path = Value::from(format!("tools/{name}"));
            }
        }
    }
}

/// A tool's manifest without its tests, without programs outside its `src`, and
/// without the part for teachers.
fn slim(mut manifest: Table) -> Table {
    for section in ["dev-dependencies", "test", "bench", "example"] {
        manifest.remove(section);
    }
    if let Some(Value::Array(programs)) = manifest.get_mut("bin") {
        programs.retain(|program| {
            let path = program.get("path").and_then(Value::as_str);
            path.is_none_or(|path| path.starts_with("src/"))
        });
    }
    // The feature stays, but empty, so that it can still be named.
    let features = manifest.get_mut("features").and_then(Value::as_table_mut);
    let Some(features) = features.filter(|it| it.contains_key(TEACHERS)) else {
        return manifest;
    };
    let empty = || Value::Array(Vec::new());
    features.insert("default".into(), empty());
    let paid_for = features.insert(TEACHERS.into(), empty());
    if let (Some(Value::Table(all)), Some(Value::Array(names))) =
        (manifest.get_mut("dependencies"), paid_for)
    {
        for name in names.iter().filter_map(Value::as_str) {
            all.remove(name.strip_prefix("dep:").unwrap_or(name));
        }
    }
    manifest
}
