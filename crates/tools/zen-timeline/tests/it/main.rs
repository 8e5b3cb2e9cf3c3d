//! From what strace wrote to a picture, and the command as its user meets it.

mod command;
mod drawing;
mod gallery;
mod reader;
