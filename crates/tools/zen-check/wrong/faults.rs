//! The mistakes: `faults.txt` has the name of each, the shape of server in which
//! it is made, and what it is.

use crate::settings::settings;

pub(crate) const LIST: &str = include_str!("faults.txt");

/// Whether this is the mistake to be made.
pub(crate) fn faulty(name: &str) -> bool {
    debug_assert!(shape_of(name).is_some(), "{name} is not on the list");
    settings().fault.as_deref() == Some(name)
}

/// The shape of server in which a mistake is made, if it is on the list.
pub(crate) fn shape_of(fault: &str) -> Option<&'static str> {
    LIST.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(fault)).then(|| words.next())?
    })
}
