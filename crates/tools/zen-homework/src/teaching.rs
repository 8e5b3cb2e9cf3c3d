//! The teacher's part of the command line.

use std::path::PathBuf;

use clap::Subcommand;

use zen_homework::project::Project;
use zen_homework::teacher::{handout, verify};

/// What a teacher does.
#[derive(Debug, Subcommand)]
pub(crate) enum Teaching {
    /// List the assignments
    List,
    /// Hand assignments out: a workspace of its own, without the solution
    Handout {
        #[arg(required = true)]
        name: Vec<String>,

        /// Into this folder, which must be empty or not be there yet
        #[arg(long, value_name = "DIR")]
        to: PathBuf,

        /// With a GitHub workflow that checks whatever is pushed
        #[arg(long)]
        ci: bool,
    },
    /// For an author: the starter builds and fails, the solution passes, each
    /// stage catches a wrong one
    Verify {
        /// All of them, if none is named
        name: Vec<String>,

        /// Also see that no listing of the workspace that is built passes
        #[arg(long)]
        listings: bool,
    },
}

/// Does what it is told, and says whether all is well.
pub(crate) fn run(project: &Project, what: Teaching) -> Result<bool, String> {
    match what {
        Teaching::List => list(project)?,
        Teaching::Handout { name, to, ci } => {
            handout::handout(project, &name, &to, ci)?;
        }
        Teaching::Verify { name, listings } => {
            zen_check::take_servers_along();
            return verify::verify(project, &name, listings);
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
