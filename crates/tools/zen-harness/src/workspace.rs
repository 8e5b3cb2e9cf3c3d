//! What Cargo knows about a workspace: its servers, and the paths of their
//! programs. The paths depend on the profile, the target and the user's
//! settings, so Cargo is asked for them.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::inetd::{self, Mode};
use crate::listing::Listing;
use crate::server::PORT;

/// The paths of programs, by name.
pub type Programs = HashMap<String, PathBuf>;

/// The user's Cargo, run in this folder.
pub fn cargo(folder: &Path) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(program);
    cargo.current_dir(folder).stdin(Stdio::null());
    // Without the variables of the package for which this process was started.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG") || text.starts_with("CARGO_BIN") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// What Cargo prints on standard output; its errors go to the user.
fn printed(cargo: &mut Command) -> Result<String, String> {
    let output = cargo.stderr(Stdio::inherit()).output();
    let output = output.map_err(|err| format!("cannot run cargo: {err}"))?;
    if !output.status.success() {
        let words: Vec<_> =
            cargo.get_args().map(|word| word.to_string_lossy()).collect();
        return Err(format!("cargo {}: {}", words.join(" "), output.status));
    }
    String::from_utf8(output.stdout).map_err(|err| err.to_string())
}

/// What Cargo reports about the workspace that contains this folder.
fn metadata(folder: &Path) -> Result<Value, String> {
    let mut cargo = cargo(folder);
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
    serde_json::from_str(&printed(&mut cargo)?).map_err(|err| err.to_string())
}

/// The folder in which Cargo builds.
fn target(folder: &Path) -> Result<PathBuf, String> {
    let metadata = metadata(folder)?;
    let target = metadata["target_directory"].as_str();
    Ok(target.ok_or("cargo names no target directory")?.into())
}

/// The servers of the workspace that contains this folder, in reading order.
pub fn listings(folder: &Path) -> Result<Vec<Listing>, String> {
    let metadata = metadata(folder)?;
    let mut listings = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let (name, path) = (text("name"), text("manifest_path"));
        let manifest =
            fs::read_to_string(path).map_err(|err| format!("{path}: {err}"))?;
        listings.extend(Listing::in_manifest(name, &manifest));
    }
    listings.sort_by_key(|it| it.place);
    Ok(listings)
}

/// The options that make Cargo list the programs it has built, and keep its
/// errors readable.
pub const MESSAGES: &str = "--message-format=json-render-diagnostics";

/// The programs in the output of Cargo with [`MESSAGES`].
pub fn programs_in<'a>(lines: impl Iterator<Item = &'a str>) -> Programs {
    let messages = lines.filter_map(|it| serde_json::from_str(it).ok());
    messages
        .filter_map(|message: Value| {
            let name = message["target"]["name"].as_str()?;
            Some((name.into(), message["executable"].as_str()?.into()))
        })
        .collect()
}

/// The servers of a workspace, built.
#[derive(Clone, Debug)]
pub struct Servers {
    /// In reading order.
    pub listings: Vec<Listing>,
    programs: Programs,
}

impl Servers {
    /// Builds servers of the workspace that contains this folder with a Cargo
    /// profile, `release` or `dev`, if `is_wanted` returns true. A feature is
    /// written as `package/feature`.
    pub fn build(
        folder: &Path,
        profile: &str,
        feature: Option<&str>,
        is_wanted: impl Fn(&Listing) -> bool,
    ) -> Result<Self, String> {
        let mut listings = listings(folder)?;
        listings.retain(is_wanted);
        let names: Vec<_> = listings.iter().map(|it| &*it.name).collect();
        let programs = build(folder, &names, profile, feature)?;
        Ok(Self { listings, programs })
    }

    /// The server with this name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Listing> {
        self.listings.iter().find(|it| it.name == name)
    }

    /// The path of its program.
    pub fn program(&self, listing: &Listing) -> &Path {
        &self.programs[&listing.name]
    }

    /// The command of its first variant that serves this many clients at once,
    /// or one at a time if it cannot do more.
    pub fn words(&self, listing: &Listing, clients: usize) -> Vec<String> {
        let program = self.program(listing).to_string_lossy().into_owned();
        let mut words = vec![program];
        words.extend(listing.variants.iter().take(1).flatten().cloned());
        words.extend(listing.options_for(clients).unwrap_or_default());
        words
    }

    /// The command that starts it with these options. If it does not listen, it
    /// runs behind a stand-in for inetd.
    pub fn command(
        &self,
        listing: &Listing,
        options: &[&str],
    ) -> io::Result<Vec<String>> {
        let program = self.program(listing).to_string_lossy().into_owned();
        let mut words = vec![program];
        words.extend(options.iter().map(ToString::to_string));
        match listing.is_inetds() {
            true => inetd::before(Mode::Nowait, PORT, &words),
            false => Ok(words),
        }
    }

    /// See [`Listing::cannot_run_here`].
    pub fn cannot_run(&self, listing: &Listing) -> Option<String> {
        listing.cannot_run_here(self.program(listing))
    }
}

/// Builds programs in one run of Cargo, each from the package with its name,
/// and returns their paths. With a feature they are built in a separate folder,
/// so that they do not replace others.
pub fn build(
    folder: &Path,
    packages: &[&str],
    profile: &str,
    feature: Option<&str>,
) -> Result<Programs, String> {
    if packages.is_empty() {
        return Ok(Programs::new());
    }
    let mut command = cargo(folder);
    command.args(["build", "--quiet", "--bins", MESSAGES]);
    command.args(["--profile", profile]);
    for package in packages {
        command.args(["--package", package]);
    }
    if let Some(feature) = feature {
        let package = feature.split('/').next().unwrap_or_default();
        command.args(["--package", package, "--features", feature]);
        let own = target(folder)?.join(feature.replace('/', "-"));
        command.arg("--target-dir").arg(own);
    }
    let programs = programs_in(printed(&mut command)?.lines());
    match packages.iter().find(|it| !programs.contains_key(**it)) {
        Some(name) => Err(format!("cargo built no {name}")),
        None => Ok(programs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> PathBuf {
        crate::folder!()
    }

    #[test]
    fn every_manifest_is_read_as_cargo_reads_it() {
        let listings = listings(&here()).unwrap();
        assert!(listings.len() > 12);
        let metadata = metadata(&here()).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let strings = |value: &Value| match value {
            Value::String(text) => vec![text.clone()],
            value => {
                let all = value.as_array().into_iter().flatten();
                all.map(|it| it.as_str().unwrap().to_string()).collect()
            }
        };
        let servers =
            packages.iter().filter(|it| it["metadata"]["server"].is_object());
        assert_eq!(servers.clone().count(), listings.len());
        for package in servers {
            let about = &package["metadata"]["server"];
            let name = package["name"].as_str().unwrap();
            let listing = listings.iter().find(|it| it.name == name).unwrap();
            assert_eq!(about["place"], listing.place);
            assert_eq!(strings(&about["architecture"]), listing.architectures);
            let other = ["variants-elsewhere", "variants"];
            let key = other[usize::from(
                cfg!(target_os = "linux") || about[other[0]].is_null(),
            )];
            let variants = about[key].as_array().map_or_else(
                || vec![Vec::new()],
                |all| all.iter().map(strings).collect(),
            );
            assert_eq!(variants, listing.variants, "{name}");
            let runtime = about["runtime"].as_str();
            assert_eq!(runtime, listing.runtime.as_deref());
            let cannot = about["cannot-run-where"].as_str();
            assert_eq!(cannot, listing.cannot_run_where.as_deref());
            let crowd = about["crowd"].is_array().then(|| {
                let all = strings(&about["crowd"]).into_iter();
                all.map(|it| it.replace("{clients}", "9")).collect()
            });
            assert_eq!(crowd, listing.options_for(9), "{name}");
        }
        let mut places: Vec<_> = listings.iter().map(|it| it.place).collect();
        places.dedup();
        assert_eq!(places.len(), listings.len(), "two in one place");
    }

    #[test]
    fn programs_are_where_cargo_says() {
        let lines = "{\"reason\":\"x\"}\nno message\n{\"target\":{\"name\":\
            \"zen-poll\"},\"executable\":\"/an ü/zen-poll\"}\n\
            {\"target\":{\"name\":\"lib\"},\"executable\":null}";
        let programs = programs_in(lines.lines());
        assert_eq!(programs.len(), 1);
        assert_eq!(programs["zen-poll"], Path::new("/an ü/zen-poll"));
    }
}
