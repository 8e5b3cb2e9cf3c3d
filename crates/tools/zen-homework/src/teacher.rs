//! The commands for teachers and authors.

mod at;
pub mod cage;
mod class;
pub mod examination;
pub mod export;
pub mod grade;
mod gradebook;
mod group;
pub mod handout;
mod imports;
mod intake;
pub mod limits;
mod markers;
mod mutants;
pub mod new;
mod options;
mod pages;
mod records;
mod roster;
pub mod solution;
mod source;
mod submissions;
mod summary;
mod table;
mod times;
pub mod verify;
mod workshop;
