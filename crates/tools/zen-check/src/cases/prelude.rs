//! What the functions of all cases use.

pub(super) use std::thread;
pub(super) use std::time::{Duration, Instant};

pub(super) use crate::architecture::Architecture;
pub(super) use crate::case::{Named, functions};
pub(super) use crate::client::Client;
pub(super) use crate::contract::{COMPLEX, IMPLICIT, UGLY, answer, answers};
pub(super) use crate::process::{self, PATIENCE, wait_until};
pub(super) use crate::server::{How, Server};
pub(super) use crate::subject::Subject;
pub(super) use crate::verdict::{Fault, Verdict, ensure, ensure_in_time};
