//! What limits allow, seen from outside.

use std::process::{Command, Output};

/// The output of a script within limits and namespaces, or None where they are
/// unavailable.
fn within(script: &str) -> Option<Output> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--net", "--pid", "--fork"]);
    unshare.args(["--kill-child", "--mount-proc", "--"]);
    let mut limited = Command::new("unshare");
    limited.args(unshare.get_args());
    limited.arg(zen_harness::program!("zen-homework")).arg("within");
    limited.args(["--memory-mib", "64", "--processes", "16"]);
    limited.args(["--descriptors", "32", "--", "sh", "-c", script]);
    let tried = unshare.arg("true").output();
    if !tried.is_ok_and(|output| output.status.success()) {
        println!("skipped: no namespaces here");
        return None;
    }
    Some(limited.output().expect("unshare can be run"))
}

#[test]
fn a_command_has_limits_and_a_network_of_its_own() {
    let script = "ulimit -n; ulimit -v; ulimit -p || ulimit -u;
        grep -c : /proc/net/dev; ls -d /proc/[0-9]* | wc -l";
    let Some(output) = within(script) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<_> = said.lines().collect();
    // 4 times 64 MiB of address space, 4 times 16 processes, and only the
    // loopback interface. The processes are the shell and its pipeline.
    assert_eq!(numbers[..4], ["32", "262144", "64", "1"], "{output:?}");
    let processes: u32 = numbers[4].parse().expect("a number");
    assert!(processes <= 4, "{output:?}");
}

#[test]
fn memory_beyond_the_limit_is_refused() {
    // A process may reserve 256 MiB, and this is twice as much.
    let script = "head -c 536870912 /dev/zero | tail -n 1 | wc -c";
    let Some(output) = within(script) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("memory exhausted"), "{output:?}");
}
