//! Black-box tests: the real program against small servers of our own, against
//! the chapter's programs, and with a keyboard.

mod asks;
mod fails;
mod harness;
mod originals;
mod terminal;
