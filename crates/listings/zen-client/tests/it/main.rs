//! The client from outside: the real program before small servers of our own,
//! before the book's programs, and behind a keyboard.

mod asks;
mod fails;
mod harness;
mod originals;
mod terminal;
