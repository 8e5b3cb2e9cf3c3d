//! Errors that say in which file or folder they happened.

use std::fmt::Display;
use std::path::Path;

pub(crate) trait At<T> {
    fn at(self, place: impl AsRef<Path>) -> Result<T, String>;
}

impl<T, E: Display> At<T> for Result<T, E> {
    fn at(self, place: impl AsRef<Path>) -> Result<T, String> {
        self.map_err(|err| format!("{}: {err}", place.as_ref().display()))
    }
}
