//! Grades a class: finds the works, has them examined, and keeps the grades.

use std::sync::{Mutex, PoisonError};
use std::thread;

use super::cage;
use super::class::{Class, How};
pub use super::intake::GradeOptions;
use super::intake::Intake;
use crate::project::Project;
use crate::student::print;

/// Grades everything that was handed in, and writes the grades and reports;
/// true if every grade is known.
pub fn grade(
    project: &Project,
    options: &GradeOptions,
) -> Result<bool, String> {
    cage::keep_descriptors();
    let Some((intake, class)) = Intake::new(project, options)? else {
        return Ok(false);
    };
    let works = intake.works(class)?;
    if !works.is_empty() {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let how = How {
            jobs: options.jobs.unwrap_or(cores).max(1),
            seed: options.seed,
            unlimited: options.unlimited,
            tools: &options.tools,
        };
        let class = Class::new(project, &intake.assignments(), how)?;
        print(&format!("{}\n", class.isolation()))?;
        let written = Mutex::new(Ok(()));
        class.examine(works, |work, results| {
            if let Err(why) = intake.record(work, results) {
                let written = written.lock();
                *written.unwrap_or_else(PoisonError::into_inner) = Err(why);
            }
        });
        written.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    }
    intake.end()
}
