//! The options of `grade`.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;

use super::times::due;

/// The options for grading a class.
#[derive(Args, Clone, Debug)]
pub struct GradeOptions {
    /// What a platform delivers, as a zip or unpacked, or the folders or zips
    /// of students, such as `class/*`
    #[arg(required = true, value_name = "PATH")]
    pub(crate) submissions: Vec<PathBuf>,

    /// Grade this assignment [default: all that anyone has handed in]
    #[arg(long = "assignment", value_name = "NAME")]
    pub(crate) assignments: Vec<String>,

    /// Folder for grades.csv, and for a report on each student; what is there
    /// already is kept
    #[arg(long, value_name = "DIR", default_value = "grades")]
    pub(crate) to: PathBuf,

    /// Class list as CSV: a column `name`, and others with what platforms call
    /// a student; a column `dialect`, if each has one of their own
    #[arg(long, value_name = "FILE")]
    pub(crate) roster: Option<PathBuf>,

    /// When it was due, such as "2026-10-31 23:59", to see what came late
    #[arg(long, value_name = "TIME", value_parser = due)]
    pub(crate) due: Option<DateTime<Utc>>,

    /// Grade again what has not changed since it was graded
    #[arg(long)]
    pub(crate) again: bool,

    /// Examine N programs at a time [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,

    /// Seed for all cuts and orders
    #[arg(long, default_value_t = 1060)]
    pub(crate) seed: u64,

    /// Seed of the dialect in which it was handed out
    #[arg(long, value_name = "SEED")]
    pub(crate) dialect: Option<u64>,

    /// Let submissions read this folder, and run the programs in it or in its
    /// bin: a language that is not below /usr
    #[arg(long, value_name = "DIR")]
    pub(crate) tools: Vec<PathBuf>,

    /// Limit only the time: without bubblewrap, nothing protects your files
    /// and the grades
    #[arg(long)]
    pub(crate) unlimited: bool,
}
