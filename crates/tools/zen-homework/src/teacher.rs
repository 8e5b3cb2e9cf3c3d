//! What a teacher does, and an author.

pub mod handout;
mod markers;
mod source;
pub mod verify;
mod workshop;
