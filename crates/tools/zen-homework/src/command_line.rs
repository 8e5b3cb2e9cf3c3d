//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

#[cfg(feature = "teacher")]
use crate::teaching::Teaching;

/// Checks homework, and helps with it.
///
/// NAME is an assignment; it may be left out in its folder, and where there is
/// only one.
#[derive(Debug, Parser)]
#[command(name = "zen-homework", version, after_help = STATUS)]
pub(crate) struct Options {
    /// The folder of the project, if it is not this one or one above it
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) root: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) what: What,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Build it, start it, and say what is done and what is not
    Check {
        /// The assignment
        name: Option<String>,

        /// Exit with status 0 even if something is not done, for platforms
        /// that read a report
        #[arg(long)]
        exit_zero: bool,

        #[command(flatten)]
        options: CheckArguments,
    },
    /// Check again whenever a file is saved, until Ctrl-C
    Watch {
        /// The assignment
        name: Option<String>,
    },
    /// Show the next hint for the first stage that is not done
    Hint {
        /// The assignment
        name: Option<String>,

        /// For this stage
        #[arg(long)]
        stage: Option<String>,
    },
    /// Put the starter back; what was written is kept in .homework
    Reset {
        /// The assignment
        name: Option<String>,
    },
    /// Say how far each assignment is
    Status,
    #[cfg(feature = "teacher")]
    #[command(flatten)]
    Teaching(Teaching),
}

/// How a check is done.
#[derive(Args, Debug)]
pub(crate) struct CheckArguments {
    /// Draw all cuts and orders from this number, to repeat a check
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// Write a report: terminal, json, junit, gradescope, classroom50 or
    /// github, into a file, or `-` for standard output; may be given several
    /// times
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report)]
    pub(crate) report: Vec<(String, String)>,

    /// Check what was handed in in this folder: of it, the files that a
    /// student may change are taken, and those that are here are lost
    #[arg(long, value_name = "DIR")]
    pub(crate) submission: Option<PathBuf>,
}

fn report(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((format, file)) if !file.is_empty() => {
            Ok((format.into(), file.into()))
        }
        _ => Err("it is a format and a file, such as junit=report.xml".into()),
    }
}

const STATUS: &str = "\
Exit status: 0 if all is done, 1 if something is not, 2 if the command line is
wrong or something could not be examined.";
