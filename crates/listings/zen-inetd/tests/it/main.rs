//! The contract for a program that does not listen. The real `zen-inetd` runs
//! under a small stand-in for inetd and systemd, and under the real ones where
//! they are installed.
#![cfg(unix)]

mod nowait;
mod real;
mod stand_in;
mod started;
mod wait;
