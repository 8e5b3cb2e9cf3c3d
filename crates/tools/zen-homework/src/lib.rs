//! Assignments: handed out, checked by those who solve them, and graded.
//!
//! - [`assignment`]: what an assignment says of itself;
//! - [`project`]: where assignments are, and how they are built;
//! - [`start`]: how a server is built and started, in any language;
//! - [`stages`]: what came of one, stage by stage, as `zen-check` sees it;
//! - [`student`]: check, watch, hint, reset, status;
//! - `teacher`: handing out, grading, and what an author needs; this is not
//!   part of a handout.

#![expect(
    clippy::missing_errors_doc,
    reason = "an error says itself what is wrong, and in which file"
)]
#![expect(
    missing_docs,
    reason = "only its own program uses it, and a name may say enough"
)]

pub mod assignment;
pub mod project;
pub mod stages;
pub mod start;
pub mod student;
#[cfg(feature = "teacher")]
pub mod teacher;
