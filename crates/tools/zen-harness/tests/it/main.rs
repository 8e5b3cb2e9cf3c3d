//! Shell processes, started, watched and ended.
#![cfg(unix)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zen_harness::process::{Process, Readiness, run};
use zen_harness::{ports, proc, system};

const PATIENCE: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]);
    shell
}

#[test]
fn a_process_that_has_ended_keeps_its_number_until_it_is_killed() {
    let mut process = Process::start(&mut shell("exit 3")).unwrap();
    for _ in 0..2 {
        let status = process.wait(PATIENCE).unwrap().unwrap();
        assert_eq!(status.code(), Some(3));
    }
    if cfg!(target_os = "linux") {
        assert_eq!(proc::states(process.id()).unwrap(), ['Z']);
    }
    assert_eq!(process.kill().unwrap().code(), Some(3));
    assert_eq!(process.ended().unwrap().unwrap().code(), Some(3));
}

#[test]
fn reports_the_signal_that_ended_it() {
    let mut process = Process::start(&mut shell("kill -TERM $$")).unwrap();
    let status = process.wait(PATIENCE).unwrap().unwrap();
    assert_eq!(system::ended_by(status), Some(system::SIGTERM));
    assert_eq!(process.kill().unwrap(), status);
}

#[test]
fn waits_no_longer_than_it_may() {
    let mut process = Process::start(&mut shell("read line")).unwrap();
    // Its input is empty, so this one ends by itself.
    assert!(process.wait(PATIENCE).unwrap().is_some());
    let mut process = Process::start(&mut shell("sleep 60")).unwrap();
    assert!(process.wait(Duration::from_millis(20)).unwrap().is_none());
    let ended = process.wait_while(PATIENCE, |_| false).unwrap();
    assert!(ended.is_none());
}

#[test]
#[cfg(target_os = "linux")]
fn a_daemon_is_killed_with_the_process_that_started_it() {
    // A session of its own, and a parent that has ended.
    let script = "setsid sh -c 'echo $$; exec sleep 60' & wait $!";
    let mut parent = Process::start(&mut shell(script)).unwrap();
    let daemon = parent.output.first_line(PATIENCE).unwrap();
    let is_there = || std::fs::exists(format!("/proc/{daemon}/fd")).unwrap();
    assert!(is_there());
    parent.kill();
    let gone = || Ok::<_, ()>((!is_there()).then_some(()));
    assert_eq!(zen_harness::process::wait_for(PATIENCE, gone), Ok(Some(())));
}

#[test]
fn a_server_gets_only_the_variables_that_its_command_sets() {
    const NAME: &str = "a_server_gets_only_the_variables_that_its_command_sets";
    if std::env::var_os("ZEN_PORT").is_none() {
        // Once more, in a process that has such a variable.
        let mut again = Command::new(std::env::current_exe().unwrap());
        let again = again.args([NAME, "--exact"]).env("ZEN_PORT", "7");
        assert!(again.status().unwrap().success());
        return;
    }
    let mut command = shell("echo ${ZEN_PORT-none} ${ZEN_THINK-none}");
    let ended = run(command.env("ZEN_THINK", "5"), PATIENCE).unwrap();
    assert_eq!(ended.output, ["none 5"]);
}

#[test]
fn a_command_that_does_not_end_is_killed() {
    let mut endless = shell("echo begun; sleep 60");
    let ended = run(&mut endless, Duration::from_millis(200)).unwrap();
    assert!(ended.status.is_none());
}

#[test]
fn gives_up_on_a_port_without_a_listener() {
    let port = ports::free_port().unwrap();
    let mut process = Process::start(&mut shell("exit 4")).unwrap();
    let ready = process.wait_for_port(port, PATIENCE).unwrap();
    assert!(matches!(ready, Readiness::Ended(it) if it.code() == Some(4)));
    let mut process = Process::start(&mut shell("sleep 60")).unwrap();
    let begun = Instant::now();
    let short = Duration::from_millis(100);
    let ready = process.wait_for_port(port, short).unwrap();
    assert!(matches!(ready, Readiness::Late));
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn a_server_without_an_address_is_reported_with_its_last_words() {
    let script = "echo Listening nowhere; echo no socket >&2; sleep 60";
    let mut process = Process::start(&mut shell(script)).unwrap();
    process.errors.first_line(PATIENCE).unwrap();
    let err = process.address(PATIENCE).unwrap_err().to_string();
    assert!(err.contains("Listening nowhere"), "{err}");
    assert!(err.contains("no socket"), "{err}");
}

#[test]
fn standard_input_can_be_written_and_closed() {
    use std::io::Write;
    let mut cat = Command::new("cat");
    cat.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = Process::spawn(&mut cat).unwrap();
    let mut keyboard = process.input().unwrap();
    keyboard.write_all(b"half").unwrap();
    let has_it = |_: &[String], rest: &[u8]| (rest == b"half").then_some(());
    process.output.wait_for_text("half", PATIENCE, has_it).unwrap();
    drop(keyboard);
    assert!(process.wait(PATIENCE).unwrap().unwrap().success());
}

#[test]
#[cfg(target_os = "linux")]
fn processor_time_is_counted_with_that_of_children_that_have_ended() {
    let script = "(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done); \
                  echo done; sleep 60";
    let mut server = Process::start(&mut shell(script)).unwrap();
    server.output.first_line(PATIENCE).unwrap();
    // The shell itself has used almost no processor time.
    let cpu = proc::cpu_time(server.id()).unwrap();
    assert!(cpu >= Duration::from_millis(30), "{cpu:?}");
    let parts = proc::parts(server.id()).unwrap();
    assert!(parts.memory_bytes > 4096 && parts.descriptors >= 3, "{parts:?}");
    server.kill();
    // The signal is sent at once; the process is gone a moment later.
    let family = || proc::family(server.id()).unwrap();
    let gone = || Ok::<_, ()>(family().is_empty().then_some(()));
    assert_eq!(zen_harness::process::wait_for(PATIENCE, gone), Ok(Some(())));
}
