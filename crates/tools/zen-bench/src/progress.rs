//! Says what is going on: on a terminal in one line that changes, and
//! elsewhere in lines.

use std::io::IsTerminal;

/// Clears the line of a terminal.
const CLEAR: &str = "\r\x1b[K";

/// Shows this text in place of the last one.
pub fn tell(text: &str) {
    match std::io::stderr().is_terminal() {
        true => eprint!("{CLEAR}{text}"),
        false => eprintln!("{text}"),
    }
}

/// Shows nothing any more.
pub fn end() {
    if std::io::stderr().is_terminal() {
        eprint!("{CLEAR}");
    }
}
