//! The teacher's part of the command line.

use std::path::PathBuf;

use clap::Subcommand;

use zen_homework::project::Project;
use zen_homework::teacher::examination::{self, Examination};
use zen_homework::teacher::export::{self, Platform};
use zen_homework::teacher::grade::{self, GradeOptions};
use zen_homework::teacher::{handout, new, solution, verify};

/// What a teacher does.
#[derive(Debug, Subcommand)]
pub(crate) enum Teaching {
    /// List the assignments
    List,
    /// Hand assignments out in a workspace without the solutions
    Handout {
        /// The assignments
        #[arg(required = true)]
        name: Vec<String>,

        /// Write to this folder: a new or empty one, or an earlier handout,
        /// to which the assignments are added
        #[arg(long, value_name = "DIR")]
        to: PathBuf,

        /// Add a GitHub workflow that checks every push
        #[arg(long)]
        ci: bool,

        /// Use the dialect with this seed, for an examination
        #[arg(long, value_name = "SEED")]
        dialect: Option<u64>,
    },
    /// Grade a class, as a platform delivers it or in a folder for each student
    Grade(GradeOptions),
    /// Write an autograder for a platform
    Export {
        /// The platform
        platform: Platform,

        /// The assignment
        name: String,

        /// Use the dialect with this seed, for an examination
        #[arg(long, value_name = "SEED")]
        dialect: Option<u64>,

        /// Write to this file or folder; what is there is not overwritten
        #[arg(long, value_name = "PATH")]
        to: PathBuf,
    },
    /// Show the solution as diffs: what each stage adds to the earlier ones
    Solution {
        name: String,

        /// Show only this stage
        #[arg(long)]
        stage: Option<String>,
    },
    /// For authors: make a small but complete assignment to start from
    New {
        /// Its name, and that of its folder
        name: String,

        /// The name of its first stage
        #[arg(long, value_name = "NAME", default_value = "first")]
        stage: String,
    },
    /// For authors: check that the starter fails, that the solution passes,
    /// and that each stage catches a wrong solution
    Verify {
        /// The assignments [default: all]
        name: Vec<String>,

        /// Also check that no built listing of the workspace passes
        #[arg(long)]
        listings: bool,

        /// Use the dialect with this seed
        #[arg(long, value_name = "SEED")]
        dialect: Option<u64>,

        /// Instead, check that the cases catch every small change of the
        /// solution; needs cargo-mutants
        #[arg(long, conflicts_with_all = ["listings", "dialect"])]
        mutants: bool,
    },
    /// Build and examine a submission, and report on standard output
    #[command(hide = true)]
    Examine(Examination),
}

/// Runs a command; true if all is well.
pub(crate) fn run(
    project: impl Fn() -> Result<Project, String>,
    what: Teaching,
) -> Result<bool, String> {
    match what {
        Teaching::List => list(&project()?)?,
        Teaching::Handout { name, to, ci, dialect } => {
            handout::handout(&project()?, &name, &to, ci, dialect)?;
            let to = to.display();
            zen_homework::student::print(&format!("{to} can be handed out\n"))?;
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
        Teaching::New { name, stage } => {
            new::new(&project()?, &name, &stage)?;
        }
        Teaching::Verify { name, listings, dialect, mutants } => {
            let project = project()?;
            return verify::verify(&project, &name, listings, dialect, mutants);
        }
        Teaching::Examine(options) => examination::examine(&options)?,
    }
    Ok(true)
}

fn list(project: &Project) -> Result<(), String> {
    let mut text = String::new();
    for it in project.assignments()? {
        let (points, stages) = (it.points_max(), it.stages.len());
        text += &format!(
            "{:>2}  {:10}  pages {:8}  {:>3} min  {stages} stages, {points:>2} \
            points  {:12}  {}\n",
            it.number,
            it.name,
            it.pages,
            it.minutes,
            it.systems(),
            it.title
        );
    }
    zen_homework::student::print(&text)
}
