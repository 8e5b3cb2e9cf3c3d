//! How a server is built and started: by the commands of its assignment, or, if
//! any language is allowed, by those in a file that the student writes.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::assignment::Assignment;
use crate::at::At;

/// A listing's command line.
const LISTINGS_COMMAND: [&str; 4] =
    ["{program}", "--port", "{port}", "{options}"];

/// The commands that build and start a server, and their folder.
#[derive(Clone, Debug)]
pub struct Start {
    /// The folder in which both commands run.
    pub folder: PathBuf,
    /// None if there is nothing to build, or Cargo builds it.
    pub build: Option<Vec<String>>,
    /// With `{port}` and `{options}`, as `zen-check` takes it.
    pub command: Vec<String>,
}

/// A student's file: the name of the chosen table, and the tables.
#[derive(Debug, Deserialize)]
struct StartFile {
    language: String,
    #[serde(flatten)]
    languages: BTreeMap<String, Commands>,
}

/// One table of the file. The commands run without a shell.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Commands {
    build: Option<String>,
    command: String,
}

impl Start {
    /// Reads a student's file.
    pub fn load(file: &Path) -> Result<Self, String> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(file).at(&*name)?;
        Self::read(&text, file).at(&*name)
    }

    /// Reads the contents of such a file.
    pub fn read(text: &str, file: &Path) -> Result<Self, String> {
        let read: StartFile =
            toml::from_str(text).map_err(|it| it.to_string())?;
        let StartFile { language, languages } = read;
        let commands = languages.get(&language);
        let commands = commands
            .ok_or_else(|| format!("there is no table [{language}] in it"))?;
        let words = |text: &str| {
            let words: Vec<_> =
                text.split_whitespace().map(str::to_owned).collect();
            match words.is_empty() {
                true => Err(format!("[{language}] has an empty command")),
                false => Ok(words),
            }
        };
        let build = commands.build.as_deref().map(words).transpose()?;
        let command = words(&commands.command)?;
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        Ok(Self { folder, build, command })
    }

    /// The first program that this machine lacks, of those that are found by
    /// way of PATH.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        let commands = self.build.iter().chain([&self.command]);
        let mut programs = commands.filter_map(|words| words.first());
        programs
            .find(|name| !name.contains('/') && !is_had(name))
            .map(String::as_str)
    }
}

/// The languages for which such a file has a table.
pub fn languages(text: &str) -> Result<Vec<String>, String> {
    let file: StartFile = toml::from_str(text).map_err(|it| it.to_string())?;
    Ok(file.languages.into_keys().collect())
}

/// The same file with another of its tables chosen.
#[must_use]
pub fn with_language(text: &str, language: &str) -> String {
    let chosen = format!("language = \"{language}\"\n");
    let line = |line: &str| match line.starts_with("language =") {
        true => chosen.clone(),
        false => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn is_had(program: &str) -> bool {
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(&name).is_file())
}

impl Assignment {
    /// How its server is built and started.
    pub fn start(&self) -> Result<Start, String> {
        match &self.start {
            Some(file) => Start::load(&self.folder.join(file)),
            None => Ok(Start {
                folder: self.folder.clone(),
                build: self.build.clone(),
                command: self.command.clone().unwrap_or_else(|| {
                    LISTINGS_COMMAND.map(str::to_owned).to_vec()
                }),
            }),
        }
    }

    /// Which program of a student's file this machine lacks, if any.
    pub(crate) fn lacks(&self) -> Option<String> {
        self.start.as_ref()?;
        let start = self.start().ok()?;
        let program = start.missing()?;
        let path = env::var("PATH").unwrap_or_default();
        let user = env::var("USER").unwrap_or_else(|_| "this user".into());
        Some(format!(
            "{program} is in no folder of the PATH of {user} ({path}): \
            install it, or name a program that is there"
        ))
    }

    /// The folder in which the build and start commands run.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        let file = self.start.as_deref().unwrap_or("assignment.toml");
        let file = self.folder.join(file);
        file.parent().unwrap_or(&self.folder).to_path_buf()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Start, languages, with_language};

    const TEXT: &str = "\
# Mine:
language = \"sh\"

[sh]
command = \"sh server.sh  {port}\"

[c]
build = \"no-such-compiler -o server server.c\"
command = \"./server {port}\"
";

    fn read_here(text: &str) -> Result<Start, String> {
        Start::read(text, Path::new("start.toml"))
    }

    #[test]
    fn reads_the_commands_of_the_chosen_table() {
        let start = read_here(TEXT).unwrap();
        assert_eq!(start.command, ["sh", "server.sh", "{port}"]);
        assert_eq!((start.missing(), &start.build), (None, &None));
        assert_eq!(languages(TEXT).unwrap(), ["c", "sh"]);
        let start = read_here(&with_language(TEXT, "c")).unwrap();
        assert_eq!(start.command, ["./server", "{port}"]);
        assert_eq!(start.missing(), Some("no-such-compiler"));
    }

    #[test]
    fn reports_errors() {
        for (old, new, what) in [
            ("\"sh\"", "\"go\"", "there is no table [go]"),
            ("sh server.sh  {port}", " ", "[sh] has an empty command"),
            ("command = \"sh", "start = \"sh", "unknown field `start`"),
            ("language", "tongue", "language"),
        ] {
            let message = read_here(&TEXT.replacen(old, new, 1)).unwrap_err();
            assert!(message.contains(what), "{new}: {message}");
        }
    }
}
