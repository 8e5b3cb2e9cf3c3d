//! The load notices what is wrong with a server, and a server ends together
//! with every process that it has started.

#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod server;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(target_os = "linux")]
use std::process::Command;
use std::thread;
use std::time::Duration;

use zen_bench::load::{BATCH_MAX, Load, Plan};
use zen_bench::schedule::{Order, Pace};
#[cfg(target_os = "linux")]
use zen_harness::server::Server;

const PLAN: Plan = Plan {
    rounds: 3,
    batch: 2,
    pause: Duration::ZERO,
    time_max: Duration::from_millis(300),
};

/// A server that talks to one client at a time.
fn server(
    converse: fn(&mut TcpStream, &[u8]) -> io::Result<()>,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for sock in listener.incoming() {
            let mut sock = sock?;
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = sock.read(&mut buffer) {
                converse(&mut sock, &buffer[..n])?;
            }
        }
        io::Result::Ok(())
    });
    Ok(address)
}

fn answers(questions: &[u8]) -> Vec<u8> {
    let questions = questions.split_inclusive(|&byte| byte == b'?');
    let answers = questions.map(zen_utils::get_answer);
    answers.collect::<Vec<_>>().concat()
}

#[track_caller]
fn fails(converse: fn(&mut TcpStream, &[u8]) -> io::Result<()>, message: &str) {
    let address = server(converse).expect("a listener");
    let mut load = Load::connect(address, 1).expect("it listens");
    let error = load.ask(PLAN).expect_err("a fault").to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn right_answers_are_counted_however_they_are_cut() {
    let address = server(|sock, questions| {
        answers(questions).chunks(3).try_for_each(|cut| sock.write_all(cut))
    });
    let mut load = Load::connect(address.unwrap(), 1).unwrap();
    assert_eq!(load.ask(PLAN).unwrap(), 6);
    assert_eq!(load.ask(Plan { rounds: 0, ..PLAN }).unwrap(), 0);
    assert_eq!(load.ask(Plan { batch: BATCH_MAX, ..PLAN }).unwrap(), 192);
}

#[test]
fn a_wrong_answer_is_an_error() {
    fails(|sock, _| sock.write_all(b"Ugly.Ugly."), "instead of");
}

#[test]
fn an_extra_answer_is_an_error() {
    fails(
        |sock, questions| {
            sock.write_all(&[answers(questions), b"Ugly.".into()].concat())
        },
        "instead of",
    );
}

#[test]
fn a_missing_answer_is_an_error() {
    fails(|_, _| Ok(()), "not done in 300ms");
}

#[test]
fn a_closed_connection_is_an_error() {
    fails(|sock, _| sock.shutdown(std::net::Shutdown::Both), "has closed");
}

#[cfg(target_os = "linux")]
#[test]
fn the_bare_loop_answers_a_load() {
    for batch in [1, 16] {
        let mut command = Command::new(zen_harness::program!("zen-bench"));
        command.args(["bare-loop", "--batch", &batch.to_string()]);
        let server = Server::start(&mut command).unwrap();
        let plan = Plan { batch, ..Plan::new(20) };
        for clients in [1, 8] {
            let mut load = Load::connect(server.address, clients).unwrap();
            assert_eq!(load.ask(plan).unwrap(), 20 * batch * clients);
        }
    }
}

/// Answers at once, except for one question in the middle.
fn stalls(sock: &mut TcpStream, questions: &[u8]) -> io::Result<()> {
    thread_local!(static ASKED: std::cell::Cell<u32> = const {
        std::cell::Cell::new(0)
    });
    if ASKED.replace(ASKED.get() + 1) == 20 {
        thread::sleep(Duration::from_millis(400));
    }
    sock.write_all(&answers(questions))
}

#[test]
fn a_stall_that_a_closed_loop_omits_is_seen_by_an_open_one() {
    let late = |pace| {
        let address = server(stalls).unwrap();
        let mut load = Load::connect(address, 1).unwrap();
        let time = Duration::from_millis(800);
        let order = Order { pace, batch: 1, time, questions_max: 100_000 };
        let outcome = load.drive(&order, &mut |_| ()).unwrap();
        let late = outcome.latency.count_between(50_000_000, u64::MAX);
        late as f64 / outcome.latency.len() as f64
    };
    let (closed, open) = (late(Pace::Closed), late(Pace::Open(200.0)));
    // About 70 of 160 questions were meant to be asked within the stall, and
    // were answered late.
    assert!(open > 0.25, "{open}");
    assert!(closed < open / 4.0, "{closed} {open}");
}

#[test]
fn a_load_counts_and_compares_what_it_asks() {
    let good = |sock: &mut TcpStream, questions: &[u8]| {
        sock.write_all(&answers(questions))
    };
    let order = Order {
        pace: Pace::Closed,
        batch: 3,
        time: Duration::from_secs(20),
        questions_max: 31,
    };
    let drive = |order, converse| {
        let mut load = Load::connect(server(converse).unwrap(), 1).unwrap();
        load.drive(&order, &mut |_| ())
    };
    let outcome = drive(order, good).unwrap();
    assert_eq!((outcome.answers, outcome.unanswered), (30, 0));
    assert_eq!(outcome.latency.len(), 30);
    let open = Order { pace: Pace::Open(300.0), ..order };
    assert_eq!(drive(open, good).unwrap().answers, 30);
    let wrong = drive(order, |sock, _| sock.write_all(b"Ugly.Ugly."));
    assert!(wrong.unwrap_err().to_string().contains("instead of"));
    // Answers that never come are counted.
    let short = Order { time: Duration::from_millis(50), ..order };
    let outcome = drive(short, |_, _| Ok(())).unwrap();
    assert_eq!((outcome.answers, outcome.unanswered), (0, 3));
    for wrong in [
        Order { batch: 0, ..order },
        Order { batch: BATCH_MAX + 1, ..order },
        Order { time: Duration::from_secs(601), ..order },
        Order { questions_max: u64::MAX, ..order },
        Order { pace: Pace::Open(0.0), ..order },
        Order { pace: Pace::Open(f64::NAN), ..order },
        Order { pace: Pace::Open(1e9), ..order },
    ] {
        assert!(drive(wrong, good).is_err(), "{wrong:?}");
    }
}

#[test]
fn only_the_loopback_interface_is_loaded() {
    let address = "192.0.2.1:1060".parse().unwrap();
    let error = Load::connect(address, 1).unwrap_err().to_string();
    assert!(error.contains("not a loopback address"), "{error}");
}
