//! The commands for teachers and authors.

mod cage;
mod class;
pub mod examination;
pub mod export;
pub mod grade;
mod gradebook;
mod group;
pub mod handout;
mod intake;
mod limits;
mod markers;
mod mutants;
pub mod new;
mod pages;
mod roster;
pub mod solution;
mod source;
mod submissions;
pub mod verify;
mod workshop;
