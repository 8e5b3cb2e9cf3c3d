//! Only Linux has what a cage needs.

use std::io;
use std::path::Path;
use std::process::{Child, Command};

use crate::teacher::limits::Limits;

pub(super) const TEMPORARY: [&str; 0] = [];

const NOT_HERE: &str = "only Linux has what this needs";

pub(crate) fn build(
    _: &Command,
    _: &Path,
    _: &Path,
    _: Option<Limits>,
) -> Command {
    Command::new("bwrap")
}

#[derive(Debug)]
pub(crate) struct Holder;

impl Holder {
    pub(crate) fn start(_: &Path, _: Limits) -> Result<Self, String> {
        Err(NOT_HERE.into())
    }

    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        command.spawn()
    }
}

/// Not available on this system.
pub fn become_within(_: Limits, _: &[String]) -> Result<(), String> {
    Err(NOT_HERE.into())
}

/// Not available on this system.
pub fn become_user(_: u32, _: &[String]) -> Result<(), String> {
    Err(NOT_HERE.into())
}

pub(crate) fn keep_descriptors() {}

pub(crate) fn unused_user() -> Option<u32> {
    None
}
