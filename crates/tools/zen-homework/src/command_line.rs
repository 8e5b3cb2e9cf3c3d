//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use zen_homework::exercise::Which;
use zen_homework::student::CheckOptions;

#[cfg(feature = "teacher")]
use crate::teaching::Teaching;

/// Checks homework, and gives hints
///
/// NAME is an assignment. Leave it out in the folder of the assignment, or if
/// there is only one.
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
    /// Build it, start it, and say which stages pass
    Check {
        /// The assignment
        name: Option<String>,

        /// Exit with status 0 even if a stage fails, for platforms that read
        /// a report
        #[arg(long)]
        exit_zero: bool,

        #[command(flatten)]
        options: CheckOptions,
    },
    /// Check again whenever a file is saved, until Ctrl-C
    Watch {
        /// The assignment
        name: Option<String>,
    },
    /// Show the next hint for the first stage that fails
    Hint {
        /// The assignment
        name: Option<String>,

        /// Show a hint for this stage
        #[arg(long)]
        stage: Option<String>,
    },
    /// Put the starter back; your files are kept in .homework
    Reset {
        /// The assignment
        name: Option<String>,
    },
    /// Show the stages that passed in each assignment's last check
    Status,
    /// Check an exercise of the book whenever you save a file, until it is
    /// done; begin it before you edit anything
    Exercise(Which),
    #[cfg(feature = "teacher")]
    #[command(flatten)]
    Teaching(Teaching),
}

const STATUS: &str = "\
Exit status: 0 if all is done, 1 if something is not, 2 if the command line is
wrong or something could not be examined.";
