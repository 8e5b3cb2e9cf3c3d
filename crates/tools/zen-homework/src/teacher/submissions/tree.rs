//! What was delivered, as one tree: folders on the disk, and zips in them.
//!
//! Nothing is unpacked: a name in a zip never becomes a path on the disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use chrono::{Local, NaiveDate};
use unicode_normalization::UnicodeNormalization;
use zip::extra_fields::ExtraField;
use zip::read::ZipFile;
use zip::{DateTime, ZipArchive};

use crate::files::{FILE_BYTES_MAX, is_left_out};
use crate::project::KEPT;

/// The most files and folders of one student that are looked at.
const ENTRIES_MAX: usize = 20_000;

/// The largest zip within a zip.
const INNER_ZIP_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Zips in zips: a platform's, a student's, and one in that.
const ZIPS_DEEP_MAX: usize = 3;

/// How many folders deep a submission is looked at.
const FOLDERS_DEEP_MAX: usize = 24;

/// Archives that are named in a report, but not opened.
const OTHER_ARCHIVES: [&str; 9] =
    ["7z", "bz2", "gz", "rar", "tar", "tgz", "txz", "xz", "zst"];

trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

/// A zip, and a list of what is in it.
struct Archive {
    zip: RefCell<ZipArchive<Box<dyn Source>>>,
    /// In order, so that what is in a folder is together.
    entries: Vec<(Vec<String>, Node)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Folder,
    File,
    Link,
    /// A device, for instance, or a name in a zip that leads out of it.
    Odd,
}

/// A file or folder, on the disk or in a zip.
#[derive(Clone)]
pub(crate) struct Node {
    /// In Unicode's composed form, whichever form the disk or the zip has.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
    pub(crate) time: Option<SystemTime>,
    place: Place,
}

#[derive(Clone)]
enum Place {
    Disk(PathBuf),
    /// A file in a zip, by its number, and how many zips that is in others.
    Zip(Rc<Archive>, usize, usize),
    ZipFolder(Rc<Archive>, Vec<String>, usize),
    /// In the list of a zip, which does not refer to itself.
    Listed(usize),
}

/// A name as it is shown, without what a terminal would obey.
pub(crate) fn composed(name: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    name.nfc().map(shown).collect()
}

impl Node {
    /// What is at this path. A link is not followed.
    pub(crate) fn at(path: &Path) -> Result<Self, String> {
        let in_path = |err| format!("{}: {err}", path.display());
        let metadata = fs::symlink_metadata(path).map_err(in_path)?;
        let kind = match metadata.file_type() {
            it if it.is_dir() => Kind::Folder,
            it if it.is_file() => Kind::File,
            it if it.is_symlink() => Kind::Link,
            _ => Kind::Odd,
        };
        // `.` and `..` have names as well.
        let whole = match (path.file_name(), kind) {
            (None, Kind::Folder) => path.canonicalize().map_err(in_path)?,
            _ => path.to_path_buf(),
        };
        let name = whole.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: composed(&name),
            kind,
            bytes: metadata.len(),
            time: metadata.modified().ok(),
            place: Place::Disk(whole),
        })
    }

    pub(crate) fn disk(&self) -> Option<&Path> {
        match &self.place {
            Place::Disk(path) => Some(path),
            _ => None,
        }
    }

    fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = self.name.rsplit_once('.').map(|(_, it)| it);
        let is =
            |it: &str| extensions.iter().any(|e| it.eq_ignore_ascii_case(e));
        self.kind == Kind::File && extension.is_some_and(is)
    }

    pub(crate) fn is_zip(&self) -> bool {
        self.has_extension(&["zip"])
    }

    /// Whether there may be files in it.
    pub(crate) fn is_open(&self) -> bool {
        self.kind == Kind::Folder || self.is_zip()
    }

    pub(crate) fn is_other_archive(&self) -> bool {
        self.has_extension(&OTHER_ARCHIVES)
    }

    /// The name of a folder, also if it is still in a zip.
    pub(crate) fn stem(&self) -> &str {
        match self.is_zip() {
            true => &self.name[..self.name.len() - ".zip".len()],
            false => &self.name,
        }
    }

    /// What is in a folder or a zip, in order of the names.
    pub(crate) fn children(&self) -> Result<Vec<Self>, String> {
        if self.is_zip() {
            let (archive, deep) = self.archive()?;
            return Ok(in_zip(&archive, &[], deep));
        }
        match &self.place {
            Place::Disk(path) => {
                let in_path = |err| format!("{}: {err}", path.display());
                let entries = fs::read_dir(path).map_err(in_path)?;
                let mut children = entries
                    .map(|entry| Self::at(&entry.map_err(in_path)?.path()))
                    .collect::<Result<Vec<_>, _>>()?;
                children.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(children)
            }
            Place::ZipFolder(archive, at, deep) => {
                Ok(in_zip(archive, at, *deep))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The contents of a file that is small enough.
    pub(crate) fn read(&self) -> Result<Vec<u8>, String> {
        self.read_up_to(FILE_BYTES_MAX)
    }

    fn read_up_to(&self, most: u64) -> Result<Vec<u8>, String> {
        let named = |why: String| format!("{}: {why}", self.name);
        let mut bytes = Vec::new();
        // Its real size is not always the one that the zip states.
        let read = match &self.place {
            Place::Disk(path) => File::open(path)
                .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
                .map_err(|err| err.to_string()),
            Place::Zip(archive, index, _) => {
                let mut zip = archive.zip.borrow_mut();
                let file = zip.by_index(*index);
                file.map_err(|err| err.to_string()).and_then(|file| {
                    let read = file.take(most + 1).read_to_end(&mut bytes);
                    read.map_err(|err| err.to_string())
                })
            }
            _ => Err("it is no file".into()),
        };
        read.map_err(named)?;
        match bytes.len() as u64 > most {
            true => Err(named(format!("more than {} MiB", most >> 20))),
            false => Ok(bytes),
        }
    }

    fn archive(&self) -> Result<(Rc<Archive>, usize), String> {
        let named = |why: String| format!("{}: {why}", self.name);
        let (source, deep): (Box<dyn Source>, usize) = match &self.place {
            Place::Disk(path) => {
                let file = File::open(path);
                (Box::new(file.map_err(|err| named(err.to_string()))?), 1)
            }
            Place::Zip(_, _, deep) if *deep < ZIPS_DEEP_MAX => {
                let bytes = self.read_up_to(INNER_ZIP_BYTES_MAX)?;
                (Box::new(Cursor::new(bytes)), deep + 1)
            }
            _ => return Err(named("too many zips in each other".into())),
        };
        let zip = ZipArchive::new(source);
        let mut zip = zip.map_err(|err| named(format!("no zip: {err}")))?;
        let mut entries = Vec::new();
        for index in 0..zip.len() {
            if let Ok(file) = zip.by_index_raw(index) {
                entries.push(listed(&file, index));
            }
        }
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok((Rc::new(Archive { zip: RefCell::new(zip), entries }), deep))
    }
}

/// The entry of a zip: its path in it, and what it is.
fn listed<R: Read>(file: &ZipFile<'_, R>, index: usize) -> (Vec<String>, Node) {
    // macOS writes UTF-8, but does not say so.
    let name = std::str::from_utf8(file.name_raw());
    let name = composed(name.unwrap_or(file.name())).replace('\\', "/");
    let parts = name.split('/').filter(|it| !it.is_empty() && *it != ".");
    let parts: Vec<_> = parts.map(str::to_owned).collect();
    let leads_out = name.starts_with('/') || parts.iter().any(|it| it == "..");
    let kind = match () {
        () if leads_out => Kind::Odd,
        () if file.is_symlink() => Kind::Link,
        () if name.ends_with('/') => Kind::Folder,
        () => Kind::File,
    };
    let path = if leads_out { vec![name] } else { parts };
    let exact = file.extra_data_fields().find_map(|it| match it {
        ExtraField::ExtendedTimestamp(it) => it.mod_time(),
        _ => None,
    });
    let exact = exact.map(|seconds| {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into())
    });
    let time = exact.or_else(|| file.last_modified().and_then(local));
    let name = path.last().cloned().unwrap_or_default();
    let (bytes, place) = (file.size(), Place::Listed(index));
    (path, Node { name, kind, bytes, time, place })
}

/// A zip has the time of day of the machine that made it.
fn local(it: DateTime) -> Option<SystemTime> {
    let (year, month, day) = (it.year().into(), it.month(), it.day());
    let day = NaiveDate::from_ymd_opt(year, month.into(), day.into())?;
    let (hour, minute) = (it.hour().into(), it.minute().into());
    let time = day.and_hms_opt(hour, minute, it.second().into())?;
    let time = time.and_local_timezone(Local).earliest()?;
    // The year 1980 stands for no time at all.
    (it.year() > 1980).then(|| time.into())
}

/// What is in one folder of a zip.
fn in_zip(archive: &Rc<Archive>, at: &[String], deep: usize) -> Vec<Node> {
    let mut children = BTreeMap::new();
    let first = archive.entries.partition_point(|(path, _)| &path[..] < at);
    for (path, node) in &archive.entries[first..] {
        let Some(below) = path.strip_prefix(at) else { break };
        let [name, below @ ..] = below else { continue };
        let mut node = node.clone();
        node.name.clone_from(name);
        node.place = match (below, node.kind, node.place) {
            ([], Kind::Folder, _) | ([_, ..], _, _) => {
                node.kind = Kind::Folder;
                let folder = [at, std::slice::from_ref(name)].concat();
                Place::ZipFolder(archive.clone(), folder, deep)
            }
            (_, _, Place::Listed(index)) => {
                Place::Zip(archive.clone(), index, deep)
            }
            (_, _, place) => place,
        };
        children.insert(name.clone(), node);
    }
    children.into_values().collect()
}

/// What systems and platforms add to files, and no one means to hand in.
pub(crate) fn is_junk(name: &str) -> bool {
    const JUNK: [&str; 4] =
        ["__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"];
    name.starts_with("._") || JUNK.contains(&name)
}

/// A file of a student.
#[derive(Clone)]
pub(crate) struct Leaf {
    /// From the student's folder on; a zip counts as a folder.
    pub(crate) path: Vec<String>,
    pub(crate) node: Node,
    /// Which delivery it comes from, if there are several.
    pub(crate) delivery: usize,
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
