//! The process as a whole: where it fails to start, and how it ends.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use zen_harness::ports::free_port;
use zen_harness::system::{self, SIGINT, SIGTERM};

use super::limit::too_long;
use crate::architecture::Architecture;
use crate::case::{Case, case};
use crate::client::{Client, Ending, QUESTIONS_WAITING};
use crate::contract::{
    COMPLEX, IMPLICIT, Profile, TOO_LONG, UGLY, UNKNOWN, answers,
};
use crate::process::{self, PATIENCE, wait_until};
use crate::server::{Ended, Server, how_it_ended};
use crate::subject::Subject;
use crate::verdict::{Verdict, ensure, ensure_in_time};

pub(super) const CASES: &[Case] = &[
    case!("process/1", says_that_the_port_is_taken),
    case!("process/1", says_in_one_line_that_the_port_is_taken).should(),
    case!("process/1", says_that_the_address_is_not_its_own)
        .from(Profile::Listing),
    case!("process/2", says_that_there_is_no_such_host),
    case!("process/3", says_that_it_has_no_right_to_the_port),
    case!("process/4", a_wrong_command_line_is_exit_status_2),
    case!("process/5", nothing_that_a_user_does_is_a_panic),
    case!("process/6", sigpipe_does_not_end_it),
    case!("process/7", harmless_signals_harm_no_conversation),
    case!("process/7", harmless_signals_do_not_shorten_a_thought),
    case!("process/7", harmless_signals_lose_no_answer_that_waits),
    case!("process/8", sigterm_ends_it_with_status_0),
    case!("process/8", sigint_ends_it_with_status_0),
    case!("process/8", ctrl_c_that_reaches_its_whole_group_ends_it),
    case!("process/8", accepts_no_client_while_it_ends),
    case!("process/9", answers_what_has_arrived_before_it_ends),
    case!("process/9", finishes_its_thoughts_before_it_ends),
    case!("process/9", waits_for_a_slow_reader_before_it_ends),
    case!("process/10", its_clients_meet_the_end_of_file_when_it_ends),
    case!("process/11", a_client_that_never_reads_does_not_delay_its_end),
    case!("process/11", it_burns_no_processor_time_until_its_end),
    case!("process/11", a_client_that_drips_does_not_delay_its_end),
    case!("process/11", a_client_that_sends_and_sends_does_not_delay_its_end),
    case!("process/11", a_refused_client_does_not_delay_its_end),
    case!("process/11", a_long_thought_does_not_delay_its_end),
    case!("process/11", clients_at_the_limit_do_not_delay_its_end)
        .only(Architecture::grows_with_its_clients, "no --max-clients")
        .from(Profile::Listing),
    case!("process/11", a_lack_of_descriptors_does_not_delay_its_end),
    case!("process/12", says_which_question_its_end_has_cut_short),
    case!("process/13", clients_in_the_queue_do_not_delay_its_end),
    case!("process/14", a_second_sigint_ends_it_on_the_spot).should(),
    case!("process/14", a_second_sigterm_ends_it_on_the_spot).should(),
    case!("process/15", its_children_end_with_it)
        .only(Architecture::is_process_per_client, "it has no children"),
    case!("process/16", two_signals_at_once_count_as_one).should(),
    case!("process/17", starts_again_on_a_port_with_open_connections).alone(),
    case!("process/17", starts_again_on_the_port_of_one_that_was_killed)
        .alone(),
];

/// What the contract allows, and a little for the machine that measures it.
const STOP_TIME_MAX: Duration = Duration::from_millis(2000 + 250);

/// Expects that it cannot listen, and says so as it must; returns the reason.
fn cannot_listen(subject: &Subject, host: &str, port: u16) -> Verdict<String> {
    let port = port.to_string();
    let ended = Ended::run(subject.command(&[host, "-p", &port])?)?;
    let status = ended.status;
    ensure!(status.code() == Some(1), "not exit status 1, but {status}");
    let (output, errors) = (ended.output, ended.errors);
    ensure!(output.is_empty(), "on standard output: {output:?}");
    ensure!(errors.len() == 1, "on standard error, not one line: {errors:?}");
    let name = subject.name();
    let beginning = format!("{name}: cannot listen on {host}:{port}: ");
    let reason = errors[0].strip_prefix(&beginning).unwrap_or_default();
    ensure!(!reason.is_empty(), "not {beginning:?}, but {:?}", errors[0]);
    Ok(reason.to_string())
}

fn says_that_the_port_is_taken(subject: &Subject) -> Verdict {
    if !subject.is_listing() {
        return does_not_start_where_another_listens(subject);
    }
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let reason =
        cannot_listen(subject, "127.0.0.1", taken.local_addr()?.port())?;
    let expected = "Address already in use";
    let ok = !cfg!(unix) || reason == expected;
    ensure!(ok, "the reason is not {expected:?}, but {reason:?}");
    Ok(())
}

/// Another program listens at this port, and at IPv6 where the machine has that.
fn taken(port: u16) -> Verdict<[Option<TcpListener>; 2]> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    Ok([Some(listener), TcpListener::bind((Ipv6Addr::LOCALHOST, port)).ok()])
}

/// What is asked of any server: that it ends, and says so by its status.
fn does_not_start_where_another_listens(subject: &Subject) -> Verdict {
    let port = free_port()?;
    let _taken = taken(port)?;
    let ended = Ended::run(subject.command_line(&[], port, &[])?)?;
    let how = how_it_ended(ended.status);
    ensure!(
        ended.status.code() == Some(1),
        "the port was taken, so it should end with exit status 1: it {how}"
    );
    // Two of the same could agree to share a port (SO_REUSEPORT).
    let server = subject.start(&[])?;
    let port = server.address.port();
    let again = Ended::run(subject.command_line(&[], port, &[])?);
    let ended = again.map_err(|fault| {
        fault.after("a second one was started on the port of the first")
    })?;
    let how = how_it_ended(ended.status);
    ensure!(
        ended.status.code() == Some(1),
        "a second one on the port of the first should end with exit status 1: \
        it {how}"
    );
    Ok(())
}

fn says_in_one_line_that_the_port_is_taken(subject: &Subject) -> Verdict {
    let port = free_port()?;
    let _taken = taken(port)?;
    let number = port.to_string();
    let told = ["-p", &number];
    let options = if subject.is_listing() { &told[..] } else { &[] };
    let errors = Ended::run(subject.command_line(&[], port, options)?)?.errors;
    let lines = errors.len();
    let first = errors.first().map_or("", String::as_str);
    ensure!(
        lines == 1,
        "it printed {lines} lines on standard error, beginning with {first:?}; \
        one line should say what is wrong, since a backtrace helps no one but \
        the author"
    );
    Ok(())
}

fn says_that_the_address_is_not_its_own(subject: &Subject) -> Verdict {
    // An address that is reserved for documentation: no machine has it.
    cannot_listen(subject, "192.0.2.1", 0).map(drop)
}

fn says_that_there_is_no_such_host(subject: &Subject) -> Verdict {
    // No label of a name has 64 bytes, so no name server is asked.
    cannot_listen(subject, &"x".repeat(64), 0).map(drop)
}

fn says_that_it_has_no_right_to_the_port(subject: &Subject) -> Verdict {
    use crate::verdict::Fault::Skipped;
    let name = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let first = std::fs::read_to_string(name).unwrap_or_default();
    if first.trim().parse().unwrap_or(0) <= 1 {
        let reason = "here every user may use every port";
        return Err(Skipped(reason.into()));
    }
    let reason = cannot_listen(subject, "127.0.0.1", 1)?;
    let expected = "Permission denied";
    ensure!(reason == expected, "not {expected:?}, but {reason:?}");
    Ok(())
}

fn wrong_command_line(subject: &Subject, arguments: &[&str]) -> Verdict {
    let ended = Ended::run(subject.command(arguments)?)?;
    let status = ended.status;
    ensure!(status.code() == Some(2), "{arguments:?}: {status}, not 2");
    let errors = ended.errors.join("\n");
    ensure!(
        errors.starts_with("error: ") && errors.contains("--help"),
        "{arguments:?}: this is no message of clap's: {errors:?}"
    );
    ensure!(ended.output.is_empty(), "{arguments:?}: {:?}", ended.output);
    Ok(())
}

fn a_wrong_command_line_is_exit_status_2(subject: &Subject) -> Verdict {
    let wrong: [&[&str]; 15] = [
        &["--no-such-option"],
        &["-p", "65536"],
        &["-p", "-1"],
        &["-p", "http"],
        &["-p"],
        &["127.0.0.1", "localhost"],
        &["--backlog", "many"],
        &["--idle-timeout", "-1"],
        &["--backlog", "-1"],
        &["--idle-timeout", "soon"],
        &["--idle-timeout", "nan"],
        &["--idle-timeout", "inf"],
        &["--think", "-1"],
        &["--max-clients", "0"],
        &["--think", "1s"],
    ];
    wrong.iter().try_for_each(|words| wrong_command_line(subject, words))
}

fn nothing_that_a_user_does_is_a_panic(subject: &Subject) -> Verdict {
    let hosts = ["256.256.256.256", "a..b", "[", ":", " ", "127.0.0.1:80"];
    for host in hosts {
        let ended = Ended::run(subject.command(&[host, "-p", "0"])?)?;
        let errors = ended.errors.join("\n");
        let status = ended.status.code();
        ensure!(status == Some(1), "{host:?}: exit status {status:?}");
        let panic = ["panicked", "backtrace", "Err value", "Os {"];
        let panic = panic.iter().find(|words| errors.contains(**words));
        ensure!(panic.is_none(), "{host:?}: {errors}");
        ensure!(ended.errors.len() == 1, "{host:?}: not one line: {errors}");
    }
    Ok(())
}

fn sigpipe_does_not_end_it(subject: &Subject) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    client.asks()?;
    server.signal_all(system::SIGPIPE)?;
    client.asks()?.leave()?;
    server.connect()?.asks()?.leave()
}

/// Sends the server, all of it, every signal that should do nothing.
fn disturb(server: &Server) -> Verdict {
    let harmless =
        [system::SIGCONT, system::SIGWINCH, system::SIGURG, system::SIGCHLD];
    for _ in 0..5 {
        server.freeze()?;
        server.thaw()?;
        for signal in harmless {
            server.signal_all(signal)?;
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

fn harmless_signals_harm_no_conversation(subject: &Subject) -> Verdict {
    let server = subject.start(&["--idle-timeout", "30"])?;
    disturb(&server)?;
    let mut client = server.connect()?;
    client.asks()?;
    disturb(&server)?;
    client.send(b"Simple is ")?;
    disturb(&server)?;
    client.send(b"better than?")?.expect(b"Complex.")?.leave()?;
    disturb(&server)?;
    server.connect()?.asks()?.leave()
}

fn harmless_signals_do_not_shorten_a_thought(subject: &Subject) -> Verdict {
    let (server, mut client) = subject.start_for_one(&["--think", "400"])?;
    let asked = Instant::now();
    client.send(COMPLEX)?;
    server.expect_accepted(&client)?;
    disturb(&server)?;
    client.expect(b"Complex.")?;
    let time = asked.elapsed();
    ensure!(time >= Duration::from_millis(400), "answered after {time:?}");
    client.leave()
}

fn harmless_signals_lose_no_answer_that_waits(subject: &Subject) -> Verdict {
    let server = subject.start(&["--idle-timeout", "30"])?;
    let mut client = server.connect_narrow()?;
    let sent = client.send_until_stalled(b"?", 1 << 24)?;
    disturb(&server)?;
    client.expect(&answers(&vec![b'?'; sent]))?.leave()
}

/// Sends a signal and expects that the server ends as it must.
fn ends_by(subject: &Subject, signal: i32) -> Verdict {
    let (mut server, mut client) = subject.start_for_one(&[])?;
    client.asks()?;
    server.signal(signal)?;
    client.expect_eof()?;
    server.expect_exit_0()
}

fn sigterm_ends_it_with_status_0(subject: &Subject) -> Verdict {
    ends_by(subject, SIGTERM)?;
    // Also when it has never had a client.
    subject.start(&[])?.stop()
}

fn sigint_ends_it_with_status_0(subject: &Subject) -> Verdict {
    ends_by(subject, SIGINT)
}

fn ctrl_c_that_reaches_its_whole_group_ends_it(subject: &Subject) -> Verdict {
    let (mut server, mut client) =
        subject.start_for_one(&["--think", "200"])?;
    client.send(COMPLEX)?;
    server.expect_accepted(&client)?;
    server.signal_all(SIGINT)?;
    client.expect(b"Complex.")?.expect_eof()?;
    server.expect_exit_0()
}

fn accepts_no_client_while_it_ends(subject: &Subject) -> Verdict {
    let (mut server, mut client) =
        subject.start_for_one(&["--think", "500"])?;
    client.send(COMPLEX)?;
    server.expect_accepted(&client)?;
    server.signal(SIGTERM)?;
    server.expect_shutting_down()?;
    // Refused, or reset, or at the end of file; but not answered.
    if let Ok(mut late) = server.connect() {
        late.send(COMPLEX).ok();
        let (bytes, _) = late.rest(PATIENCE)?;
        ensure!(bytes.is_empty(), "a client was answered that came late");
        let line = format!("Accepted connection from {}", late.address);
        ensure!(server.log.count(&line) == 0, "a late client was accepted");
    }
    client.expect(b"Complex.")?.expect_eof()?;
    server.expect_end()
}

fn answers_what_has_arrived_before_it_ends(subject: &Subject) -> Verdict {
    let (mut server, mut client) = subject.start_for_one(&[])?;
    client.asks()?;
    server.freeze()?;
    let stream = [COMPLEX, UGLY, IMPLICIT, b"?"].concat().repeat(400);
    client.send(&stream)?;
    server.signal(SIGTERM)?;
    server.thaw()?;
    client.expect(&answers(&stream))?.expect_eof()?;
    server.expect_end()
}

fn finishes_its_thoughts_before_it_ends(subject: &Subject) -> Verdict {
    let mut server = subject.start(&["--think", "150"])?;
    let mut clients = Vec::new();
    for _ in 0..subject.at_once(2) {
        let mut client = server.connect()?;
        client.send(&[COMPLEX, UGLY, IMPLICIT].concat())?;
        server.expect_accepted(&client)?;
        clients.push(client);
    }
    server.signal(SIGTERM)?;
    for client in &mut clients {
        client.expect(b"Complex.Ugly.Implicit.")?.expect_eof()?;
    }
    server.expect_end()
}

fn waits_for_a_slow_reader_before_it_ends(subject: &Subject) -> Verdict {
    let mut server = subject.start(&[])?;
    let mut client = server.with_answers_waiting()?;
    client.send(&COMPLEX.repeat(500))?;
    // One that still waits to be accepted may be reset.
    server.expect_accepted(&client)?;
    server.signal(SIGTERM)?;
    server.expect_shutting_down()?;
    thread::sleep(Duration::from_millis(300));
    client.expect(&UNKNOWN.repeat(QUESTIONS_WAITING))?;
    client.expect(&b"Complex.".repeat(500))?.expect_eof()?;
    server.expect_end()
}

fn its_clients_meet_the_end_of_file_when_it_ends(subject: &Subject) -> Verdict {
    let mut server = subject.start(&[])?;
    let mut clients = server.accepted(subject.at_once(20))?;
    let mut every_other = clients.iter_mut().step_by(2);
    every_other.try_for_each(|client| client.asks().map(drop))?;
    server.signal(SIGTERM)?;
    clients.iter_mut().try_for_each(Client::expect_eof)?;
    server.expect_end()?;
    clients.iter().try_for_each(|client| server.expect_closed(client))
}

/// Sends SIGTERM and expects the end in time, whatever the clients do.
pub(super) fn ends_in_time(server: &mut Server) -> Verdict {
    let told = Instant::now();
    server.signal(SIGTERM)?;
    expect_end_in_time(server, told)
}

fn expect_end_in_time(server: &mut Server, told: Instant) -> Verdict {
    server.expect_end()?;
    let time = told.elapsed();
    ensure_in_time!(
        time,
        STOP_TIME_MAX,
        "it took {time:.2?} to end, and 2 s are allowed"
    );
    Ok(())
}

fn a_client_that_never_reads_does_not_delay_its_end(
    subject: &Subject,
) -> Verdict {
    let mut server = subject.start(&[])?;
    let _waits = server.with_answers_waiting()?;
    ends_in_time(&mut server)
}

fn it_burns_no_processor_time_until_its_end(subject: &Subject) -> Verdict {
    let mut server = subject.start(&[])?;
    let waits = server.with_answers_waiting()?;
    server.expect_accepted(&waits)?;
    server.signal(SIGTERM)?;
    server.expect_shutting_down()?;
    process::while_idle(server.process()?, || {
        // More than half of what is left until the cut.
        thread::sleep(Duration::from_millis(1000));
        Ok(())
    })?;
    server.expect_end()
}

/// Ends while a client goes on sending.
fn ends_while_sent(subject: &Subject, bytes: &[u8], pause: u64) -> Verdict {
    let (mut server, mut client) = subject.start_for_one(&[])?;
    server.process()?;
    client.asks()?;
    thread::scope(|scope| {
        scope.spawn(move || {
            while client.send(bytes).is_ok() {
                client.read_some(1 << 16).ok();
                thread::sleep(Duration::from_millis(pause));
            }
        });
        let verdict = ends_in_time(&mut server);
        // In any case, let the client's thread come to its end.
        server.kill();
        verdict
    })
}

fn a_client_that_drips_does_not_delay_its_end(subject: &Subject) -> Verdict {
    ends_while_sent(subject, b"x", 5)
}

fn a_client_that_sends_and_sends_does_not_delay_its_end(
    subject: &Subject,
) -> Verdict {
    ends_while_sent(subject, &b"??????".repeat(100), 0)
}

fn a_refused_client_does_not_delay_its_end(subject: &Subject) -> Verdict {
    let (mut server, mut client) = subject.start_for_one(&[])?;
    client.send(&too_long(subject))?.expect(TOO_LONG)?.expect_eof()?;
    ends_in_time(&mut server)
}

fn a_long_thought_does_not_delay_its_end(subject: &Subject) -> Verdict {
    let (mut server, mut client) =
        subject.start_for_one(&["--think", "60000"])?;
    client.send(COMPLEX)?;
    server.expect_accepted(&client)?;
    ends_in_time(&mut server)
}

fn clients_at_the_limit_do_not_delay_its_end(subject: &Subject) -> Verdict {
    let mut server = subject.start(&["--max-clients", "1"])?;
    let _served = server.served(1)?;
    let mut waits = server.connect()?;
    waits.send(COMPLEX)?.expect_silence(Duration::from_millis(100))?;
    ends_in_time(&mut server)
}

fn a_lack_of_descriptors_does_not_delay_its_end(subject: &Subject) -> Verdict {
    let (mut server, _clients, _waits) = super::crowd::crowded(subject)?;
    ends_in_time(&mut server)
}

fn says_which_question_its_end_has_cut_short(subject: &Subject) -> Verdict {
    let (mut server, mut client) = subject.start_for_one(&[])?;
    client.asks()?.send(b"Simple is bet")?;
    server.stop()?;
    server.expect_error(
        &client,
        "received b\"Simple is bet\" then socket closed",
    )?;
    client.expect_eof()
}

fn clients_in_the_queue_do_not_delay_its_end(subject: &Subject) -> Verdict {
    let mut server = subject.start(&[])?;
    let at_once = subject.at_once(1);
    let _clients = server.served(at_once)?;
    server.freeze()?;
    let queue: Vec<_> =
        (0..5).map(|_| server.queue_up()).collect::<Verdict<_>>()?;
    server.signal(SIGTERM)?;
    let told = Instant::now();
    server.thaw()?;
    for mut client in queue.into_iter().flatten() {
        let (bytes, ending) = client.rest(PATIENCE)?;
        let ended = matches!(ending, Ending::EndOfFile | Ending::Reset);
        ensure!(ended && bytes.is_empty(), "a client in the queue was told");
    }
    expect_end_in_time(&mut server, told)
}

/// Two signals, 150 ms apart, to a server that cannot end at once.
fn second_signal(server: &mut Server, signal: i32) -> Verdict {
    server.signal(SIGTERM)?;
    server.expect_shutting_down()?;
    thread::sleep(Duration::from_millis(150));
    server.signal(signal)?;
    let told = Instant::now();
    let status = server.wait(PATIENCE)?;
    let time = told.elapsed();
    ensure!(
        system::ended_by(status) == Some(signal),
        "not ended by signal {signal}: it {}",
        how_it_ended(status)
    );
    ensure_in_time!(
        time,
        Duration::from_secs(1),
        "after the second signal it took another {time:.2?} to end"
    );
    Ok(())
}

fn a_second_sigint_ends_it_on_the_spot(subject: &Subject) -> Verdict {
    let mut server = subject.start(&[])?;
    let waits = server.with_answers_waiting()?;
    server.expect_accepted(&waits)?;
    second_signal(&mut server, SIGINT)
}

fn a_second_sigterm_ends_it_on_the_spot(subject: &Subject) -> Verdict {
    let (mut server, mut client) =
        subject.start_for_one(&["--think", "60000"])?;
    client.send(COMPLEX)?;
    server.expect_accepted(&client)?;
    second_signal(&mut server, SIGTERM)
}

fn its_children_end_with_it(subject: &Subject) -> Verdict {
    let mut server = subject.start(&[])?;
    let waiting =
        [server.with_answers_waiting()?, server.with_answers_waiting()?];
    for waits in &waiting {
        server.expect_accepted(waits)?;
    }
    let group = server.process()?;
    ensure!(process::states(group)?.len() == 3, "not two children");
    second_signal(&mut server, SIGINT)?;
    // A zombie has ended, and is now another process's to wait for.
    wait_until("rid of its children", Duration::from_secs(1), || {
        Ok(process::states(group)?.iter().all(|state| *state == 'Z'))
    })
}

fn two_signals_at_once_count_as_one(subject: &Subject) -> Verdict {
    let (mut server, mut client) =
        subject.start_for_one(&["--think", "300"])?;
    client.send(&[COMPLEX, UGLY].concat())?;
    server.expect_accepted(&client)?;
    // As timeout(1) does: to the process, and then to its group. Frozen, so
    // that they are together however busy this machine is.
    server.freeze()?;
    server.signal(SIGTERM)?;
    server.signal_all(SIGTERM)?;
    server.signal(SIGINT)?;
    server.thaw()?;
    client.expect(b"Complex.Ugly.")?.expect_eof()?;
    server.expect_end()?;
    let lines = server.log.count("Shutting down");
    let once = lines == 1 || !subject.is_listing();
    ensure!(once, "log/14: said {lines} times that it shuts down");
    Ok(())
}

fn starts_again(subject: &Subject, end: fn(&mut Server) -> Verdict) -> Verdict {
    let mut server = subject.start(&[])?;
    server.process()?;
    let mut clients = server.served(subject.at_once(3))?;
    end(&mut server)?;
    let again = Server::start_at(subject, server.address.port(), &[])?;
    again.connect()?.asks()?.leave()?;
    clients.iter_mut().try_for_each(|client| client.rest(PATIENCE).map(drop))
}

fn starts_again_on_a_port_with_open_connections(subject: &Subject) -> Verdict {
    starts_again(subject, |server| {
        server.signal(SIGTERM)?;
        match server.expect_end() {
            // That it does not end is told elsewhere.
            Err(_) if !server.subject.is_listing() => {
                server.kill_and_free_the_port()
            }
            ended => ended,
        }
    })
}

fn starts_again_on_the_port_of_one_that_was_killed(
    subject: &Subject,
) -> Verdict {
    starts_again(subject, |server| server.kill_and_free_the_port())
}
