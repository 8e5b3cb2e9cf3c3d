//! Assignments: handed out, checked by students, and graded.
//!
//! - [`assignment`]: the description of an assignment;
//! - `files`: the files that a student may change; `at`: errors with a place;
//! - [`project`]: where assignments are, and how they are built;
//! - [`start`]: how a server is built and started, in any language;
//! - [`stages`]: the results stage by stage, from `zen-check`;
//! - [`student`]: check, hint, reset, status;
//! - [`watch`]: check again whenever a file is saved;
//! - [`exercise`]: the exercises of the book;
//! - `teacher`: handing out, grading, and what an author needs; this is not
//!   part of a handout.

#![expect(
    clippy::missing_errors_doc,
    reason = "each error says what is wrong, and in which file"
)]
#![expect(
    missing_docs,
    reason = "only its own program uses it, and some names need no more"
)]

pub mod assignment;
mod at;
pub mod exercise;
mod files;
pub mod project;
pub mod stages;
pub mod start;
pub mod student;
#[cfg(feature = "teacher")]
pub mod teacher;
pub mod watch;
