//! Shows the progress: in one changing line on a terminal, and otherwise in a
//! line for each message.

use std::io::IsTerminal;

/// Clears the current line of a terminal.
const CLEAR: &str = "\r\x1b[K";

/// Shows this message in place of the last one.
pub fn tell(text: &str) {
    match std::io::stderr().is_terminal() {
        true => eprint!("{CLEAR}{text}"),
        false => eprintln!("{text}"),
    }
}

pub fn end() {
    if std::io::stderr().is_terminal() {
        eprint!("{CLEAR}");
    }
}
