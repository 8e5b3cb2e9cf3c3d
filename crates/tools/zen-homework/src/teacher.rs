//! The commands for teachers and authors.

pub mod cage;
mod class;
pub mod examination;
pub mod export;
pub mod grade;
mod group;
pub mod handout;
pub mod limits;
mod markers;
pub mod new;
pub mod solution;
mod source;
pub mod verify;
mod workshop;
