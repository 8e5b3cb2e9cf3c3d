//! What limits allow, seen from outside.

use std::process::{Command, Output};

/// The output of a script within limits. In a user namespace, only its own
/// processes count; None where there are none.
fn within(script: &str) -> Option<Output> {
    let mut limited = Command::new("unshare");
    let namespace = ["--user", "--map-current-user", "--"];
    let tried = limited.args(namespace).arg("true").output();
    if !tried.is_ok_and(|output| output.status.success()) {
        println!("skipped: no namespaces here");
        return None;
    }
    let mut limited = Command::new("unshare");
    limited.args(namespace).arg(zen_harness::program!("zen-homework"));
    limited.args(["within", "--memory-mib", "64", "--processes", "16"]);
    limited.args([
        "--descriptors",
        "32",
        "--cpu-seconds",
        "9",
        "--",
        "sh",
        "-c",
        script,
    ]);
    Some(limited.output().expect("unshare can be run"))
}

#[test]
fn a_command_has_limits_and_comes_last() {
    let script = "ulimit -t; ulimit -n; ulimit -v; ulimit -p || ulimit -u; nice
        cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status";
    let Some(output) = within(script) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<_> = said.split_whitespace().collect();
    // 4 times 64 MiB of address space.
    let expected =
        ["9", "32", "262144", "16", "19", "1000", "NoNewPrivs:", "1"];
    assert_eq!(numbers, expected, "{output:?}");
}

#[test]
fn memory_beyond_the_limit_is_refused() {
    // A process may reserve 256 MiB, and this is twice as much.
    let script = "head -c 536870912 /dev/zero | tail -n 1 | wc -c";
    let Some(output) = within(script) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("memory exhausted"), "{output:?}");
}
