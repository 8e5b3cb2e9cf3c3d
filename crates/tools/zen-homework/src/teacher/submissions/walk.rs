//! Looks through all that a student has handed in.

use std::path::PathBuf;

use super::tree::{FOLDERS_DEEP_MAX, Kind, Node, is_junk};
use crate::files::is_left_out;
use crate::project::KEPT;

/// The most files and folders of one student that are looked at.
const ENTRIES_MAX: usize = 20_000;

/// A file of a student.
#[derive(Clone)]
pub(crate) struct Leaf {
    /// From the student's folder on; a zip counts as a folder.
    pub(crate) path: Vec<String>,
    pub(crate) node: Node,
    /// Which delivery it comes from, if there are several.
    pub(crate) delivery: usize,
}

impl Leaf {
    /// Its contents, without the mark with which editors of Windows begin a
    /// text.
    pub(crate) fn read(&self) -> Result<Vec<u8>, String> {
        let mut bytes = self.node.read()?;
        if bytes.starts_with("\u{feff}".as_bytes()) {
            bytes.drain(.."\u{feff}".len());
        }
        Ok(bytes)
    }

    pub(crate) fn shown(&self) -> String {
        self.path.join("/")
    }
}

/// All that a student has handed in.
#[derive(Default)]
pub(crate) struct Walked {
    pub(crate) leaves: Vec<Leaf>,
    /// The path of what was not looked at, and why.
    pub(crate) left_out: Vec<(Vec<String>, String)>,
    /// Folders with a repository of their own, by their path.
    pub(crate) repositories: Vec<(Vec<String>, PathBuf)>,
    entries: usize,
}

impl Walked {
    /// Looks at everything below a file or folder, which has this path.
    pub(crate) fn add(
        &mut self,
        node: &Node,
        path: Vec<String>,
        delivery: usize,
    ) -> Result<(), String> {
        let mut without = |why: &str| {
            self.left_out.push((path.clone(), why.into()));
            Ok(())
        };
        match node.kind {
            Kind::Link => return without("a link, not followed"),
            Kind::Odd => return without("neither a file nor a folder"),
            Kind::File if node.is_other_archive() => {
                return without("only zips are opened");
            }
            Kind::File if !node.is_zip() => {
                self.leaves.push(Leaf { path, node: node.clone(), delivery });
                return Ok(());
            }
            _ => {}
        }
        if path.len() > FOLDERS_DEEP_MAX {
            return without("too deep");
        }
        let children = match node.children() {
            Ok(children) => children,
            Err(why) => return without(&why),
        };
        if children.iter().any(|it| it.name == "pyvenv.cfg") {
            return without("a virtual environment of Python");
        }
        // The tools of a handout.
        if node.name == "tools"
            && children.iter().any(|it| it.name == "zen-homework")
        {
            return Ok(());
        }
        for child in children {
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(format!("more than {ENTRIES_MAX} files"));
            }
            if is_junk(&child.name) || child.name == KEPT {
                continue;
            }
            if child.name == ".git" {
                let folder = child.disk().filter(|it| it.is_dir());
                let folder = folder.map(|it| (path.clone(), it.to_path_buf()));
                self.repositories.extend(folder);
                continue;
            }
            let path = [&path[..], &[child.stem().to_string()]].concat();
            if child.kind == Kind::Folder && is_left_out(&child.name) {
                self.left_out.push((path, "built or installed".into()));
                continue;
            }
            self.add(&child, path, delivery)?;
        }
        Ok(())
    }
}
