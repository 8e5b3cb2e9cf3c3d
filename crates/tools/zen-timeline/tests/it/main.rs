//! From strace's output to a picture, and the command as a user sees it.

mod command;
mod drawing;
mod gallery;
mod reader;
