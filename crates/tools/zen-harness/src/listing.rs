//! A server's description in its manifest, under `[package.metadata.server]`.
//! No other place repeats it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::Process;

/// How long a server may take to report that it cannot run here.
const PATIENCE: Duration = Duration::from_secs(8);

/// A server of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The name of its package and of its program.
    pub name: String,
    /// Its architecture, in a few words.
    pub description: String,
    /// Its place in reading order.
    pub place: usize,
    /// How it waits, in zen-check's words. Some programs are two servers.
    pub architectures: Vec<String>,
    /// The options of each variant that this system supports.
    pub variants: Vec<Vec<String>>,
    /// What waits on its behalf, if it does not wait itself: `smol`, `own`,
    /// `io_uring`.
    pub runtime: Option<String>,
    /// The options that let it serve a crowd at once, with `{clients}` in place
    /// of the number; None if it cannot.
    crowd: Option<Vec<String>>,
    /// The message that it prints, instead of starting, where it cannot run.
    pub cannot_run_where: Option<String>,
}

impl Listing {
    /// Reads a manifest; None if it is not that of a server.
    pub fn in_manifest(name: &str, manifest: &str) -> Option<Self> {
        let (_, section) =
            manifest.split_once("\n[package.metadata.server]\n")?;
        let section = section.split("\n[").next().unwrap_or_default();
        let elsewhere = value(section, "variants-elsewhere");
        let elsewhere = elsewhere.filter(|_| cfg!(not(target_os = "linux")));
        let variants = elsewhere.or_else(|| value(section, "variants"));
        let variants = variants.unwrap_or_else(|| "[[]]".into());
        let first = |key| Some(strings(&value(section, key)?).swap_remove(0));
        let description = value(manifest, "description").unwrap_or_default();
        Some(Self {
            name: name.into(),
            description: description.trim_matches('"').into(),
            place: value(section, "place")?.parse().ok()?,
            architectures: strings(&value(section, "architecture")?),
            variants: variants.split('[').skip(2).map(strings).collect(),
            runtime: first("runtime"),
            crowd: value(section, "crowd").map(|it| strings(&it)),
            cannot_run_where: first("cannot-run-where"),
        })
    }

    /// The options that let it serve this many clients at once; None if it
    /// cannot.
    pub fn options_for(&self, clients: usize) -> Option<Vec<String>> {
        let number = clients.to_string();
        let options = self.crowd.as_ref()?.iter();
        Some(options.map(|it| it.replace("{clients}", &number)).collect())
    }

    /// It does not listen: inetd has to start it.
    pub fn is_inetds(&self) -> bool {
        self.architectures.iter().any(|it| it.starts_with("inetd"))
    }

    /// Why its program cannot run on this machine, if it reports that when the
    /// first client connects.
    pub fn cannot_run_here(&self, program: &Path) -> Option<String> {
        let says = self.cannot_run_where.as_ref()?;
        let mut command = Command::new(program);
        let mut server =
            Process::start(command.args(["--port", "0", "--quiet"])).ok()?;
        let mut answers = || {
            let address = server.address(PATIENCE).ok()?;
            let mut sock = TcpStream::connect(address).ok()?;
            sock.set_read_timeout(Some(PATIENCE)).ok()?;
            sock.write_all(b"?").ok()?;
            sock.read(&mut [0]).ok().filter(|&n| n > 0)
        };
        if answers().is_some() {
            return None;
        }
        // It is ending; any other problem will show when it is used.
        server.wait(PATIENCE).ok()?;
        Some(server.last_words()).filter(|words| words.contains(says))
    }

    /// It waits for all clients at once in its own loop around readiness.
    pub fn is_plain_loop(&self) -> bool {
        let is_loop =
            |it: &String| it == "event-loop" || it.starts_with("loops");
        self.architectures.first().is_some_and(is_loop)
            && self.runtime.is_none()
    }

    /// A library's runtime waits on its behalf.
    pub fn has_foreign_runtime(&self) -> bool {
        let own = ["own", "io_uring"];
        self.runtime.as_deref().is_some_and(|it| !own.contains(&it))
    }

    /// Whether this runtime waits on its behalf.
    pub fn runs_on(&self, runtime: &str) -> bool {
        self.runtime.as_deref() == Some(runtime)
    }
}

/// A value, including the following lines that begin with a space or a bracket.
fn value(section: &str, key: &str) -> Option<String> {
    let mut lines = section.lines();
    let first =
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
    let more = lines.take_while(|line| line.starts_with([' ', ']']));
    Some(std::iter::once(first).chain(more).collect())
}

/// The strings in quotation marks, up to the end of an array.
fn strings(text: &str) -> Vec<String> {
    let text = text.split(']').next().unwrap_or_default();
    text.split('"').skip(1).step_by(2).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_manifest() {
        let manifest = "[package]\nname = \"x\"\n\
            description = \"Waits [so]\"\n\n\
            [package.metadata.server]\nplace = 3\n\
            architecture = [\"a\", \"b\"]\nvariants = [\n    \
            [\"--one\", \"1\"],\n    [\"--two\"],\n]\n\
            crowd = [\"--workers\", \"{clients}\"]\nruntime = \"own\"\n\n\
            [lints]\nworkspace = true\n";
        let listing = Listing::in_manifest("x", manifest).unwrap();
        assert_eq!(listing.description, "Waits [so]");
        assert_eq!(listing.architectures, ["a", "b"]);
        assert_eq!(listing.variants, [&["--one", "1"][..], &["--two"]]);
        assert_eq!(listing.options_for(7).unwrap(), ["--workers", "7"]);
        assert!(listing.place == 3 && listing.runs_on("own"));
        assert_eq!(listing.cannot_run_where, None);
    }

    #[test]
    fn the_default_is_one_variant_and_no_crowd() {
        let manifest = "\n[package.metadata.server]\nplace = 1\n\
                        architecture = \"single\"\n";
        let listing = Listing::in_manifest("x", manifest).unwrap();
        assert_eq!(listing.variants, [[""; 0]]);
        assert_eq!(listing.options_for(1), None);
        assert_eq!(Listing::in_manifest("x", "[package]\n"), None);
    }
}
