//! The library half of `zen-legacy`: the framework, which `zen-fork` uses too.

pub mod socketserver;
mod wake_up;
