//! The servers of the gallery.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use zen_check::report::Profile;
use zen_check::{Architecture, Program};

use crate::causes;

/// The server that makes one mistake at a time.
pub(crate) fn wrong() -> String {
    zen_harness::program!("zen-wrong")
}

/// The shapes in which it keeps the contract.
const SHAPES: [(&str, Architecture); 5] = [
    ("event-loop", Architecture::EventLoop),
    ("single", Architecture::Single),
    ("pool", Architecture::Pool(4)),
    ("threads", Architecture::ThreadPerClient),
    ("processes", Architecture::ProcessPerClient),
];

/// One server, and how it is started.
pub(crate) struct Server {
    /// `fault`, `base`, `python` or `language`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// What is wrong with it, in a sentence.
    pub(crate) sentence: String,
    pub(crate) program: Box<dyn Fn() -> Program + Send>,
    /// The cases that are put to it, if not all.
    pub(crate) only: Vec<String>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Server {
    fn new(
        kind: &'static str,
        name: &str,
        sentence: &str,
        words: &[&str],
        architecture: Option<Architecture>,
    ) -> Self {
        let words: Vec<_> = words.iter().map(|&word| word.into()).collect();
        let program = move || {
            Program::command(words.clone(), Profile::Server, architecture)
        };
        Self {
            kind,
            name: name.into(),
            sentence: sentence.into(),
            program: Box::new(program),
            only: Vec::new(),
        }
    }
}

/// All of them: first those with nothing wrong.
pub(crate) fn all() -> Vec<Server> {
    let wrong = wrong();
    let bases = SHAPES.map(|(shape, architecture)| {
        let words = [&wrong, "--shape", shape, "--port", "{port}", "{options}"];
        let sentence = "makes no mistake";
        Server::new("base", shape, sentence, &words, Some(architecture))
    });
    let wrong = bases.into_iter().chain(faults()).chain(python());
    wrong.chain(languages()).collect()
}

/// Those that `zen-wrong` says it can make: name, shape and sentence.
fn faults() -> Vec<Server> {
    let wrong = wrong();
    let list = Command::new(&wrong).arg("--list").output();
    let list = list.map(|output| output.stdout).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let faults = list.lines().filter_map(|line| {
        let (name, rest) = line.split_once(' ')?;
        // Nothing but its first lines is known of such a server.
        if causes::ALL.iter().any(|it| it.fault == name && !file(name).exists())
        {
            return None;
        }
        let (shape, sentence) = rest.trim_start().split_once(' ')?;
        let architecture = SHAPES.iter().find(|known| known.0 == shape)?.1;
        let words = [&wrong, "--fault", name, "--port", "{port}", "{options}"];
        let sentence = sentence.trim_start();
        let architecture = Some(architecture);
        Some(Server::new("fault", name, sentence, &words, architecture))
    });
    faults.collect()
}

/// The fixtures in Python, if there is one that can run them.
fn python() -> Vec<Server> {
    let Some(python) = interpreter() else {
        eprintln!("no python3 from 3.8 on: its servers are left out");
        return Vec::new();
    };
    let python = python.to_string_lossy();
    let servers = [
        ("zen_socketserver", Architecture::ThreadPerClient),
        ("zen_asyncio", Architecture::Coroutine),
    ];
    let servers = servers.into_iter().map(|(name, architecture)| {
        let file = folder().join(format!("python/{name}.py"));
        let file = file.to_string_lossy();
        let words = [&*python, &*file, "{port}"];
        let sentence = "is wrong as servers in Python are";
        Server::new("python", name, sentence, &words, Some(architecture))
    });
    servers.collect()
}

/// A server in another language, which is right, or wrong if it is told so.
struct Language {
    name: &'static str,
    /// The command that builds it, or tries whether it can be run.
    build: &'static str,
    run: &'static str,
    wrong: &'static str,
    /// Where that shows.
    shows: &'static [&'static str],
    architecture: Architecture,
}

const LANGUAGES: [Language; 5] = [
    Language {
        name: "asyncio-stop",
        build: "{python} {source}/zen_asyncio_stop.py",
        run: "{python} {source}/zen_asyncio_stop.py",
        wrong: "waits at its end until every client has left",
        shows: &["process/8", "process/10"],
        architecture: Architecture::Coroutine,
    },
    Language {
        name: "node",
        build: "node {source}/zen.js",
        run: "node {source}/zen.js",
        wrong: "does not catch the error of a client",
        shows: &["ending/5"],
        architecture: Architecture::EventLoop,
    },
    Language {
        name: "java",
        build: "javac -nowarn -d {target} {source}/Zen.java",
        run: "java -XX:TieredStopAtLevel=1 -cp {target} Zen",
        wrong: "does not flush its answers",
        shows: &["wire/8"],
        architecture: Architecture::ThreadPerClient,
    },
    Language {
        name: "go",
        build: "go build -o {target}/zen-go {source}/zen.go",
        run: "{target}/zen-go",
        wrong: "takes the error of a client for fatal",
        shows: &["ending/5"],
        architecture: Architecture::Coroutine,
    },
    Language {
        name: "c",
        build: "gcc -g -fsanitize=address,undefined -pthread \
            -o {target}/zen-c {source}/zen.c",
        run: "{target}/zen-c",
        wrong: "writes behind the end of its buffer",
        shows: &["wire/2"],
        architecture: Architecture::ThreadPerClient,
    },
];

/// Those whose language is here, each right and wrong.
fn languages() -> Vec<Server> {
    let mut servers = Vec::new();
    for language in LANGUAGES {
        let name = language.name;
        let Some(command) = built(&language) else {
            eprintln!("{name}: its language is not here, so it is left out");
            continue;
        };
        let mut words: Vec<_> = command.iter().map(String::as_str).collect();
        words.push("{port}");
        let architecture = Some(language.architecture);
        let right = "makes no mistake in how it talks";
        let mut add =
            |name: &str, sentence: &str, words: &[&str], only: &[&str]| {
                let kind = "language";
                let only = only.iter().map(|&it| it.to_owned()).collect();
                let new =
                    Server::new(kind, name, sentence, words, architecture);
                servers.push(Server { only, ..new });
            };
        add(name, right, &words, &["wire", "ending", "process/8"]);
        words.push("wrong");
        let name = format!("{name}-wrong");
        add(&name, language.wrong, &words, language.shows);
    }
    servers
}

/// Builds a server, and returns its command.
fn built(language: &Language) -> Option<Vec<String>> {
    let target = target()?;
    let words = |command: &str| {
        let words = command.split_whitespace().map(|word| {
            let python = interpreter().unwrap_or(Path::new("python3"));
            word.replace("{python}", &python.to_string_lossy())
                .replace(
                    "{source}",
                    &folder().join("languages").to_string_lossy(),
                )
                .replace("{target}", &target.to_string_lossy())
        });
        words.collect::<Vec<_>>()
    };
    let build = words(language.build);
    let mut command = Command::new(build.first()?);
    // Go insists on a place for what it has built before.
    command.args(&build[1..]).env("GOCACHE", target.join("go"));
    let output = command.output().ok()?;
    output.status.success().then(|| words(language.run))
}

/// Where they are built.
fn target() -> Option<PathBuf> {
    let target = zen_harness::built::scratch().ok()?.join("languages");
    std::fs::create_dir_all(&target).ok()?;
    Some(target)
}

/// The interpreter itself: what is found in the path may be a slow script that
/// looks for it.
fn interpreter() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let script = "import sys; print(sys.version_info >= (3, 8) and \
            sys.executable or '')";
        let output = Command::new("python3").args(["-c", script]).output();
        let path = String::from_utf8(output.ok()?.stdout).ok()?;
        Some(PathBuf::from(path.trim())).filter(|path| path.is_absolute())
    };
    FOUND.get_or_init(find).as_deref()
}

pub(crate) fn folder() -> PathBuf {
    zen_harness::folder!().join("wrong")
}

/// The file with the cases that a server fails.
pub(crate) fn file(name: &str) -> PathBuf {
    folder().join(format!("golden/{name}.txt"))
}

/// What stands in a report instead of where these files are.
pub(crate) fn without_paths(text: &str) -> String {
    let folder = folder().to_string_lossy().into_owned();
    let mut text =
        text.replace(&wrong(), "zen-wrong").replace(&folder, "wrong");
    if let Some(target) = target() {
        text = text.replace(&*target.to_string_lossy(), "target");
    }
    if let Some(python) = interpreter() {
        text = text.replace(&*python.to_string_lossy(), "python3");
    }
    text
}
