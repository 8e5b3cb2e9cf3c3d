//! The states of threads and clients, with a name, a colour and a hatch for
//! each: the same in every tool that shows them.

/// The state of a thread or a client, in the order of a legend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "`State::says` says it")]
pub enum State {
    Work,
    Accept,
    Recv,
    Poll,
    Futex,
    Send,
    Sleep,
    Other,
    Asked,
    Idle,
}

/// Hatches, as lines on a tile of 8 by 8: rising, falling, and crossed.
pub const UP: &str = "M-2 2L2 -2M0 8L8 0M6 10L10 6";
/// See [`UP`].
pub const DOWN: &str = "M-2 6L2 10M0 0L8 8M6 -2L10 2";
/// See [`UP`].
pub const CROSSED: &str = "M0 0L8 8M8 0L0 8";

/// For each state, in the same order: one word for a picture, the words of a
/// legend, and the lines of its pattern.
const LOOKS: [(State, [&str; 3]); 10] = [
    (State::Work, ["work", "working", ""]),
    (State::Accept, ["accept", "waiting in accept", "M2 2h2M6 6h2"]),
    (State::Recv, ["recv", "waiting in recv", UP]),
    (State::Poll, ["poller", "waiting in the poller", "M0 2H8M0 6H8"]),
    (State::Futex, ["futex", "futex: lock or channel", CROSSED]),
    (State::Send, ["send", "waiting in send", DOWN]),
    (State::Sleep, ["sleep", "sleeping", "M2 0V8"]),
    (State::Other, ["other", "waiting elsewhere", "M4 0V8M0 4H8"]),
    (State::Asked, ["asked", "has asked, waits", UP]),
    (State::Idle, ["idle", "connected, idle", ""]),
];

/// The colour of each state, on light and on dark paper.
pub const COLOURS: [[&str; 3]; 8] = [
    ["work", "#1c1c1c", "#f2f2f2"],
    ["accept", "#2f6fb0", "#6cb6ff"],
    ["recv", "#1d7a46", "#6fd69a"],
    ["poller", "#7d3fa0", "#cfa2f0"],
    ["futex", "#b3261e", "#ff8f87"],
    ["send", "#00707c", "#5fd3e0"],
    ["sleep", "#7a6a00", "#e0d060"],
    ["other", "#666", "#a8a8a8"],
];

impl State {
    /// All states, in the order of the legend.
    pub fn all() -> impl Iterator<Item = Self> {
        LOOKS.into_iter().map(|(state, _)| state)
    }

    /// One word, for a picture.
    pub fn word(self) -> &'static str {
        LOOKS[self as usize].1[0]
    }

    /// The words of the legend.
    pub fn says(self) -> &'static str {
        LOOKS[self as usize].1[1]
    }

    /// The lines of its pattern.
    pub fn hatch(self) -> &'static str {
        LOOKS[self as usize].1[2]
    }

    /// The state of a thread during the system call with this name; None if the
    /// call has no colour of its own.
    pub fn of_call(name: &str) -> Option<Self> {
        Some(match name {
            "accept" | "accept4" => Self::Accept,
            "read" | "readv" | "recvfrom" | "recvmsg" | "recvmmsg" => {
                Self::Recv
            }
            "write" | "writev" | "sendto" | "sendmsg" | "sendmmsg"
            | "sendfile" => Self::Send,
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" | "poll"
            | "ppoll" | "select" | "pselect6" | "io_uring_enter" => Self::Poll,
            "futex" | "futex_wait" | "futex_waitv" => Self::Futex,
            "nanosleep" | "clock_nanosleep" => Self::Sleep,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{LOOKS, State};

    #[test]
    fn every_state_has_its_own_look() {
        let states: Vec<_> = State::all().map(|it| it as usize).collect();
        assert_eq!(states, (0..LOOKS.len()).collect::<Vec<_>>());
    }
}
