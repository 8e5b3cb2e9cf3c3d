//! Without /proc nothing is known.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use super::{Gauge, Turns};

pub(crate) fn read(_: u32) -> Result<Option<Gauge>> {
    Ok(None)
}

pub(crate) fn cpu(_: u32) -> Result<Option<Duration>> {
    Ok(None)
}

pub(crate) fn turns(_: u32) -> BTreeMap<i32, Turns> {
    BTreeMap::new()
}

pub(crate) fn own_turns() -> Turns {
    Turns::default()
}
