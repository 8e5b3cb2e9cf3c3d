//! The servers of the workspace, and how they are built.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A server of the workspace.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// The name of its crate and of its program.
    pub name: &'static str,
    /// What it needs to hear to serve 64 clients at once, if it can.
    pub crowd: Option<&'static [&'static str]>,
}

const fn listing(
    name: &'static str,
    crowd: Option<&'static [&'static str]>,
) -> Listing {
    Listing { name, crowd }
}

/// How servers are built that are to be measured.
pub const RELEASE: &str = "release";

/// All of them, in reading order.
pub const LISTINGS: [Listing; 13] = [
    listing("zen-single", None),
    listing("zen-threaded", Some(&["--workers", "64"])),
    listing("zen-legacy", Some(&[])),
    listing("zen-fork", Some(&["--max-clients", "64"])),
    listing("zen-poll", Some(&[])),
    listing("zen-callback", Some(&[])),
    listing("zen-coroutine", Some(&[])),
    listing("zen-asyncore", Some(&[])),
    listing("zen-async-std", Some(&[])),
    listing("zen-tokio", Some(&[])),
    listing("zen-executor", Some(&[])),
    listing("zen-hybrid", Some(&["--loops", "2"])),
    listing("zen-uring", Some(&[])),
];

/// The one that does not listen: inetd has to start it.
pub const INETD: Listing = listing("zen-inetd", Some(&[]));

/// Where the programs are, by name.
pub type Programs = HashMap<String, PathBuf>;

/// Builds the listings with this profile, `release` or `dev`, in one run of
/// cargo, and says where they are. Each set of features has a folder of its
/// own, so that no program replaces another.
///
/// # Errors
///
/// cargo cannot be run, fails, or builds no such program.
pub fn build(
    listings: &[Listing],
    features: Option<&str>,
    profile: &str,
) -> Result<Programs> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--profile", profile, "--quiet", "--bins"])
        .arg("--message-format=json-render-diagnostics");
    for listing in listings {
        command.args(["--package", listing.name]);
    }
    if let Some(features) = features {
        command.args(["--package", "zen-utils", "--features", features]);
        command.arg("--target-dir").arg(folder_beside_this_program(features)?);
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "cargo build: {}", output.status);
    let mut programs = Programs::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        if let (Some(name), Some(program)) =
            (message["target"]["name"].as_str(), message["executable"].as_str())
        {
            programs.insert(name.to_string(), program.into());
        }
    }
    for Listing { name, .. } in listings {
        ensure!(programs.contains_key(*name), "cargo built no {name}");
    }
    Ok(programs)
}

/// This program lies in the target folder, whatever that is called today.
fn folder_beside_this_program(features: &str) -> Result<PathBuf> {
    let program = env::current_exe()?;
    let profile = program.parent().context("a program in no folder")?;
    Ok(profile.join(features.replace('/', "-")))
}
