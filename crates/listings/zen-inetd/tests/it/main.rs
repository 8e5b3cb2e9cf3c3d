//! The contract for a program that does not listen. The real `zen-inetd` runs
//! under a small stand-in for inetd and systemd, and under the real ones where
//! they are installed.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(unix)]
mod nowait;
#[cfg(unix)]
mod real;
#[cfg(unix)]
mod stand_in;
#[cfg(unix)]
mod started;
#[cfg(unix)]
mod wait;

#[cfg(not(unix))]
#[test]
fn nothing_is_tested_where_there_is_no_inetd() {
    // Not println!(): it is seen even when the output of tests is captured.
    let line = b"skipped, all of it: this system has no inetd\n";
    std::io::Write::write_all(&mut std::io::stderr(), line).ok();
}
