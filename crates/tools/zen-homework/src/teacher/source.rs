//! The parts of a handout: the starters, and the crates of this workspace that
//! they and the checker need.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use zen_check::Dialect;

use super::markers;
use crate::assignment::{Assignment, BUILT};

/// Files by path, relative to the folder where they will be.
pub(crate) type Files = Vec<(PathBuf, Vec<u8>)>;

/// The package of this workspace that every handout contains.
const TOOL: &str = "zen-homework";
const CLIENT: &str = "zen-client";

/// These files of an assignment are not handed out.
const NOT_HANDED_OUT: [&str; 3] = ["wrong", "teacher.md", BUILT];

/// The feature and the files of this crate's part for teachers.
const TEACHERS: &str = "teacher";
const TEACHERS_FILES: [&str; 3] = ["teacher", "teacher.rs", "teaching.rs"];

/// The files below a folder, in order.
pub(crate) fn files_below(folder: &Path) -> Result<Files, String> {
    let mut files = Vec::new();
    collect(folder, Path::new(""), &mut files)?;
    files.sort();
    Ok(files)
}

/// The same; none if the folder does not exist.
pub(crate) fn files_below_if_any(folder: &Path) -> Result<Files, String> {
    match folder.is_dir() {
        true => files_below(folder),
        false => Ok(Vec::new()),
    }
}

fn collect(root: &Path, at: &Path, files: &mut Files) -> Result<(), String> {
    let in_path = |err| format!("{}: {err}", root.join(at).display());
    for entry in fs::read_dir(root.join(at)).map_err(in_path)? {
        let entry = entry.map_err(in_path)?;
        let path = at.join(entry.file_name());
        let kind = entry.file_type().map_err(in_path)?;
        if kind.is_dir() && entry.file_name() != BUILT {
            collect(root, &path, files)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).map_err(in_path)?;
            files.push((path, bytes));
        }
    }
    Ok(())
}

/// An assignment's files as students get them.
pub(crate) fn starter(assignment: &Assignment) -> Result<Files, String> {
    solved(assignment, &|_| false)
}

/// The same with the solution of these stages.
pub(crate) fn solved(
    assignment: &Assignment,
    is_solved: &dyn Fn(&str) -> bool,
) -> Result<Files, String> {
    let mut files = files_below(&assignment.folder)?;
    files.retain(|(path, _)| {
        !NOT_HANDED_OUT.iter().any(|name| path.starts_with(name))
    });
    for (path, bytes) in &mut files {
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        let text = markers::solved(text, is_solved).map_err(|what| {
            format!("{}: {}: {what}", assignment.name, path.display())
        })?;
        *bytes = text.0.into_bytes();
    }
    speak(assignment, &mut files);
    Ok(files)
}

/// Whether a student has changed none of these files.
pub(crate) fn is_starter(files: &Files, starter: &Files) -> bool {
    files.iter().all(|file| starter.contains(file))
}

/// Names the dialect for the student, and for the examination of the files.
pub(crate) fn speak(assignment: &Assignment, files: &mut Files) {
    let Some(seed) = assignment.dialect else { return };
    for (path, bytes) in files.iter_mut() {
        // A top-level key has to come before the first table.
        if path == Path::new("assignment.toml") {
            *bytes = [format!("dialect = {seed}\n").as_bytes(), bytes].concat();
        }
    }
    let page = include_str!("dialect.md").replace("SEED", &seed.to_string());
    let page = page + &Dialect::new(seed).page();
    files.push(("DIALECT.md".into(), page.into_bytes()));
}

/// The workspace that holds the assignments, as its manifests describe it.
pub(crate) struct Workspace {
    root: PathBuf,
    manifest: Table,
}

impl Workspace {
    pub(crate) fn open(root: &Path) -> Result<Self, String> {
        let manifest = read_manifest(&root.join("Cargo.toml"))?;
        Ok(Self { root: root.to_path_buf(), manifest })
    }

    /// The path of a dependency in this workspace.
    fn path(&self, dependency: &str) -> Option<&str> {
        let all = self.manifest["workspace"].get("dependencies")?;
        all.get(dependency)?.get("path")?.as_str()
    }

    /// Those of these assignments that Cargo builds.
    fn packages<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        let folder = self.root.join("crates/homework");
        let is_one =
            |name: &&&str| folder.join(name).join("Cargo.toml").is_file();
        names.iter().filter(is_one).copied().collect()
    }

    /// The crates of this workspace that are needed to build these assignments,
    /// the tool and the client.
    fn crates(&self, names: &[&str]) -> Result<Crates, String> {
        let mut crates = Crates::default();
        for name in self.packages(names) {
            let folder = self.root.join("crates/homework").join(name);
            let manifest = read_manifest(&folder.join("Cargo.toml"))?;
            self.follow(&manifest, &mut crates)?;
        }
        let folder = Path::new("crates/tools").join(TOOL);
        self.add(TOOL, &folder, &mut crates)?;
        // The pages about assignments use it to ask questions.
        let folder = Path::new("crates/listings").join(CLIENT);
        self.add(CLIENT, &folder, &mut crates)?;
        Ok(crates)
    }

    fn add(
        &self,
        name: &str,
        folder: &Path,
        crates: &mut Crates,
    ) -> Result<(), String> {
        if crates.own.iter().any(|(it, _, _)| it == name) {
            return Ok(());
        }
        let manifest =
            read_manifest(&self.root.join(folder).join("Cargo.toml"))?;
        let manifest = slim(manifest);
        let place = (name.to_string(), folder.to_path_buf(), manifest.clone());
        crates.own.push(place);
        self.follow(&manifest, crates)
    }

    fn follow(
        &self,
        manifest: &Table,
        crates: &mut Crates,
    ) -> Result<(), String> {
        for name in dependencies(manifest) {
            if let Some(folder) = self.path(&name) {
                self.add(&name, &PathBuf::from(folder), crates)?;
            }
            crates.dependencies.insert(name);
        }
        Ok(())
    }

    /// The Cargo.toml of a handout.
    fn handout_manifest(&self, names: &[&str], crates: &Crates) -> Table {
        let mut manifest = self.manifest.clone();
        let Some(Value::Table(workspace)) = manifest.get_mut("workspace")
        else {
            return manifest;
        };
        let names: Vec<Value> =
            self.packages(names).into_iter().map(Value::from).collect();
        let mut members = names.clone();
        members.push(Value::from("tools/*"));
        workspace.insert("members".into(), Value::Array(members));
        workspace.remove("default-members");
        if !names.is_empty() {
            workspace.insert("default-members".into(), Value::Array(names));
        }
        workspace.remove("exclude");
        if let Some(Value::Table(all)) = workspace.get_mut("dependencies") {
            all.retain(|name, _| crates.dependencies.contains(name));
            for (name, _, _) in &crates.own {
                if let Some(Value::Table(one)) = all.get_mut(name) {
                    let path = format!("tools/{name}");
                    one.insert("path".into(), Value::from(path));
                }
            }
        }
        manifest
    }

    /// The manifests of a handout, the crates they name, and the licences.
    pub(crate) fn tools(&self, names: &[&str]) -> Result<Files, String> {
        let crates = self.crates(names)?;
        let mut files = Vec::new();
        let manifest = self.handout_manifest(names, &crates);
        files.push(("Cargo.toml".into(), shown(&manifest)?));
        for (name, folder, manifest) in &crates.own {
            let to = Path::new("tools").join(name);
            files.push((to.join("Cargo.toml"), shown(manifest)?));
            for (path, bytes) in
                files_below(&self.root.join(folder).join("src"))?
            {
                let begins = |file: &str| path.starts_with(file);
                if name != TOOL || !TEACHERS_FILES.iter().any(|it| begins(it)) {
                    files.push((to.join("src").join(path), bytes));
                }
            }
        }
        for name in ["LICENSE-APACHE", "LICENSE-MIT", "Cargo.lock"] {
            let bytes = fs::read(self.root.join(name));
            let bytes = bytes.map_err(|err| format!("{name}: {err}"))?;
            files.push((name.into(), bytes));
        }
        Ok(files)
    }
}

#[derive(Default)]
struct Crates {
    /// From this workspace: name, folder, and the manifest to hand out.
    own: Vec<(String, PathBuf, Table)>,
    /// Everything on which any of them depends.
    dependencies: BTreeSet<String>,
}

fn read_manifest(path: &Path) -> Result<Table, String> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|err| format!("{}: {err}", path.display()))?;
    text.parse().map_err(|err| format!("{}: {err}", path.display()))
}

fn shown(manifest: &Table) -> Result<Vec<u8>, String> {
    let text = toml::to_string(manifest);
    text.map(String::into_bytes).map_err(|err| err.to_string())
}

/// The names under `[dependencies]` and `[target.*.dependencies]`.
fn dependencies(manifest: &Table) -> Vec<String> {
    let of = |table: &Table| match table.get("dependencies") {
        Some(Value::Table(all)) => all.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let mut names = of(manifest);
    if let Some(Value::Table(targets)) = manifest.get("target") {
        for target in targets.values().filter_map(Value::as_table) {
            names.extend(of(target));
        }
    }
    names
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
    let mut paid_for = Vec::new();
    if let Some(Value::Table(features)) = manifest.get_mut("features") {
        // The feature stays, but empty, so that it can still be named.
        if let Some(of) = features.get_mut(TEACHERS) {
            let all = std::mem::replace(of, Value::Array(Vec::new()));
            features.insert("default".into(), Value::Array(Vec::new()));
            paid_for = all.as_array().cloned().unwrap_or_default();
        }
    }
    if let Some(Value::Table(all)) = manifest.get_mut("dependencies") {
        for name in paid_for.iter().filter_map(Value::as_str) {
            all.remove(name.strip_prefix("dep:").unwrap_or(name));
        }
    }
    manifest
}
