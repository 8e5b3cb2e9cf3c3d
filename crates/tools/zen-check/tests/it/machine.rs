//! `zen-check` on machines that lack something: what it says of a server that
//! is right, and what it leaves behind.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use zen_harness::process::{Ended, Process};

const PATIENCE: Duration = Duration::from_secs(100);

fn right() -> String {
    format!("{} --port {{port}}", zen_harness::program!("zen-wrong"))
}

/// Runs a shell script to its end. In it, $check is the checker, $0 an empty
/// word, and $server the command of a server that is right.
fn run(runner: &[&str], script: &str) -> Ended {
    let shell = [runner, &["sh", "-c", script]].concat();
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).env("check", zen_harness::program!("zen-check"));
    command.env("server", right()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let process = Process::spawn(&mut command).expect("a shell");
    process.finish(PATIENCE).expect("it ends")
}

/// The same in namespaces of its own; nothing where there are none.
fn run_apart(runner: &[&str], script: &str) -> Option<Ended> {
    let can = run(runner, "exit 0").succeeded();
    can.then(|| run(runner, script))
}

#[test]
fn too_few_descriptors_are_no_fault_of_the_server() {
    let script = "ulimit -n 30; exec $check --architecture event-loop --case crowd/3 -- $server";
    let ended = run(&[], script);
    let report = ended.output.join("\n");
    assert!(report.contains("nothing is known of"), "{report}");
    assert!(report.contains("Too many open files"), "{report}");
    assert!(!report.contains("FAILED"), "{report}");
    assert_eq!(ended.errors, [""; 0]);
}

#[test]
fn a_soft_limit_is_raised() {
    let script = "ulimit -S -n 24; exec $check --fast -- $server";
    let ended = run(&[], script);
    assert!(ended.succeeded(), "{ended:?}");
}

#[test]
fn a_daemon_without_a_mark_is_killed() {
    let time = format!("300.{}", std::process::id());
    let daemon = format!("setsid env -i sleep {time}");
    let server = format!("({daemon} &) && exec {}", right());
    let script =
        format!("exec $check --case wire/8 -- sh -c '{server}' \"$0\"");
    let ended = run(&[], &script);
    assert!(ended.succeeded(), "{ended:?}");
    let is_the_daemon = |process: &fs::DirEntry| {
        let words = fs::read(process.path().join("cmdline"));
        words.is_ok_and(|it| {
            it.starts_with(b"sleep\0")
                && it.ends_with(format!("{time}\0").as_bytes())
        })
    };
    let mut all = fs::read_dir("/proc").expect("Linux").flatten();
    assert!(!all.any(|process| is_the_daemon(&process)), "it goes on");
}

#[test]
fn nothing_is_known_of_processes_without_proc() {
    let script = "mount -t tmpfs none /proc && \
        exec $check --case wire/8 --case process/8 --case crowd/8 \
        --case option/8 -- $server {options}";
    let Some(ended) = run_apart(&["unshare", "-Urm"], script) else { return };
    let report = ended.output.join("\n");
    assert!(ended.succeeded(), "{report}");
    for reason in ["not mounted here: crowd/8", "is dropped: option/8"] {
        assert!(report.contains(reason), "{report}");
    }
}

#[test]
fn a_case_whose_premise_the_kernel_breaks_is_left_out() {
    let script = "ip link set lo up && cd /proc/sys/net && \
        echo 4 >core/somaxconn && \
        echo 1048576 1048576 4194304 >ipv4/tcp_wmem && cd / && \
        exec $check --case crowd/5 --case process/11::a_client_that_never_reads_does_not_delay_its_end -- $server";
    let Some(ended) = run_apart(&["unshare", "-Urn"], script) else { return };
    let report = ended.output.join("\n");
    assert!(ended.succeeded(), "{report}");
    for reason in ["only 4 clients can wait", "no answer can be made to wait"] {
        assert!(report.contains(reason), "{report}");
    }
}

#[test]
fn a_server_that_spins_does_not_sleep() {
    let script = "exec $check --report json=- --case cost/7 -- \
        $server --fault spins";
    let report = run(&[], script).output.join("\n");
    assert!(report.contains("\"outcome\": \"failed\""), "{report}");
    assert!(report.contains("it spins and never goes to sleep"), "{report}");
}
