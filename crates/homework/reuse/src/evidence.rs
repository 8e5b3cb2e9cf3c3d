//! Reads `evidence.txt`, which strace has written about the faulty server, and
//! logs what it shows when the server starts.
//!
//! Of each line it uses only the call, its first number and its result, such as
//! `close(8) = 0` or `accept4(3, {...}, [16], SOCK_CLOEXEC) = 8`.

use zen_utils::log;

const EVIDENCE: &str = include_str!("../evidence.txt");

/// What is known about one descriptor.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Closed,
    /// It was given to a new client.
    Reused,
    /// A recv() has shown that this client left or failed.
    HasLeft,
}

pub(crate) fn log_what_it_shows() {
    log::server(match victim(EVIDENCE) {
        Some(number) => format!(
            "Evidence: {number} was closed, given to a new client, and closed \
             again while that client was still there"
        ),
        None => "Evidence: it does not show a client torn down".into(),
    });
}

/// The descriptor that was closed although its client had not left.
fn victim(evidence: &str) -> Option<i32> {
    let mut seen: Vec<(i32, Seen)> = Vec::new();
    for (call, number, result) in evidence.lines().filter_map(parsed) {
        let is = |wanted| seen.contains(&(number, wanted));
        let now = match call {
            "close" if is(Seen::Reused) => return Some(number),
            "close" => (number, Seen::Closed),
            "accept4" if seen.contains(&(result, Seen::Closed)) => {
                (result, Seen::Reused)
            }
            "recvfrom" if result <= 0 && is(Seen::Reused) => {
                (number, Seen::HasLeft)
            }
            _ => continue,
        };
        seen.retain(|(other, _)| *other != now.0);
        seen.push(now);
    }
    None
}

/// A call, its first number, and its result. A call that returned EAGAIN shows
/// nothing.
fn parsed(line: &str) -> Option<(&str, i32, i32)> {
    let (before, rest) = line.split_once('(')?;
    let call = before.rsplit(' ').next()?;
    let digits = rest.split([',', ')']).next()?;
    let result = line.rsplit_once(" = ")?.1;
    if result.contains("EAGAIN") {
        return None;
    }
    let result = result.split(' ').next()?;
    Some((call, digits.trim().parse().ok()?, result.parse().ok()?))
}
