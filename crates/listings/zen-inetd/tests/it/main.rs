//! The contract, as far as it concerns a program that others listen for: put
//! to the real `zen-inetd` by a small stand-in for inetd and systemd, and by
//! the real ones where they are installed.
#![cfg(unix)]

mod nowait;
mod real;
mod stand_in;
mod started;
mod wait;
