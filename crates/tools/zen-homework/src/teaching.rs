//! The teacher's part of the command line.

use std::path::PathBuf;

use clap::Subcommand;

use zen_homework::project::Project;
use zen_homework::teacher::export::{self, Platform};
use zen_homework::teacher::grade::{self, GradeOptions};
use zen_homework::teacher::limits::{self, Limits};
use zen_homework::teacher::{handout, new, solution, verify};

/// What a teacher does.
#[derive(Debug, Subcommand)]
pub(crate) enum Teaching {
    /// List the assignments
    List,
    /// Hand assignments out: a workspace of its own, without the solution
    Handout {
        /// The assignments
        #[arg(required = true)]
        name: Vec<String>,

        /// Into this folder, which must be empty or not be there yet
        #[arg(long, value_name = "DIR")]
        to: PathBuf,

        /// With a GitHub workflow that checks whatever is pushed
        #[arg(long)]
        ci: bool,

        /// In the dialect of this number, for an examination
        #[arg(long, value_name = "SEED")]
        dialect: Option<u64>,
    },
    /// Grade a class: each folder is what a student has handed in
    Grade(GradeOptions),
    /// Write an assignment as an autograder of a platform
    Export {
        /// The platform
        platform: Platform,

        /// The assignment
        name: String,

        /// In the dialect of this number, for an examination
        #[arg(long, value_name = "SEED")]
        dialect: Option<u64>,

        /// What is written: a file or a folder that is not there yet
        #[arg(long, value_name = "PATH")]
        to: PathBuf,
    },
    /// Show the solution as diffs: what each stage adds to those before it
    Solution {
        name: String,

        /// Of this stage only
        #[arg(long)]
        stage: Option<String>,
    },
    /// For an author: make a small assignment that is whole, to be changed
    New {
        /// What it is to be called, and its folder
        name: String,
    },
    /// For an author: the starter builds and fails, the solution passes, each
    /// stage catches a wrong one
    Verify {
        /// All of them, if none is named
        name: Vec<String>,

        /// Also see that no listing of the workspace that is built passes
        #[arg(long)]
        listings: bool,

        /// In the dialect of this number
        #[arg(long, value_name = "SEED")]
        dialect: Option<u64>,
    },
    /// Put this process within limits, and become the command
    #[command(hide = true)]
    Within {
        #[command(flatten)]
        limits: Limits,
        #[arg(long)]
        user: Option<u32>,
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Examine a program, and write the results into a file
    #[command(hide = true)]
    Examine {
        folder: PathBuf,
        program: PathBuf,
        results: PathBuf,
        #[arg(long)]
        seed: u64,
    },
}

/// Does what it is told, and says whether all is well.
pub(crate) fn run(
    project: impl Fn() -> Result<Project, String>,
    what: Teaching,
) -> Result<bool, String> {
    match what {
        Teaching::List => list(&project()?)?,
        Teaching::Handout { name, to, ci, dialect } => {
            handout::handout(&project()?, &name, &to, ci, dialect)?;
        }
        Teaching::Grade(options) => {
            return grade::grade(&project()?, &options);
        }
        Teaching::Export { platform, name, dialect, to } => {
            export::export(&project()?, platform, &name, dialect, &to)?;
        }
        Teaching::Solution { name, stage } => {
            solution::solution(&project()?, &name, stage.as_deref())?;
        }
        Teaching::New { name } => new::new(&project()?, &name)?,
        Teaching::Verify { name, listings, dialect } => {
            return verify::verify(&project()?, &name, listings, dialect);
        }
        Teaching::Within { limits, user, command } => {
            limits::become_within(limits, user, &command)?;
        }
        Teaching::Examine { folder, program, results, seed } => {
            grade::examine(&folder, &program, &results, seed)?;
        }
    }
    Ok(true)
}

fn list(project: &Project) -> Result<(), String> {
    let mut text = String::new();
    for it in project.assignments()? {
        let (points, stages) = (it.points_max(), it.stages.len());
        text += &format!(
            "{:>2}  {:10}  pages {:8}  {:>3} min  {stages} stages, {points:>2} \
            points  {}\n",
            it.number, it.name, it.pages, it.minutes, it.title
        );
    }
    zen_homework::student::print(&text)
}
