//! The commands for teachers and authors.

pub mod export;
pub mod grade;
mod gradebook;
pub mod handout;
mod intake;
pub mod limits;
mod markers;
pub mod new;
mod roster;
pub mod solution;
mod source;
mod submissions;
pub mod verify;
mod workshop;
