//! How the program is started, and where its output goes.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use zen_harness::process::{self, Ended, Process};
use zen_harness::system;

use crate::stand_in::{
    How, PATIENCE, command, connected, new_log, program, start, start_for_one,
    start_with,
};

fn run(mut command: Command) -> io::Result<Ended> {
    process::run(&mut command, PATIENCE)
}

fn code(ended: &Ended) -> Option<i32> {
    ended.status?.code()
}

fn by_hand(arguments: &[&str]) -> io::Result<Ended> {
    run(command(How::Inetd, None, arguments))
}

/// With the variables that systemd sets, perhaps wrong ones.
fn with_variables(assignments: &str) -> io::Result<Ended> {
    let mut shell = Command::new("sh");
    let script = format!("{assignments} exec \"$0\"");
    shell.args(["-c", &script, &program()]);
    run(shell)
}

const NO_SOCKET: &str =
    "zen-inetd: no TCP socket to serve: let inetd or systemd start it";

#[test]
fn option_22_help_names_the_listings_and_the_page() -> io::Result<()> {
    let ended = by_hand(&["--help"])?;
    assert_eq!((code(&ended), ended.errors.len()), (Some(0), 0));
    let output = ended.output.join("\n");
    assert!(output.contains("(7-10 and 7-11, page 133)"));
    Ok(())
}

#[test]
fn process_4_exits_with_2_on_a_wrong_command_line() -> io::Result<()> {
    let ended = by_hand(&["--port", "1060"])?;
    assert_eq!((code(&ended), ended.output.len()), (Some(2), 0));
    let error = "error: unexpected argument '--port'";
    assert!(ended.errors[0].starts_with(error), "{:?}", ended.errors);
    Ok(())
}

#[test]
fn process_1_complains_without_a_socket() -> io::Result<()> {
    let ended = by_hand(&[])?;
    assert_eq!((code(&ended), ended.output.len()), (Some(1), 0));
    assert_eq!(ended.errors, [NO_SOCKET]);
    Ok(())
}

#[test]
fn process_1_refuses_a_socket_that_is_not_tcp() -> io::Result<()> {
    let udp = std::net::UdpSocket::bind(("127.0.0.1", 0))?;
    let (unix, _peer) = std::os::unix::net::UnixStream::pair()?;
    for sock in [OwnedFd::from(udp), OwnedFd::from(unix)] {
        let mut command = command(How::Inetd, None, &[]);
        command.stdin(sock).stderr(Stdio::piped());
        let ended = Process::spawn(&mut command)?.finish(PATIENCE)?;
        assert_eq!(ended.errors, [NO_SOCKET]);
        assert_eq!(code(&ended), Some(1));
    }
    Ok(())
}

#[test]
fn complains_in_one_line_about_a_log_it_cannot_open() -> io::Result<()> {
    let ended = by_hand(&["--log", "/nonexistent/log"])?;
    assert_eq!((code(&ended), ended.output.len()), (Some(1), 0));
    let line = "zen-inetd: cannot log to /nonexistent/log: \
                No such file or directory";
    assert_eq!(ended.errors, [line]);
    Ok(())
}

#[test]
fn ignores_variables_for_another_process() -> io::Result<()> {
    let ended = with_variables("LISTEN_FDS=1 LISTEN_PID=1")?;
    assert_eq!(code(&ended), Some(1));
    assert_eq!(ended.errors, [NO_SOCKET]);
    Ok(())
}

#[test]
fn refuses_several_sockets() -> io::Result<()> {
    let ended = with_variables("LISTEN_FDS=2 LISTEN_PID=$$")?;
    let line = "zen-inetd: LISTEN_FDS is not 1: hand over a single socket";
    assert_eq!(code(&ended), Some(1));
    assert_eq!(ended.errors, [line]);
    Ok(())
}

#[test]
fn refuses_a_descriptor_that_is_not_open() -> io::Result<()> {
    let ended = with_variables("LISTEN_FDS=1 LISTEN_PID=$$")?;
    let line = "zen-inetd: LISTEN_FDS: descriptor 3 is not open";
    assert_eq!(code(&ended), Some(1));
    assert_eq!(ended.errors, [line]);
    Ok(())
}

#[test]
fn what_it_prints_never_reaches_the_client() -> io::Result<()> {
    for (arguments, status) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["--no-such-option"], 2),
        (&["--log", "/nonexistent/log"], 1),
    ] {
        let (mut client, sock) = connected()?;
        let command = command(How::Inetd, None, arguments);
        let mut started = start_with(command, How::Inetd, sock, new_log()?)?;
        client.receives_to_the_end(b"")?;
        assert_eq!(started.end()?.code(), Some(status), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn discards_its_lines_without_a_log() -> io::Result<()> {
    let (mut client, sock) = connected()?;
    let command = command(How::Inetd, None, &[]);
    let mut started = start_with(command, How::Inetd, sock, new_log()?)?;
    client.asks()?;
    client.stops_sending()?;
    client.receives_to_the_end(b"")?;
    assert_eq!(started.end()?.code(), Some(0));
    Ok(())
}

#[test]
fn log_1_logs_to_a_standard_output_that_is_not_the_client() -> io::Result<()> {
    let (mut client, sock) = connected()?;
    let command = command(How::Systemd, None, &[]);
    let mut started = start_with(command, How::Systemd, sock, new_log()?)?;
    client.asks()?;
    client.stops_sending()?;
    client.receives_to_the_end(b"")?;
    let logged = started.prints()?;
    let address = client.address;
    let expected = format!(
        "Accepted connection from {address}\n\
         Client socket to {address} has closed\n"
    );
    assert_eq!(logged, expected);
    Ok(())
}

#[test]
fn option_24_takes_its_options_from_the_environment() -> io::Result<()> {
    let (mut client, sock) = connected()?;
    let log = new_log()?;
    let mut command = command(How::Inetd, None, &[]);
    command.env("ZEN_LOG", &log).env("ZEN_IDLE_TIMEOUT", "0.1");
    // Set to nothing, it counts as not set.
    command.env("ZEN_LINGER", "").env("ZEN_THINK", "");
    let mut started = start_with(command, How::Inetd, sock, log)?;
    client.receives_to_the_end(b"")?;
    let logged = started.ends_well()?;
    let end = " error: no question for 0.1 seconds";
    assert!(logged.iter().any(|line| line.ends_with(end)), "{logged:?}");
    Ok(())
}

#[test]
fn option_21_quiet_hides_single_clients() -> io::Result<()> {
    let (mut client, mut started) = start_for_one(How::Inetd, &["--quiet"])?;
    client.asks()?;
    drop(client);
    assert_eq!(started.ends_well()?, [""; 0]);
    Ok(())
}

#[test]
fn log_1_the_lines_of_many_processes_do_not_mix() -> io::Result<()> {
    let log = new_log()?;
    let mut all = Vec::new();
    for _ in 0..20 {
        let (client, sock) = connected()?;
        let command = command(How::Inetd, Some(&log), &[]);
        let started = start_with(command, How::Inetd, sock, log.clone())?;
        all.push((client, started));
    }
    for (client, _) in &mut all {
        client.asks()?;
    }
    let mut expected = Vec::new();
    for (client, started) in &mut all {
        client.stops_sending()?;
        client.receives_to_the_end(b"")?;
        assert_eq!(started.end()?.code(), Some(0));
        let address = client.address;
        expected.push(format!("Accepted connection from {address}"));
        expected.push(format!("Client socket to {address} has closed"));
    }
    let mut logged = all[0].1.logged()?;
    logged.sort_unstable();
    expected.sort_unstable();
    assert_eq!(logged, expected);
    Ok(())
}

#[test]
fn process_14_a_second_signal_ends_it_at_once() -> io::Result<()> {
    let (client, sock) = connected()?;
    let mut started = start(How::Inetd, sock, &["--think", "60000"])?;
    let mut client = client;
    client.send(b"Simple is better than?")?;
    let address = client.address;
    started.logs(&format!("Accepted connection from {address}"))?;
    started.signal(system::SIGINT)?;
    started.logs("Shutting down")?;
    std::thread::sleep(std::time::Duration::from_millis(150));
    started.signal(system::SIGTERM)?;
    let ended_by = system::ended_by(started.end()?);
    assert_eq!(ended_by, Some(system::SIGTERM));
    Ok(())
}
