//! An assignment: its `assignment.toml`, and the files beside that.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use zen_check::report::Profile;
use zen_check::script::{self, OwnCase};
use zen_check::{Architecture, Dialect, Program};

/// No student writes a larger file by hand.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Folders of this name hold build results, wherever they are.
pub(crate) const BUILT: &str = "target";

/// Folders of these names hold what is built, installed or remembered, and are
/// not handed in.
const LEFT_OUT: [&str; 11] = [
    BUILT,
    ".git",
    ".gradle",
    ".hg",
    ".idea",
    ".svn",
    ".venv",
    ".vscode",
    "__pycache__",
    "node_modules",
    "venv",
];

/// Whether a folder of this name is not handed in.
pub(crate) fn is_left_out(name: &str) -> bool {
    LEFT_OUT.contains(&name)
}

/// The most files in the folders that a student may change.
pub(crate) const FILES_MAX: usize = 500;

/// One assignment, as described in its folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The name of its folder, and of its package.
    #[serde(skip)]
    pub name: String,
    #[serde(skip)]
    pub folder: PathBuf,
    /// Its place in the list.
    pub number: u32,
    pub title: String,
    /// The pages of the chapter.
    pub pages: String,
    /// The time for a student who has read these pages.
    pub minutes: u32,
    /// What a student may change: files, and folders that end in `/`.
    pub files: Vec<String>,
    #[serde(default = "usual::profile")]
    profile: String,
    architecture: Option<String>,
    /// The build command, if it is not Cargo's.
    pub build: Option<Vec<String>>,
    command: Option<Vec<String>>,
    /// A student's file with both commands, which allows any language.
    pub start: Option<String>,
    /// The systems on which it can be examined, as `std::env::consts::OS` has
    /// them; all if there are none.
    #[serde(default)]
    pub systems: Vec<String>,
    /// Debian packages that a grading platform has to install for it.
    #[serde(default)]
    pub packages: Vec<String>,
    /// For an examination: the number of the dialect that replaces the
    /// contract's words. It is written when the assignment is handed out.
    pub dialect: Option<u64>,
    /// Seconds for the build.
    #[serde(default = "usual::number::<300>")]
    pub build_seconds: u64,
    /// Seconds for all stages together.
    #[serde(default = "usual::number::<300>")]
    pub run_seconds: u64,
    /// Limits on the server's resources when it is graded.
    #[serde(default = "usual::number::<1024>")]
    pub memory_mib: u64,
    #[serde(default = "usual::number::<1024>")]
    pub processes: u64,
    #[serde(default = "usual::number::<4096>")]
    pub descriptors: u64,
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
    /// Mutants of the solution that no case can catch.
    #[serde(default)]
    pub excused: Vec<Excused>,
    /// Whether to end an examination at the first case that fails.
    #[serde(skip)]
    pub(crate) first_failure: bool,
    #[serde(skip)]
    pub(crate) own_cases: Vec<OwnCase>,
}

/// A step of an assignment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    pub name: String,
    pub title: String,
    /// The points for passing it.
    pub points: usize,
    /// Names, as `zen-check --case` takes them.
    pub cases: Vec<String>,
}

/// A mutant that does what the solution does, and why.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excused {
    pub mutant: String,
    pub reason: String,
}

mod usual {
    pub(super) fn profile() -> String {
        "server".into()
    }

    pub(super) fn command() -> Vec<String> {
        let words = ["{program}", "--port", "{port}", "{options}"];
        words.map(str::to_owned).to_vec()
    }

    pub(super) fn number<const N: u64>() -> u64 {
        N
    }
}

impl Assignment {
    /// Reads the assignment in this folder.
    pub fn load(folder: &Path) -> Result<Self, String> {
        let file = folder.join("assignment.toml");
        let in_file = |what: String| format!("{}: {what}", file.display());
        let text = fs::read_to_string(&file);
        let text = text.map_err(|err| in_file(err.to_string()))?;
        let mut assignment: Self =
            toml::from_str(&text).map_err(|err| in_file(err.to_string()))?;
        assignment.name = name_of(folder)?;
        assignment.folder = folder.to_path_buf();
        assignment.own_cases = own_cases(&folder.join("cases"))?;
        assignment.check().map_err(in_file)?;
        Ok(assignment)
    }

    /// Checks what the types cannot.
    fn check(&self) -> Result<(), String> {
        self.examined_as()?;
        for file in &self.files {
            let mut parts = Path::new(file).components();
            if !parts.all(|part| matches!(part, Component::Normal(_))) {
                return Err(format!("{file:?} is not a file of this folder"));
            }
        }
        if let Some(file) = &self.start {
            if !self.may_change(Path::new(file)) {
                return Err(format!("no student may change {file:?}"));
            }
            if self.build.is_some() || self.command.is_some() {
                return Err(format!("{file} says how to build and start"));
            }
        }
        if self.files.is_empty() || self.stages.is_empty() {
            return Err("it needs a file and a stage".into());
        }
        for (index, Stage { name, cases, .. }) in self.stages.iter().enumerate()
        {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(is_word) {
                return Err(format!("the stage name {name:?} is not a word"));
            }
            if self.stages[..index].iter().any(|it| it.name == *name) {
                return Err(format!("two stages are called {name}"));
            }
            if cases.is_empty() {
                return Err(format!("the stage {name} has no cases"));
            }
            for case in zen_check::unknown(cases) {
                if !self.own_cases.iter().any(|own| own.is_called(case)) {
                    return Err(format!("no case is called {case:?}"));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn examined_as(
        &self,
    ) -> Result<(Profile, Option<Architecture>), String> {
        let profiles = [Profile::Wire, Profile::Server, Profile::Listing];
        let profile = profiles.into_iter().find(|it| it.name() == self.profile);
        let profile =
            profile.ok_or("the profile is wire, server or listing")?;
        let architecture = self.architecture.as_deref();
        let architecture = architecture.map(str::parse).transpose()?;
        if profile == Profile::Listing && architecture.is_none() {
            return Err("a listing needs an architecture".into());
        }
        Ok((profile, architecture))
    }

    /// Its systems as a reader knows them, such as `Linux, macOS`.
    #[must_use]
    pub fn systems(&self) -> String {
        match self.systems.is_empty() {
            true => "any system".into(),
            false => {
                let names = self.systems.iter().map(|it| system(it));
                names.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// An error if its cases cannot run on this system.
    pub fn runs_here(&self) -> Result<(), String> {
        self.runs_on(std::env::consts::OS)
    }

    fn runs_on(&self, os: &str) -> Result<(), String> {
        let all = self.systems.is_empty();
        match all || self.systems.iter().any(|it| it == os) {
            true => Ok(()),
            false => Err(format!(
                "{} needs {}, and this is {}: use a machine with one of \
                them, a virtual machine, or on Windows WSL",
                self.name,
                self.systems(),
                system(os)
            )),
        }
    }

    /// The same assignment, handed out and examined in this dialect, if any.
    pub fn in_dialect(self, dialect: Option<u64>) -> Result<Self, String> {
        if dialect.is_some() && self.start.is_none() {
            return Err(format!(
                "{} has no dialects: the crates that it is built with use \
                the contract's own words",
                self.name
            ));
        }
        Ok(Self { dialect: dialect.or(self.dialect), ..self })
    }

    /// Whether Cargo builds it, as a package of the workspace.
    #[must_use]
    pub fn is_cargos(&self) -> bool {
        self.build.is_none() && self.start.is_none()
    }

    /// The command that starts it, unless a student's file sets it.
    pub(crate) fn command(&self) -> Vec<String> {
        self.command.clone().unwrap_or_else(usual::command)
    }

    /// The program to examine; `program` is the one that Cargo has built.
    pub fn program(&self, program: &Path) -> Result<Program, String> {
        let program = program.to_string_lossy();
        let (profile, architecture) = self.examined_as()?;
        let words = self.start()?.command;
        let words = words.iter();
        let words = words.map(|word| word.replace("{program}", &program));
        let mut examined = match (profile, architecture) {
            (Profile::Listing, Some(architecture)) => {
                Program::listing(vec![program.into_owned()], architecture)
            }
            _ => Program::command(words.collect(), profile, architecture),
        };
        let dialect = self.dialect.map_or_else(Dialect::default, Dialect::new);
        examined.dialect = dialect.into();
        Ok(examined)
    }

    #[must_use]
    pub fn points_max(&self) -> usize {
        self.stages.iter().map(|stage| stage.points).sum()
    }

    /// The hints for a stage, in order.
    #[must_use]
    pub fn hints(&self, stage: &str) -> Vec<String> {
        let file = |step| {
            let name = format!("{stage}-{step}.md");
            fs::read_to_string(self.folder.join("hints").join(name)).ok()
        };
        (1..).map_while(file).collect()
    }

    /// Whether a student may change the file at this path.
    #[must_use]
    pub fn may_change(&self, path: &Path) -> bool {
        self.files.iter().any(|file| match file.ends_with('/') {
            true => path.starts_with(file),
            false => path == Path::new(file),
        })
    }

    /// Whether a command of this assignment names the file at this path.
    #[must_use]
    pub fn names(&self, path: &Path) -> bool {
        let words = self.build.iter().chain(&self.command).flatten();
        words.into_iter().any(|word| path == Path::new(word))
    }

    /// The files in `folder` that a student may change, as relative paths. Only
    /// ordinary files: a link, for instance, might lead out of the folder.
    pub fn files_in(&self, folder: &Path) -> Result<Vec<PathBuf>, String> {
        self.handed_in(folder).map(|it| it.found)
    }

    /// The same, and what in these folders is not handed in, with the reason.
    pub(crate) fn handed_in(&self, folder: &Path) -> Result<HandedIn, String> {
        let mut files = HandedIn::default();
        for file in &self.files {
            collect(folder, Path::new(file), true, &mut files)?;
        }
        files.found.sort();
        files.found.dedup();
        Ok(files)
    }
}

/// The files of a student, and what is left out.
#[derive(Debug, Default)]
pub(crate) struct HandedIn {
    pub(crate) found: Vec<PathBuf>,
    pub(crate) left_out: Vec<String>,
}

/// Adds the ordinary files at this path in `folder`, or below it.
pub(crate) fn collect(
    folder: &Path,
    file: &Path,
    is_listed: bool,
    files: &mut HandedIn,
) -> Result<(), String> {
    let path = folder.join(file);
    // Any part of a student's folder may be missing. Links on the way there are
    // not followed either.
    let mut way = folder.to_path_buf();
    for part in file {
        way.push(part);
        match fs::symlink_metadata(&way) {
            Ok(metadata) if !metadata.is_symlink() => {}
            _ => return Ok(()),
        }
    }
    let in_path = |what: String| format!("{}: {what}", file.display());
    let metadata =
        fs::symlink_metadata(&path).map_err(|err| in_path(err.to_string()))?;
    if metadata.is_dir() {
        let entries =
            fs::read_dir(&path).map_err(|err| in_path(err.to_string()))?;
        for entry in entries {
            let entry = entry.map_err(|err| in_path(err.to_string()))?;
            let file = file.join(entry.file_name());
            let is_left_out = is_left_out(&entry.file_name().to_string_lossy())
                || entry.path().join("pyvenv.cfg").is_file();
            match is_left_out && entry.path().is_dir() {
                true => files.left_out.push(format!("{}/", file.display())),
                false => collect(folder, &file, false, files)?,
            }
        }
    } else if metadata.is_file() {
        let is_large = metadata.len() > FILE_BYTES_MAX;
        let what = in_path("it has more than 1 MiB".into());
        match (is_large, is_listed) {
            (true, true) => return Err(what),
            (true, false) => files.left_out.push(what),
            _ if files.found.len() == FILES_MAX => {
                return Err(format!("there are more than {FILES_MAX} files"));
            }
            _ => files.found.push(file.to_path_buf()),
        }
    }
    Ok(())
}

/// A system's name as people write it.
fn system(os: &str) -> &str {
    match os {
        "linux" => "Linux",
        "macos" => "macOS",
        "windows" => "Windows",
        "freebsd" => "FreeBSD",
        other => other,
    }
}

fn name_of(folder: &Path) -> Result<String, String> {
    let folder = folder.canonicalize().map_err(|err| err.to_string())?;
    let name = folder.file_name().unwrap_or_default();
    Ok(name.to_string_lossy().into_owned())
}

fn own_cases(folder: &Path) -> Result<Vec<OwnCase>, String> {
    let mut cases = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(cases) };
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    for file in files {
        let in_file = |what: String| format!("{}: {what}", file.display());
        let text = fs::read_to_string(&file)
            .map_err(|err| in_file(err.to_string()))?;
        let group = file.file_stem().unwrap_or_default().to_string_lossy();
        cases.extend(script::parse(&group, &text).map_err(in_file)?);
    }
    Ok(cases)
}

/// The time left of this many seconds.
pub(crate) fn left(since: std::time::Instant, seconds: u64) -> Duration {
    Duration::from_secs(seconds).saturating_sub(since.elapsed())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::Assignment;

    const TEXT: &str = "
        number = 1
        title = \"A title\"
        pages = \"117\"
        minutes = 5
        files = [\"src/\", \"notes\"]
        [[stage]]
        name = \"first\"
        title = \"It answers\"
        points = 1
        cases = [\"wire\"]
    ";

    fn read(text: &str) -> Result<Assignment, String> {
        let assignment: Assignment =
            toml::from_str(text).map_err(|err| err.to_string())?;
        assignment.check().map(|()| assignment)
    }

    #[test]
    fn reports_errors() {
        assert!(read(TEXT).is_ok());
        for (old, new, what) in [
            ("src/", "../src", "is not a file of this folder"),
            ("src/", "/etc/passwd", "is not a file of this folder"),
            ("\"wire\"", "\"wires\"", "no case is called \"wires\""),
            ("\"first\"", "\"the first\"", "is not a word"),
            ("number", "profile = \"all\"\nnumber", "the profile is wire"),
            ("number", "profile = \"listing\"\nnumber", "an architecture"),
            ("number", "start = \"src/x\"\nbuild = []\nnumber", "src/x says"),
            ("number", "start = \"x\"\nnumber", "no student may change"),
            ("minutes = 5", "", "missing field `minutes`"),
            ("minutes", "hours = 1\nminutes", "unknown field `hours`"),
        ] {
            let message = read(&TEXT.replacen(old, new, 1)).unwrap_err();
            assert!(message.contains(what), "{new}: {message}");
        }
    }

    #[test]
    fn names_the_systems_that_it_needs() {
        let text = "systems = [\"linux\", \"macos\"]\nnumber";
        let assignment = read(&TEXT.replacen("number", text, 1)).unwrap();
        assert_eq!(assignment.runs_on("macos"), Ok(()));
        let message = assignment.runs_on("windows").unwrap_err();
        assert!(message.contains("needs Linux, macOS"), "{message}");
        assert!(message.contains("this is Windows"), "{message}");
        assert_eq!(read(TEXT).unwrap().runs_on("windows"), Ok(()));
    }

    #[test]
    fn a_folder_includes_its_contents_and_a_file_only_itself() {
        let assignment = read(TEXT).unwrap();
        for (path, may) in [
            ("src/main.rs", true),
            ("src/deep/inside.rs", true),
            ("notes", true),
            ("notes.md", false),
            ("cases/own.txt", false),
        ] {
            assert_eq!(assignment.may_change(Path::new(path)), may, "{path}");
        }
    }

    #[test]
    fn what_is_large_or_built_is_not_handed_in() {
        let name = format!("zen-homework-left-out-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        for path in ["src/env", "src/node_modules/x", "src/target"] {
            fs::create_dir_all(folder.join(path)).unwrap();
        }
        fs::write(folder.join("src/main.rs"), "fn main() {}").unwrap();
        fs::write(folder.join("src/env/pyvenv.cfg"), "").unwrap();
        let large = vec![0; 1024 * 1024 + 1];
        fs::write(folder.join("src/core"), &large).unwrap();
        let found = read(TEXT).unwrap().handed_in(&folder).unwrap();
        // A file that the assignment asks for cannot be left out.
        fs::write(folder.join("notes"), &large).unwrap();
        let refused = read(TEXT).unwrap().files_in(&folder).unwrap_err();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.found, [Path::new("src/main.rs")]);
        let mut left_out = found.left_out;
        left_out.sort();
        let core = "src/core: it has more than 1 MiB";
        let expected = [core, "src/env/", "src/node_modules/", "src/target/"];
        assert_eq!(left_out, expected);
        assert_eq!(refused, "notes: it has more than 1 MiB");
    }

    #[cfg(unix)]
    #[test]
    fn no_link_leads_out_of_a_submission() {
        use std::{os::unix::fs::symlink, path::PathBuf};
        let name = format!("zen-homework-links-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(folder.join("src/main.rs"), "fn main() {}").unwrap();
        symlink("/etc/passwd", folder.join("src/lib.rs")).unwrap();
        symlink("/etc", folder.join("src/deep")).unwrap();
        symlink("/etc/passwd", folder.join("notes")).unwrap();
        let found = read(TEXT).unwrap().files_in(&folder);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, Ok(vec![PathBuf::from("src/main.rs")]));
    }
}
