//! What a teacher does.

pub mod handout;
mod markers;
mod source;
