//! An assignment: its `assignment.toml`, and the files beside that.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use zen_check::report::Profile;
use zen_check::script::{self, OwnCase};
use zen_check::{Architecture, Dialect, Program};

use crate::at::At;

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
    #[serde(default = "usual::profile", with = "ProfileName")]
    pub(crate) profile: Profile,
    #[serde(default, deserialize_with = "architecture")]
    architecture: Option<Architecture>,
    /// The build command, if it is not Cargo's.
    pub build: Option<Vec<String>>,
    /// What starts it, if it is not a listing's command line.
    pub(crate) command: Option<Vec<String>>,
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

/// How a profile is written.
#[derive(Deserialize)]
#[serde(remote = "Profile", rename_all = "lowercase")]
enum ProfileName {
    Wire,
    Server,
    Listing,
}

fn architecture<'de, D: Deserializer<'de>>(
    text: D,
) -> Result<Option<Architecture>, D::Error> {
    let text = String::deserialize(text)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

mod usual {
    pub(super) fn profile() -> super::Profile {
        super::Profile::Server
    }

    pub(super) fn number<const N: u64>() -> u64 {
        N
    }
}

impl Assignment {
    /// Reads the assignment in this folder.
    pub fn load(folder: &Path) -> Result<Self, String> {
        let file = folder.join("assignment.toml");
        let text = fs::read_to_string(&file).at(&file)?;
        let mut assignment: Self = toml::from_str(&text).at(&file)?;
        let whole = folder.canonicalize().at(folder)?;
        let name = whole.file_name().unwrap_or_default();
        assignment.name = name.to_string_lossy().into_owned();
        assignment.folder = folder.to_path_buf();
        assignment.own_cases = own_cases(&folder.join("cases"))?;
        assignment.check().at(file)?;
        Ok(assignment)
    }

    /// Checks what the types cannot.
    fn check(&self) -> Result<(), String> {
        if self.profile == Profile::Listing && self.architecture.is_none() {
            return Err("a listing needs an architecture".into());
        }
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

    /// Its systems as a reader knows them, such as `Linux, macOS`.
    #[must_use]
    pub fn systems(&self) -> String {
        let names: Vec<_> = self.systems.iter().map(|it| system(it)).collect();
        match names.is_empty() {
            true => "any system".into(),
            false => names.join(", "),
        }
    }

    /// An error if its cases cannot run on this system, which is named as in
    /// `std::env::consts::OS`.
    pub(crate) fn runs_on(&self, os: &str) -> Result<(), String> {
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

    /// The program to examine; `program` is the one that Cargo has built.
    pub fn program(&self, program: &Path) -> Result<Program, String> {
        let program = program.to_string_lossy();
        let mut examined = match (self.profile, self.architecture) {
            (Profile::Listing, Some(architecture)) => {
                Program::listing(vec![program.into_owned()], architecture)
            }
            (profile, architecture) => {
                let words = self.start()?.command;
                let words =
                    words.iter().map(|it| it.replace("{program}", &program));
                Program::command(words.collect(), profile, architecture)
            }
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

fn own_cases(folder: &Path) -> Result<Vec<OwnCase>, String> {
    let mut cases = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(cases) };
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).at(&file)?;
        let group = file.file_stem().unwrap_or_default().to_string_lossy();
        cases.extend(script::parse(&group, &text).at(&file)?);
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::Assignment;
    use crate::files::find;

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
            ("number", "profile = \"all\"\nnumber", "unknown variant `all`"),
            ("number", "profile = \"listing\"\nnumber", "an architecture"),
            ("number", "architecture = \"x\"\nnumber", "it is none of"),
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
        let files = read(TEXT).unwrap().files;
        let found = find(&files, &folder).unwrap();
        // A file that the assignment asks for cannot be left out.
        fs::write(folder.join("notes"), &large).unwrap();
        let refused = find(&files, &folder).unwrap_err();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.files, [Path::new("src/main.rs")]);
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
        use std::os::unix::fs::symlink;
        let name = format!("zen-homework-links-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(folder.join("src/main.rs"), "fn main() {}").unwrap();
        symlink("/etc/passwd", folder.join("src/lib.rs")).unwrap();
        symlink("/etc", folder.join("src/deep")).unwrap();
        symlink("/etc/passwd", folder.join("notes")).unwrap();
        symlink("src", folder.join("linked")).unwrap();
        let mut files = read(TEXT).unwrap().files;
        files.push("linked/".into());
        let found = find(&files, &folder);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.unwrap().files, [Path::new("src/main.rs")]);
    }
}
