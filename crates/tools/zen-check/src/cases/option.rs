//! The command line, and the environment.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use crate::architecture::Architecture;
use crate::case::{Named, functions};
use crate::client::{Client, LAST_BATCH};
use crate::contract::COMPLEX;
use crate::full::expect_the_most;
use crate::process::PATIENCE;
use crate::server::{Ended, Server, expect_namespaces};
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, ensure};

pub(super) const FUNCTIONS: &[Named] = functions![
    listens_at_a_name,
    listens_at_every_interface,
    takes_the_first_address_that_can_be_bound,
    listens_at_the_port_it_is_given,
    listens_at_port_1060_by_itself,
    says_which_port_the_system_has_picked,
    as_many_clients_wait_as_the_backlog_says,
    hundreds_of_clients_may_wait,
    a_partial_send_does_not_start_the_clock_again,
    thinks_for_several_clients_at_once,
    is_quiet_about_clients,
    helps_with_the_listing_and_the_page,
    prints_its_version,
    takes_the_backlog_from_the_environment,
    takes_quiet_from_the_environment,
    the_command_line_wins,
];

fn listens_at_a_name(subject: &Subject) -> Verdict {
    let server = subject.start(&["localhost"])?;
    let address = server.address;
    ensure!(
        address.ip().is_loopback(),
        "for `localhost` it listens at {address}"
    );
    server.connect()?.asks()?.leave()
}

fn listens_at_every_interface(subject: &Subject) -> Verdict {
    let server = subject.start(&[""])?;
    let port = server.address.port();
    server.expect_line(&format!("Listening at 0.0.0.0:{port}"))?;
    server.connect()?.asks()?.leave()?;
    if cfg!(target_os = "linux") {
        let other = ([127, 0, 0, 2], port).into();
        Client::connect(other)?.of(subject).asks()?.leave()?;
    }
    Ok(())
}

/// Starts the program in a namespace of its own, in which `preparation` is run
/// before it.
fn start_apart<'a>(
    subject: &'a Subject,
    preparation: &str,
    arguments: &[&str],
) -> Verdict<Server<'a>> {
    let script = format!("({preparation}) && exec \"$0\" \"$@\"");
    let runner = ["unshare", "-Urnm", "sh", "-c", &script];
    expect_namespaces(&runner)?;
    let command = subject.command_line(&runner, 0, arguments)?;
    Server::spawn(subject, command, usize::MAX)
}

fn takes_the_first_address_that_can_be_bound(subject: &Subject) -> Verdict {
    // Another process of the program takes the first of two addresses. What is
    // mounted here goes away with the namespace.
    let preparation = "f=/dev/shm/f && mount -t tmpfs none /dev/shm && \
        printf '127.0.0.1 two\\n127.0.0.2 two\\n' > $f && \
        mount --bind $f /etc/hosts && ip link set lo up && rm $f && \
        if [ -x \"$0\" ]; then \
            mkfifo $f; timeout --foreground 30 \"$0\" two > $f & \
            read _ < $f; rm $f; \
        fi";
    let server = start_apart(subject, preparation, &["two"])?;
    let address = server.address;
    ensure!(address.port() == 1060, "it listens at {address}");
    Ok(())
}

fn listens_at_the_port_it_is_given(subject: &Subject) -> Verdict {
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let free = free.to_string();
    for option in ["-p", "--port"] {
        let command = subject.command(&[option, &free])?;
        let mut server = Server::spawn(subject, command, usize::MAX)?;
        server.expect_line(&format!("Listening at 127.0.0.1:{free}"))?;
        server.kill_and_free_the_port()?;
    }
    Ok(())
}

fn listens_at_port_1060_by_itself(subject: &Subject) -> Verdict {
    // In a network of its own: on the machine's the port may be taken.
    let server = start_apart(subject, "ip link set lo up", &[])?;
    server.expect_line("Listening at 127.0.0.1:1060")
}

fn says_which_port_the_system_has_picked(subject: &Subject) -> Verdict {
    let (first, second) = (subject.start(&[])?, subject.start(&[])?);
    let ports = [first.address.port(), second.address.port()];
    ensure!(
        ports[0] != ports[1] && !ports.contains(&0),
        "two servers with --port 0 listen at {ports:?}"
    );
    Client::connect(first.address)?.of(subject).asks()?.leave()?;
    Client::connect(second.address)?.of(subject).asks()?.leave()
}

/// How many of some clients can connect while the server does not accept.
fn can_connect(server: &Server, clients: usize) -> Verdict<usize> {
    server.freeze()?;
    let connect = || {
        let patience = Duration::from_millis(300);
        zen_harness::system::connect(server.address, patience)
    };
    let connected: Vec<_> =
        (0..clients).map_while(|_| connect().ok()).collect();
    server.thaw()?;
    Ok(connected.len())
}

/// As many clients can wait as the backlog says, and one more, which Linux
/// lets in; where each loop has a queue of its own, they are spread by chance.
fn expect_backlog(server: &Server, backlog: usize) -> Verdict {
    let loops = server.subject.loops();
    let least = backlog + 1;
    let connected = can_connect(server, loops * least + 4)?;
    ensure!(
        (least..=loops * least).contains(&connected),
        "with --backlog {backlog}, {connected} clients can wait to be \
        accepted, and not {least}"
    );
    Ok(())
}

fn as_many_clients_wait_as_the_backlog_says(subject: &Subject) -> Verdict {
    expect_backlog(&subject.start(&["--backlog", "3"])?, 3)
}

fn hundreds_of_clients_may_wait(subject: &Subject) -> Verdict {
    let server = subject.start(&[])?;
    let name = "/proc/sys/net/core/somaxconn";
    let most = std::fs::read_to_string(name).unwrap_or_default();
    let clients = most.trim().parse().unwrap_or(128).min(500);
    let connected = can_connect(&server, clients)?;
    ensure!(
        connected == clients,
        "only {connected} clients can wait to be accepted, and not {clients}"
    );
    Ok(())
}

fn a_partial_send_does_not_start_the_clock_again(subject: &Subject) -> Verdict {
    let server = subject.start(&["--idle-timeout", "1"])?;
    let mut client = server.connect_narrow()?;
    client.send(&b"?".repeat(20 * LAST_BATCH))?;
    let (since, mut read) = (Instant::now(), 0);
    // 40 KB a second. Several times a second there is room for a part of the
    // answers, but those to one receive take a second and a half, unless they
    // are the first ones, which the buffers have taken already.
    // To look for the server's end takes a while, in which nothing is read.
    let mut look = since;
    loop {
        if Instant::now() >= look {
            if server.has_dropped(client.address) {
                break;
            }
            look = Instant::now() + Duration::from_millis(250);
        }
        let time = since.elapsed();
        ensure!(
            time < Duration::from_secs(4),
            "not dropped in {time:.2?} by --idle-timeout 1: the client has \
            sent {} questions at once, and reads 40 kB of the answers a second",
            20 * LAST_BATCH
        );
        let due = time.as_millis() as usize * 40;
        if due > read {
            read += client.read_some(due - read)?;
        }
        thread::sleep(Duration::from_millis(5));
    }
    server.expect_error(client.address, "no question for 1 seconds")
}

fn thinks_for_several_clients_at_once(subject: &Subject) -> Verdict {
    const THINK: Duration = Duration::from_millis(600);
    let server = subject.start(&["--think", "600"])?;
    let mut clients = Vec::new();
    for _ in 0..subject.at_once(4) {
        let client = server.connect()?;
        server.expect_accepted(client.address)?;
        clients.push(client);
    }
    let asked = Instant::now();
    for client in &mut clients {
        client.send(COMPLEX)?;
    }
    for client in &mut clients {
        client.expect(b"Complex.")?;
    }
    let (time, number) = (asked.elapsed(), clients.len());
    // A server that thinks for one after another needs this time on any
    // machine, and any other needs it only on a very busy one.
    let one_by_one = THINK * number as u32;
    if time < one_by_one {
        return Ok(());
    }
    let what = format!(
        "with --think 600, the answers to {number} clients that asked at once \
        took {time:.1?}: it thinks for one after another"
    );
    Err(Fault::late(time - THINK, what))
}

/// Expects no line about a client that comes and goes.
fn expect_quiet(mut server: Server) -> Verdict {
    server.connect()?.asks()?.leave()?;
    server.connect()?.send(b"Simp")?.leave()?;
    server.stop()?;
    server.log.wait_for_end(PATIENCE)?;
    let lines = server.log.lines();
    let address = server.address;
    let expected = [format!("Listening at {address}"), "Shutting down".into()];
    ensure!(lines == expected, "with --quiet it printed {lines:?}");
    Ok(())
}

fn is_quiet_about_clients(subject: &Subject) -> Verdict {
    expect_quiet(subject.start(&["-q"])?)?;
    expect_quiet(subject.start(&["--quiet"])?)?;
    if subject.is(Architecture::grows_with_its_clients) {
        let server = subject.start(&["--quiet", "--max-clients", "1"])?;
        expect_the_most(&server, 1)?;
    }
    Ok(())
}

fn helps_with_the_listing_and_the_page(subject: &Subject) -> Verdict {
    for option in ["-h", "--help"] {
        let ended = Ended::run(subject.command(&[option])?)?;
        let text = ended.output.join("\n");
        ensure!(ended.status.success(), "{option}: {}", ended.status);
        let first = ended.output.first().map_or("", String::as_str);
        let number_after = |word: &str| {
            let mut after = first.split(word).skip(1);
            after.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let names = number_after("7-") && number_after("page ");
        ensure!(
            names,
            "the first line of {option} names no listing and page: {first:?}"
        );
        let options = ["--port", "--backlog", "--idle-timeout", "--think"];
        for name in options.iter().chain(&["--quiet", "--version", "1060"]) {
            ensure!(
                text.contains(name),
                "the output of {option} does not mention {name}: {text}"
            );
        }
    }
    Ok(())
}

fn prints_its_version(subject: &Subject) -> Verdict {
    for option in ["-V", "--version"] {
        let ended = Ended::run(subject.command(&[option])?)?;
        ensure!(ended.status.success(), "{option}: {}", ended.status);
        let lines = ended.output;
        let version = lines.first().and_then(|line| line.split_once(' '));
        let ok = version.is_some_and(|(name, number)| {
            name == subject.name() && number.split('.').count() == 3
        });
        ensure!(
            ok && lines.len() == 1,
            "{option} should print its name and its version: {lines:?}"
        );
    }
    Ok(())
}

/// Starts a server with this environment, which also says its port.
fn start_with<'a>(
    subject: &'a Subject,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> Verdict<Server<'a>> {
    let mut command = subject.command(arguments)?;
    command.env("ZEN_PORT", "0").envs(environment.iter().copied());
    Server::spawn(subject, command, usize::MAX)
}

fn takes_the_backlog_from_the_environment(subject: &Subject) -> Verdict {
    let environment = [("ZEN_BACKLOG", "2")];
    let server = start_with(subject, &environment, &[])?;
    expect_backlog(&server, 2)
}

fn takes_quiet_from_the_environment(subject: &Subject) -> Verdict {
    let environment = [("ZEN_QUIET", "1")];
    expect_quiet(start_with(subject, &environment, &[])?)
}

fn the_command_line_wins(subject: &Subject) -> Verdict {
    let environment = [
        ("ZEN_HOST", "192.0.2.1"),
        ("ZEN_PORT", "1"),
        ("ZEN_BACKLOG", "0"),
        ("ZEN_IDLE_TIMEOUT", "0.01"),
        ("ZEN_THINK", "60000"),
        ("ZEN_MAX_CLIENTS", "1"),
    ];
    let mut arguments = vec!["127.0.0.1", "-p", "0", "--backlog", "3"];
    arguments.extend(["--idle-timeout", "0", "--think", "0"]);
    if subject.is(Architecture::grows_with_its_clients) {
        arguments.extend(["--max-clients", "40"]);
    }
    let server = start_with(subject, &environment, &arguments)?;
    let mut clients = server.served(subject.at_once(2))?;
    thread::sleep(Duration::from_millis(200));
    clients.iter_mut().try_for_each(|client| client.asks()?.leave())?;
    // A stopped process accepts no one; a worker may still hold a client.
    let connected = can_connect(&server, 8)?;
    ensure!(
        connected >= 4,
        "only {connected} clients can wait to be accepted, and not 4"
    );
    Ok(())
}
