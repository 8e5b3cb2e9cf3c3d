//! What was delivered, as one tree: folders on the disk, and zips in them.
//!
//! Nothing is unpacked: a name in a zip never becomes a path on the disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use chrono::{DateTime, NaiveDateTime, Utc};
use unicode_normalization::UnicodeNormalization;
use zip::ZipArchive;
use zip::extra_fields::ExtraField;
use zip::read::ZipFile;

use crate::at::At;
use crate::files::FILE_BYTES_MAX;
use crate::teacher::times;

/// The largest zip within a zip.
const INNER_ZIP_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Zips in zips: a platform's, a student's, and one in that.
const ZIPS_DEEP_MAX: usize = 3;

/// How many folders deep a submission is looked at.
pub(crate) const FOLDERS_DEEP_MAX: usize = 24;

/// Archives that are named in a report, but not opened.
const OTHER_ARCHIVES: [&str; 9] =
    ["7z", "bz2", "gz", "rar", "tar", "tgz", "txz", "xz", "zst"];

trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

/// An open zip.
#[derive(Clone)]
struct Archive {
    zip: Rc<RefCell<ZipArchive<Box<dyn Source>>>>,
    /// How many zips it is in, itself included.
    deep: usize,
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
    pub(crate) time: Option<DateTime<Utc>>,
    place: Place,
}

#[derive(Clone)]
enum Place {
    Disk(PathBuf),
    /// A file in a zip, by its number.
    Zip(Archive, usize),
    /// A folder in a zip.
    Folder(Children),
}

type Children = BTreeMap<String, Node>;

/// A name as it is shown, without what a terminal would obey.
pub(crate) fn composed(name: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    name.nfc().map(shown).collect()
}

impl Node {
    /// What is at this path. A link is not followed.
    pub(crate) fn on_disk(path: &Path) -> Result<Self, String> {
        let metadata = fs::symlink_metadata(path).at(path)?;
        let kind = match metadata.file_type() {
            it if it.is_dir() => Kind::Folder,
            it if it.is_file() => Kind::File,
            it if it.is_symlink() => Kind::Link,
            _ => Kind::Odd,
        };
        // `.` and `..` have names as well.
        let whole = match (path.file_name(), kind) {
            (None, Kind::Folder) => path.canonicalize().at(path)?,
            _ => path.to_path_buf(),
        };
        let name = whole.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: composed(&name),
            kind,
            bytes: metadata.len(),
            time: metadata.modified().ok().map(Into::into),
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
        match &self.place {
            _ if self.is_zip() => Ok(self.unzipped()?.into_values().collect()),
            Place::Disk(path) => {
                let entries = fs::read_dir(path).at(path)?;
                let mut children = entries
                    .map(|entry| Self::on_disk(&entry.at(path)?.path()))
                    .collect::<Result<Vec<_>, _>>()?;
                children.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(children)
            }
            Place::Folder(children) => Ok(children.values().cloned().collect()),
            Place::Zip(..) => Ok(Vec::new()),
        }
    }

    /// The contents of a file that is small enough.
    pub(crate) fn read(&self) -> Result<Vec<u8>, String> {
        self.read_up_to(FILE_BYTES_MAX)
    }

    fn read_up_to(&self, most: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        // Its real size is not always the one that the zip states.
        let read = match &self.place {
            Place::Disk(path) => File::open(path)
                .and_then(|file| file.take(most + 1).read_to_end(&mut bytes)),
            Place::Zip(archive, index) => {
                let mut zip = archive.zip.borrow_mut();
                let file = zip.by_index(*index).at(&self.name)?;
                file.take(most + 1).read_to_end(&mut bytes)
            }
            Place::Folder(_) => return Err("it is no file").at(&self.name),
        };
        read.at(&self.name)?;
        match bytes.len() as u64 > most {
            true => Err(format!("more than {} MiB", most >> 20)).at(&self.name),
            false => Ok(bytes),
        }
    }

    /// The contents of a zip.
    fn unzipped(&self) -> Result<Children, String> {
        let (source, deep): (Box<dyn Source>, usize) = match &self.place {
            Place::Disk(path) => {
                (Box::new(File::open(path).at(&self.name)?), 1)
            }
            Place::Zip(around, _) if around.deep < ZIPS_DEEP_MAX => {
                let bytes = self.read_up_to(INNER_ZIP_BYTES_MAX)?;
                (Box::new(Cursor::new(bytes)), around.deep + 1)
            }
            _ => return Err("too many zips in each other").at(&self.name),
        };
        let zip = ZipArchive::new(source);
        let zip = zip.map_err(|err| format!("no zip: {err}")).at(&self.name)?;
        let all = zip.len();
        let archive = Archive { zip: Rc::new(RefCell::new(zip)), deep };
        let mut children = Children::new();
        for index in 0..all {
            if let Ok(file) = archive.zip.borrow_mut().by_index_raw(index) {
                let place = Place::Zip(archive.clone(), index);
                let (path, node) = entry(&file, place);
                insert(&mut children, &path, node);
            }
        }
        Ok(children)
    }
}

/// The entry of a zip: its path in it, and what it is.
fn entry<R: Read>(file: &ZipFile<'_, R>, place: Place) -> (Vec<String>, Node) {
    // macOS writes UTF-8, but does not say so.
    let name = std::str::from_utf8(file.name_raw());
    let name = composed(name.unwrap_or(file.name())).replace('\\', "/");
    let parts = name.split('/').filter(|it| !it.is_empty() && *it != ".");
    let mut path: Vec<_> = parts.map(str::to_owned).collect();
    let leads_out = name.starts_with('/') || path.iter().any(|it| it == "..");
    let kind = match () {
        () if leads_out => Kind::Odd,
        () if file.is_symlink() => Kind::Link,
        () if name.ends_with('/') => Kind::Folder,
        () => Kind::File,
    };
    if leads_out {
        path = vec![name];
    }
    // What is deeper is not looked at.
    path.truncate(FOLDERS_DEEP_MAX + 2);
    let exact = file.extra_data_fields().find_map(|it| match it {
        ExtraField::ExtendedTimestamp(it) => it.mod_time(),
        _ => None,
    });
    let exact = exact.and_then(|it| DateTime::from_timestamp(it.into(), 0));
    // Otherwise it has the time on the clock of the machine that made it. The
    // year 1980 stands for no time at all.
    let time = exact.or_else(|| {
        let time = file.last_modified().filter(|it| it.year() > 1980)?;
        times::local(NaiveDateTime::try_from(time).ok()?)
    });
    let name = path.last().cloned().unwrap_or_default();
    let bytes = file.size();
    (path, Node { name, kind, bytes, time, place })
}

/// Puts the entry of a zip into the folder to which its path leads.
fn insert(children: &mut Children, path: &[String], node: Node) {
    match path {
        [] => {}
        [name] if node.kind != Kind::Folder => {
            children.insert(name.clone(), node);
        }
        [name, below @ ..] => {
            let folder = || Node {
                name: name.clone(),
                kind: Kind::Folder,
                bytes: 0,
                time: None,
                place: Place::Folder(Children::new()),
            };
            let folder = children.entry(name.clone()).or_insert_with(folder);
            if let Place::Folder(children) = &mut folder.place {
                insert(children, below, node);
            }
        }
    }
}

/// What systems and platforms add to files, and no one means to hand in.
pub(crate) fn is_junk(name: &str) -> bool {
    const JUNK: [&str; 4] =
        ["__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"];
    name.starts_with("._") || JUNK.contains(&name)
}
