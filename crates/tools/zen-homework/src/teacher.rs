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
mod mutants;
pub mod new;
mod pages;
pub mod solution;
mod source;
pub mod verify;
mod workshop;
